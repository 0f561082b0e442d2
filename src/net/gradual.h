/* A network of ST-BIF+ neurons, run the way its authors do: all layers at once.
 *
 * A batch passes through all stages T times. At every step each site sees the function of what its inputs have sent so far,
 * and each of its neurons sends at most one spike, +1 or -1, on top of what it has sent (spike/st_bif.h). What is kept from
 * one step to the next: S, the sum of the spikes of every value, and in temporal mode the accumulators of every linear
 * product, to which the spikes of a step add their rows. Count mode multiplies S instead: the same integers.
 *
 * Keys and values are functions of the accumulated state like all else, so they change from step to step, and a sum over
 * earlier keys cannot be kept: Q K^T and P V are added up anew at every step, from all spikes sent so far, and every one of
 * these additions is counted (sum of |S| times the fan-out, at each step). Keys and values of earlier batches stay as they were
 * when their batch ended, so a text that is read in pieces has another course than the same text read at once; the two
 * agree when T is large enough for both to come to rest. */
#ifndef STAC_NET_GRADUAL_H
#define STAC_NET_GRADUAL_H

#include "net/run.h"

/* Passes that a batch takes: T if the sites of the network have ST-BIF+ neurons (all of them, or none), else 1. */
int stac_gradual_steps(const struct stac_network *net);

/* Room for the sums of a run; nothing for other networks. Accumulators are taken when a batch begins in temporal mode. */
int stac_gradual_init(struct stac_run *run, struct stac_error *err);
void stac_gradual_clean(struct stac_run *run);

/* A batch begins: nothing has been sent. */
int stac_gradual_begin(struct stac_run *run, struct stac_error *err);

/* Bytes of all that a run keeps; 0 for other networks. */
double stac_gradual_bytes(const struct stac_network *net, enum stac_mode mode, int capacity, int max_rows);

/* One step of the neurons of a linear site that n rows x[n][n_in] of the batch enter, from its first row on; their spikes reach
 * the accumulators. Their factors stay in run->factor, until the next site. */
void stac_gradual_step(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n, const float *x);

/* The counts of such a step. On a device they are to be had when the pass is over; elsewhere the step has seen to it. */
void stac_gradual_count(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int64_t spikes);

/* y[n][n_out] of rows [first, first + n) of the batch, as their neurons stand after the last step, which was that of this site.
 */
void stac_gradual_product(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int first, int n,
                          float *y);

/* S of a row of the batch at q and p: of a query head, as many as the row of a cache is wide. Where the run is. */
int16_t *stac_gradual_sums(struct stac_run *run, const struct stac_site *site, int row, int head);

/* acc[n_out] = sum over inputs of S w, spike by spike: every spike sent so far adds its row again. `index` is scratch for n_in.
 */
void stac_gradual_rebuild(struct stac_run *run, int n_in, const int16_t *sum, int n_out, const int8_t *w, int ldw,
                          uint16_t *index, int32_t *acc);

#endif
