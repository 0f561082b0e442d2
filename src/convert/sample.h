/* Calibration texts that the model writes itself: no data is needed, and they look like what the model expects. */
#ifndef STAC_CONVERT_SAMPLE_H
#define STAC_CONVERT_SAMPLE_H

#include "base/log.h"
#include "net/pipeline.h"

/* The token that a text of its own begins after: what ends a text. */
int32_t stac_sample_start(const struct stac_hparams *hp);

/* n_windows texts of `length` tokens, sampled at temperature 1 after the token `first`, into tokens[n_windows][length] on
 * every rank. Text i depends on seed and i only. `net` is this rank's part of the original model (NULL on a rank left
 * over). Collective over all ranks; ends with an agreement. */
int stac_sample_windows(const struct stac_ranks *ranks, const struct stac_grid *grid, const struct stac_log *log,
                        const struct stac_network *net, int n_vocab, int32_t first, uint64_t seed, int n_windows, int length,
                        int32_t *tokens, struct stac_error *err);

#endif
