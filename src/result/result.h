/* Results of an evaluation, as files: one flat JSON object, and metrics.h5. */
#ifndef STAC_RESULT_RESULT_H
#define STAC_RESULT_RESULT_H

#include "energy/energy.h"
#include "eval/layers.h"
#include "eval/perplexity.h"
#include "eval/raster.h"
#include "eval/spike_rates.h"

enum { STAC_MAX_CHECKS = 16, STAC_METRICS_VERSION = 3 };

struct stac_result {
    const struct stac_subject *subject; /* borrowed */
    struct stac_text text;              /* owned; zero: none was read */
    bool scored;
    struct stac_score score;   /* owned */
    struct stac_energy energy; /* owned, as are the rates */
    struct stac_spike_rates rates;
    struct stac_layers layers; /* owned */
    struct stac_raster raster;
    int n_checks;
    struct stac_check check[STAC_MAX_CHECKS];
    bool talked;
    struct stac_parity parity;        /* if talked */
    char *transcript[STAC_SIDES];     /* owned; NULL: no conversation */
    char job_digest[STAC_SHA256_HEX]; /* what it depends on; "": not known */
    double seconds;
    size_t peak_memory; /* of rank 0, bytes */
};

/* The perplexities of a side that was scored. */
struct stac_perplexity stac_result_perplexity(const struct stac_result *r, enum stac_side side);

void stac_result_clean(struct stac_result *r);
bool stac_result_passed(const struct stac_result *r);

/* Write the flat object; its keys are told in the README. A figure that was not measured, or is not finite, is null. Rank 0
 * only. */
int stac_result_json(const struct stac_result *r, const char *path, struct stac_error *err);

/* Whether the metrics.h5 at `path` is the result of the job with that digest, whole; *passed receives whether all its checks
 * passed. */
bool stac_result_is_there(const char *path, const char *job_digest, bool *passed);

/* Write metrics.h5. Rank 0 only. */
int stac_result_h5(const struct stac_result *r, const char *path, struct stac_error *err);

#endif
