/* Pictures by gnuplot: a script on its standard input, no shell in between. */
#ifndef STAC_REPORT_PICTURE_H
#define STAC_REPORT_PICTURE_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "eval/result.h"

/* What a script begins with: a PNG of 960 x `height` pixels at `path`, lines and colours. */
int stac_picture_begin(struct stac_strbuf *s, const char *path, int height, struct stac_error *err);

/* Draw into `path` (a PNG). *drawn is false, and the call succeeds, when there is no gnuplot; a gnuplot that fails is
 * STAC_ERR_IO. */
int stac_picture_draw(const char *script, const char *path, bool *drawn, struct stac_error *err);

/* Spikes per activation of every layer, a line for each kind of site; additions and multiply-accumulates by site. */
int stac_picture_spikes(const struct stac_result *r, const char *path, bool *drawn, struct stac_error *err);
int stac_picture_work(const struct stac_result *r, const char *path, bool *drawn, struct stac_error *err);

/* Losses of training the codes, relative to the first, a line for each layer. Only where they were trained. */
int stac_picture_training(const struct stac_result *r, const char *path, bool *drawn, struct stac_error *err);

#endif
