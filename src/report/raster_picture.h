/* The spikes of a sentence: a script for gnuplot (report/picture.h). */
#ifndef STAC_REPORT_RASTER_PICTURE_H
#define STAC_REPORT_RASTER_PICTURE_H

#include "base/strbuf.h"
#include "result/result.h"

/* A dot for every spike of r->raster, by time step and channel, the tokens one after the other; positive and negative ones. */
int stac_picture_raster(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err);

#endif
