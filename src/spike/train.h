/* Spike trains: what the neurons of a row send over T steps, and the accumulation that the spikes drive. This is the
 * temporal mode, and the specification of the count mode.
 *
 * The weights of a row's spikes are added up step by step, each step by itself; the sums then meet as the step weights say. */
#ifndef STAC_SPIKE_TRAIN_H
#define STAC_SPIKE_TRAIN_H

#include <stdint.h>

#include "base/status.h"
#include "kernels/kernels.h"
#include "spike/step_weights.h"

/* The spikes of one row; arrays owned. They come in bursts of neighbouring inputs, in which no step has more than
 * STAC_SPIKES_OF_STEP; none goes beyond a multiple of STAC_TRAIN_INPUTS. */
struct stac_train {
    int timesteps, n_bursts;
    int active; /* values of the row that sent a spike */
    struct stac_burst {
        int from;                              /* first input; those of the spikes are counted from it */
        int begin[2 * STAC_MAX_TIMESTEPS + 1]; /* as in struct stac_spikes */
    } * burst;
    uint16_t *index;
};
#define STAC_TRAIN_INPUTS 1024

/* Room for rows of at most `cap` <= 65536 values, each of at most `most` spikes. */
int stac_train_init(struct stac_train *train, int cap, int most, struct stac_error *err);
void stac_train_clean(struct stac_train *train);

/* What the neurons of a row send, value by value: workspace of one thread, arrays owned. */
struct stac_sent {
    struct stac_word *word; /* [cap] of the row that was played last */
    uint8_t *place;         /* [cap][2] inside of train.c */
};
int stac_sent_init(struct stac_sent *sent, int cap, struct stac_error *err);
void stac_sent_clean(struct stac_sent *sent);

/* The neurons of the code run over T steps for n <= cap values (x - mean) * inv_scale; mean may be NULL. Returns the number
 * of spikes. */
int64_t stac_train_play(struct stac_train *train, struct stac_sent *sent, const struct stac_code *code,
                        const struct stac_kernels *k, int n, const float *x, const float *mean, float inv_scale);

/* Sum of the integers of the row: its spikes, weighed by their steps. */
int64_t stac_train_sum(const struct stac_train *train, const struct stac_steps *s);

/* y[n_out] += sum over the spikes of burst b of w_t * weight row: every spike adds one row of w [inputs of the burst][ldw] to
 * the sums of its step, which then meet as the step weights say. `sum` is scratch of STAC_TRAIN_SCRATCH integers. */
#define STAC_TRAIN_TILE 256 /* outputs that go through time together */
#define STAC_TRAIN_SCRATCH (STAC_MAX_TIMESTEPS * STAC_TRAIN_TILE)
void stac_train_drive_burst(const struct stac_train *train, int b, const struct stac_steps *s, const struct stac_kernels *k,
                            int n_out, const int8_t *w, int ldw, int16_t *sum, int32_t *y);

/* y[n_out] = the same of all bursts, w [inputs][ldw]. */
void stac_train_drive(const struct stac_train *train, const struct stac_steps *s, const struct stac_kernels *k, int n_out,
                      const int8_t *w, int ldw, int16_t *sum, int32_t *y);

#endif
