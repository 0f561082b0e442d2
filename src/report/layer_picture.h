/* How quality falls as layers begin to spike: a script for gnuplot (report/picture.h). */
#ifndef STAC_REPORT_LAYER_PICTURE_H
#define STAC_REPORT_LAYER_PICTURE_H

#include "base/strbuf.h"
#include "result/result.h"

/* Divergence, perplexity ratio and agreement of r->layers, by the number of layers that spike. */
int stac_picture_layers(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err);

#endif
