/* The energy of a result on the page: a table of the accounts, and the way from the original's energy to that of the SNN. */
#ifndef STAC_REPORT_ENERGY_SECTION_H
#define STAC_REPORT_ENERGY_SECTION_H

#include "base/strbuf.h"
#include "eval/result.h"

/* Append heading and table as HTML. Nothing when no energy was measured. */
int stac_page_energy(const struct stac_result *r, struct stac_strbuf *out, struct stac_error *err);

/* The picture: for prefill and decode a waterfall from the original to the SNN in its number format, a step for every kind of
 * spending. *drawn as in stac_picture_draw. */
int stac_picture_energy(const struct stac_result *r, const char *path, bool *drawn, struct stac_error *err);

#endif
