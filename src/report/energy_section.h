/* The energy of a result on the page: a table of the accounts, and the way from the original's energy to that of the SNN. */
#ifndef STAC_REPORT_ENERGY_SECTION_H
#define STAC_REPORT_ENERGY_SECTION_H

#include "base/strbuf.h"
#include "result/result.h"

/* Append heading and table as HTML. Nothing when no energy was measured. */
int stac_page_energy(const struct stac_result *r, struct stac_strbuf *out, struct stac_error *err);

/* The picture: for prefill and decode a waterfall from the original to the SNN in its number format, a step for every kind of
 * spending. Its script (report/picture.h). */
int stac_picture_energy(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err);

#endif
