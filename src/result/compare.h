/* Two results side by side: what changed, what got worse. */
#ifndef STAC_RESULT_COMPARE_H
#define STAC_RESULT_COMPARE_H

#include <stdbool.h>

#include "base/strbuf.h"

/* Append a table of all figures and checks of two metrics.h5 (paths of them, or of folders that hold one): value in a, in b,
 * difference, and whether b is worse or better where a direction is known. Where model, text or settings are not the same,
 * lines say so before the table. *broken: a check that passed in a fails in b. STAC_ERR_INPUT, STAC_ERR_IO: a file that is
 * none. */
int stac_compare(const char *a, const char *b, struct stac_strbuf *out, bool *broken, struct stac_error *err);

#endif
