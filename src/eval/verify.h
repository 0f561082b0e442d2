/* --verify: a stored conversion is read back and held against its original. */
#ifndef STAC_EVAL_VERIFY_H
#define STAC_EVAL_VERIFY_H

#include "eval/check.h"

enum { STAC_VERIFY_CHECKS = 6 };

struct stac_verification {
    int n;
    struct stac_check check[STAC_VERIFY_CHECKS];
};

/* Open the folder that `convert` has written, score tokens[n] in windows of `context` on both sides, talk three turns (where
 * the tokenizer is the model's), look at positions, mask and spike rates (where a code has spikes and a plan for them), and
 * play some of it over time. Collective over all ranks. */
int stac_verify(const struct stac_job *convert, const struct stac_ranks *ranks, const struct stac_log *log,
                const int32_t *tokens, size_t n, size_t context, struct stac_verification *out, struct stac_error *err);

#endif
