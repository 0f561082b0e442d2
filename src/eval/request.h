/* What a job of stac-eval asks to be measured, made out once and checked against what was opened. */
#ifndef STAC_EVAL_REQUEST_H
#define STAC_EVAL_REQUEST_H

#include "eval/subject.h"

struct stac_request {
    bool score;                                     /* read the text of the job with the sides that run */
    bool perplexity, fidelity, energy, spike_rates; /* checks of that, */
    bool layers, raster;                            /* and pictures of it */
    bool multi_turn, attention_mask, position_boundaries, temporal, tsp_state, parity_multi_turn; /* checks without a text */
};

/* `test_all` means every check that what was opened has the sides for. STAC_ERR_USAGE: a check lacks a side or a text, a file
 * of results that it belongs to is asked for without it, or nothing is asked. Not collective; the same on every rank. */
int stac_request_of(const struct stac_subject *s, struct stac_request *out, struct stac_error *err);

/* The same for a sweep (--frontier), with which nothing else may be asked. */
int stac_request_check_sweep(const struct stac_subject *s, struct stac_error *err);

#endif
