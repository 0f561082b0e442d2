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
 * SpikingJelly's IFNode with v_reset=None runs it.
 *
 * The neuron `lif` leaks, with a soft reset:
 *
 *     v <- rest + leak (v - rest) + input |x|;   s_t = 1 if v >= theta, else 0;   v <- v - theta s_t
 *
 * Solved over T steps, v_T - rest = input |x| sum of leak^(T-1-t) - theta sum of leak^(T-1-t) s_t: the spikes that are weighed
 * with w_t = leak^(T-1-t) stand for x up to what is left in the membrane, so the code is linear although the neuron forgets.
 * The rest is half a threshold, so that what is left lies about 0. Units: theta = 1, v is counted from the rest
 * and fires at 1/2; the input of a step is |x| / (unit * sum of w_t), w_t integers. The step weights fall on no powers of two:
 * an output pays one multiplication a step. A value whose current never lifts the membrane to theta,
 * |x| < unit (1 - leak) sum of w_t / 2, is silent at any T.
 *
 * Source: leaky integrate-and-fire as in Gerstner et al., "Neuronal Dynamics" (2014), section 1.3, in discrete time, with
 * the reset by subtraction of Rueckauer et al. (2017); the decoding is its exact solution. */
#ifndef STAC_SPIKE_RATE_H
#define STAC_SPIKE_RATE_H

#include "spike/recipe.h"

/* The table of rounding to 0 .. most, each level as many spikes as its integer; with_words: the first steps. */
int stac_rate_levels(struct stac_code *code, bool with_words, struct stac_error *err);

#endif
