/* A result in words and figures, for a terminal. */
#ifndef STAC_RESULT_SUMMARY_H
#define STAC_RESULT_SUMMARY_H

#include "base/strbuf.h"
#include "result/result.h"

/* What a spiking network does that is not driven by spikes, in words: every page and summary says so. */
extern const char stac_outside_spikes[];

/* Append what was measured, and how every check ended. */
int stac_summary_write(const struct stac_result *r, struct stac_strbuf *out, struct stac_error *err);

#endif
