/* Rate code of a leaky neuron with soft reset (`lif`).
 *
 *     v <- rest + leak (v - rest) + input |x|;   s_t = 1 if v >= theta, else 0;   v <- v - theta s_t
 *
 * Solved over T steps, v_T - rest = input |x| sum of leak^(T-1-t) - theta sum of leak^(T-1-t) s_t: the spikes that are weighed
 * with w_t = leak^(T-1-t) stand for x up to what is left in the membrane, so the code is linear although the neuron forgets.
 * The rest is half a threshold, so that what is left lies about 0. Units: as in rate.h, theta = 1, v is counted from the rest
 * and fires at 1/2; the input of a step is |x| / (unit * sum of w_t), w_t integers. The step weights fall on no powers of two:
 * an output pays one multiplication a step. A value whose current never lifts the membrane to theta,
 * |x| < unit (1 - leak) sum of w_t / 2, is silent at any T.
 *
 * Source: leaky integrate-and-fire as in Gerstner et al., "Neuronal Dynamics" (2014), section 1.3, in discrete time, with
 * the reset by subtraction of Rueckauer et al. (2017); the decoding is its exact solution. */
#ifndef STAC_SPIKE_LEAKY_H
#define STAC_SPIKE_LEAKY_H

#include "spike/recipe.h"

/* What the neuron sends for a magnitude. */
struct stac_word stac_leaky_word(const struct stac_code *code, float magnitude);

#endif
