/* What is queued, running, done and failed, as a table for people. */
#ifndef STAC_SPOOL_OVERVIEW_H
#define STAC_SPOOL_OVERVIEW_H

#include "base/strbuf.h"
#include "spool/spool.h"

struct stac_overview {
    size_t queued, running, done, failed;
};

/* Append the table; *counts receives its sums. Moves nothing. */
int stac_overview_write(const struct stac_spool *s, struct stac_overview *counts, struct stac_strbuf *out,
                        struct stac_error *err);

#endif
