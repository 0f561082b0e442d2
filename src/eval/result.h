/* Results of an evaluation, as files: one flat JSON object, and metrics.h5. */
#ifndef STAC_EVAL_RESULT_H
#define STAC_EVAL_RESULT_H

#include "eval/energy.h"
#include "eval/spike_rates.h"

enum { STAC_MAX_CHECKS = 16 };

struct stac_result {
    const struct stac_subject *subject; /* borrowed */
    char *text_path, *text_sha256;      /* owned; NULL: no text was read; without a sum: it is described */
    size_t text_bytes, text_words;
    bool scored;
    struct stac_score score;   /* owned */
    struct stac_energy energy; /* owned, as are the rates */
    struct stac_spike_rates rates;
    int n_checks;
    struct stac_check check[STAC_MAX_CHECKS];
    bool talked;
    struct stac_parity parity;    /* if talked */
    char *transcript[STAC_SIDES]; /* owned; NULL: no conversation */
    double seconds;
    size_t peak_memory; /* of rank 0, bytes */
};

void stac_result_clean(struct stac_result *r);
bool stac_result_passed(const struct stac_result *r);

/* Write the flat object; its keys are told in the README. A figure that was not measured is null. Rank 0 only. */
int stac_result_json(const struct stac_result *r, const char *path, struct stac_error *err);

/* Write metrics.h5. Rank 0 only. */
int stac_result_h5(const struct stac_result *r, const char *path, struct stac_error *err);

#endif
