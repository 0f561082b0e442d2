/* Calibration texts that the model writes itself: no data is needed, and they look like what the model expects. */
#ifndef STAC_CONVERT_SAMPLE_H
#define STAC_CONVERT_SAMPLE_H

#include "base/log.h"
#include "dist/checkpoint.h"
#include "net/pipeline.h"

/* The token that a text of its own begins after: what ends a text. */
int32_t stac_sample_start(const struct stac_hparams *hp);

struct stac_sample_request {
    const struct stac_ranks *ranks; /* borrowed, as all pointers */
    const struct stac_grid *grid;
    const struct stac_log *log;
    const struct stac_network *net;     /* this rank's part of the original model; not read on a rank left over */
    const struct stac_device *device;   /* where it writes; NULL: on the processor */
    struct stac_checkpoint *checkpoint; /* or NULL */
    int n_vocab;
    int32_t first; /* token that every text begins with */
    uint64_t seed;
    int n, length; /* texts; tokens of each */
};

/* Texts sampled at temperature 1, into tokens[n][length] on every rank. Text i depends on seed and i only. Collective over all
 * ranks; ends with an agreement. STAC_STOPPED when a signal asked for it. */
int stac_sample_windows(const struct stac_sample_request *q, int32_t *tokens, struct stac_error *err);

#endif
