/* Spike trains: what the neurons of a row send over T steps, and the accumulation that the spikes drive. This is the
 * temporal mode, and the specification of the count mode. */
#ifndef STAC_SPIKE_TRAIN_H
#define STAC_SPIKE_TRAIN_H

#include <stdint.h>

#include "base/status.h"
#include "kernels/kernels.h"
#include "spike/step_weights.h"

/* The events of one row of at most `cap` values: at step t the inputs index[begin[t] ..) fire, first those with sign
 * plus, then those with sign minus. */
struct stac_train {
    int timesteps;
    int cap;
    uint16_t *index;        /* [cap * STAC_MAX_TIMESTEPS], owned */
    struct stac_word *word; /* [cap] of the row, owned */
    uint8_t *place;         /* [cap][2] steps and signs of the first two spikes of each, owned; inside of train.c */
    int active;             /* values of the row that sent a spike */
    int begin[STAC_MAX_TIMESTEPS];
    int n_plus[STAC_MAX_TIMESTEPS], n_minus[STAC_MAX_TIMESTEPS];
};

int stac_train_init(struct stac_train *train, int cap, struct stac_error *err); /* cap <= 65536 */
void stac_train_clean(struct stac_train *train);

/* The neurons of the code run over T steps for n <= cap values (x - mean) * inv_scale; mean may be NULL. Returns the number
 * of events. */
int64_t stac_train_play(struct stac_train *train, const struct stac_code *code, int n, const float *x, const float *mean,
                        float inv_scale);

/* Sum of the integers of the row: its events, weighed by their steps. */
int64_t stac_train_sum(const struct stac_train *train, const struct stac_code *code);

#define STAC_TRAIN_TILE 128 /* outputs whose accumulators stay in the first cache while time runs */
#define STAC_TRAIN_SCRATCH (STAC_MAX_CLASSES * STAC_TRAIN_TILE)

/* y[n_out] = sum over the spikes of w_t * weight row: for each step in time order every spike adds one row of w
 * [inputs][ldw] to the accumulators of its class; classes are shifted between rounds and meet at the end. Where the step
 * weights follow no law, the sum of each step is multiplied by its weight. `acc` is scratch of STAC_TRAIN_SCRATCH integers.
 * Returns what that took besides the rows: stac_step_weights_effort, for each output. */
struct stac_effort stac_train_drive(const struct stac_train *train, const struct stac_code *code, const struct stac_kernels *k,
                                    int n_out, const int8_t *w, int ldw, int32_t *acc, int32_t *y);

#endif
