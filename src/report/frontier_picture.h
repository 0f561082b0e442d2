/* The frontier as a picture: perplexity ratio against additions per multiply-accumulate, both logarithmic (the ratio by what it
 * is above 1), a line for each code and T, points that others have published as marks. */
#ifndef STAC_REPORT_FRONTIER_PICTURE_H
#define STAC_REPORT_FRONTIER_PICTURE_H

#include "eval/frontier_table.h"

/* Draw into `path` (a PNG). *drawn as in stac_picture_draw. Rank 0 only. */
int stac_picture_frontier(const struct stac_frontier_table *t, const char *path, bool *drawn, struct stac_error *err);

#endif
