/* What the codes of a network look like: a script for gnuplot (report/picture.h). */
#ifndef STAC_REPORT_CODE_PICTURE_H
#define STAC_REPORT_CODE_PICTURE_H

#include "base/strbuf.h"
#include "result/result.h"

/* For each kind of site, in the layer in the middle: the value that comes back of each value that goes in, a piece between two
 * thresholds for every word, coloured by its spikes; and the words of the inputs of attention, step by step. The codes are read
 * from the file of the network. */
int stac_picture_codes(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err);

#endif
