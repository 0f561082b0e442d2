/* Pictures by gnuplot: a script on its standard input, no shell in between. */
#ifndef STAC_REPORT_PICTURE_H
#define STAC_REPORT_PICTURE_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "result/result.h"

/* What a script begins with: a PNG of 960 x `height` pixels at `path`, lines and colours. */
int stac_picture_begin(struct stac_strbuf *s, const char *path, int height, struct stac_error *err);

/* Draw into `path` (a PNG): whether it is there now. Without gnuplot, or with one that fails, a result has no pictures. */
bool stac_picture_draw(const char *script, const char *path);

/* A picture of a result: appends the script that draws it into `path`. */
typedef int (*stac_picture_fn)(const struct stac_result *r, const char *path, struct stac_strbuf *script,
                               struct stac_error *err);

/* Make the script and draw it. */
int stac_picture_of(const struct stac_result *r, stac_picture_fn make, const char *path, bool *drawn, struct stac_error *err);

#endif
