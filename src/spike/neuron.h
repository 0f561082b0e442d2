/* Neurons: what sends the spikes of a value, one step at a time.
 *
 *     v_0 = what the value puts into the membrane;   at step t the neuron sends s_t in {-1, 0, +1};   v -= reset_t s_t
 *
 *   table    is programmed: it knows the value before the first step, looks up its word and plays it
 *   causal   fires with the sign of v when |v| >= threshold[t][spikes sent so far]     (causal.h; phase.h and one_spike.h
 *            give other thresholds to the same neuron)
 *   if, lif  integrate the value step by step and fire when v reaches the threshold     (rate.h)
 *   st_bif   sees the sum of what its inputs sent so far and corrects what it sent itself (st_bif.h)
 *
 * Values are magnitudes in integers of the code (|x - mean| / unit); a negative value sends the same word with its signs
 * turned. For a neuron that decides by comparing its membrane, the word as a function of the magnitude is constant in
 * pieces and grows in lexicographic order: of two values with the same spikes so far the larger one has the larger
 * membrane, also in floating point, because adding and subtracting the same number keeps order. So the table that count
 * mode looks up is found exactly, by bisection over the bits of floats, and equals the neuron for every value. */
#ifndef STAC_SPIKE_NEURON_H
#define STAC_SPIKE_NEURON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/neurons.h"

static inline int stac_word_spikes(struct stac_word w) {
    return __builtin_popcountll(w.plus) + __builtin_popcountll(w.minus);
}

const char *stac_neuron_name(enum stac_neuron_kind kind); /* "table", "causal", ... */

struct stac_code;

/* The word of a magnitude (>= 0, or NaN, which is silent) by the dynamics of the code's neuron; of a table neuron, by its
 * table. Not for st_bif. */
struct stac_word stac_neuron_word(const struct stac_code *code, float magnitude);

/* Words of n values x - mean (mean may be NULL) times inv_scale: what the neurons of a row send over T steps. */
struct stac_kernels;
void stac_neuron_run(const struct stac_code *code, const struct stac_kernels *k, int n, const float *x, const float *mean,
                     float inv_scale, struct stac_word *word);

/* Membrane updates of a value as NeuroBench counts them: the first step, and every later one after which the membrane is
 * another than before. Of causal, if and lif neurons; 0 of others: a table plays a word, and the membrane of st_bif is not that
 * of one value. */
int stac_neuron_updates(const struct stac_code *code, float magnitude);

/* Derive the table of a code from the dynamics of its neuron, whose parameters and weights are set. With `keep` the words
 * are kept and the code gets a table neuron that plays them. STAC_ERR_INPUT when the dynamics make no table: a spike for
 * nothing, a positive value decoded below 0 or beyond 16 bits, too many levels. */
int stac_neuron_tabulate(struct stac_code *code, bool keep, struct stac_error *err);

#endif
