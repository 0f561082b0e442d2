/* Pictures of the sites of a network: scripts for gnuplot (report/picture.h). */
#ifndef STAC_REPORT_SITE_PICTURES_H
#define STAC_REPORT_SITE_PICTURES_H

#include "base/strbuf.h"
#include "result/result.h"

/* Spikes per activation of every layer, a line for each kind of site; additions and multiply-accumulates by site. */
int stac_picture_spikes(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err);
int stac_picture_work(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err);

/* Losses of training the codes, relative to the first, a line for each layer. Only where they were trained. */
int stac_picture_training(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err);

#endif
