/* Rate code: a value is the number of its spikes.
 *
 *     x ~ unit * n,   n = clip(floor(|x| / unit + 1/2), 0, most), with the sign of x;   unit = theta / T
 *
 * On the neuron `table` the n spikes are the first n steps, most <= T. The neuron `if` integrates:
 *
 *     v_0 = theta / 2;   v <- v + |x|;   s_t = 1 if v >= theta, else 0;   v <- v - theta s_t        (t = 0 .. T-1)
 *
 * which sends clip(floor(|x| T / theta + 1/2), 0, T) spikes: quantisation-clip-floor-shift. Units: theta and membranes in units
 * of the value; in the code below theta is 1 and half of it is taken off the membrane, so it fires at 1/2. A sign is a second
 * channel: of a pair of neurons the one that x belongs to integrates |x|, the other is silent. theta is the one with the
 * smallest mean squared error on the histogram.
 *
 * Source: Bu et al., "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency SNNs", ICLR 2022 (QCFS), as
 * SpikingJelly's IFNode with v_reset=None runs it. */
#ifndef STAC_SPIKE_RATE_H
#define STAC_SPIKE_RATE_H

#include "spike/recipe.h"

/* What the IF neuron sends for a magnitude. */
struct stac_word stac_rate_word(const struct stac_code *code, float magnitude);

/* The table of rounding to 0 .. most, each level as many spikes as its integer; with_words: the first steps. */
int stac_rate_levels(struct stac_code *code, bool with_words, struct stac_error *err);

#endif
