/* ST-BIF+: a neuron that may take spikes back, so that a whole network of them works at once.
 *
 *     v <- v + x(t);   s_t = +1 if v >= theta and S < s_max,  -1 if v < 0 and S > s_min,  else 0;
 *     v <- v - theta s_t;   S <- S + s_t;   v_0 = theta / 2;   S_0 = 0;   x ~ theta S
 *
 * S is the sum of what the neuron has sent, x(t) what its input changed by at step t: the input is a function f of what other
 * neurons have sent so far, and x(t) = f(t) - f(t-1); so soft-max, norm and SiLU act as differences of the function on the
 * accumulated state. The inputs add up to f(t), hence v = f(t) + theta / 2 - theta S before each spike, and that is how it is
 * computed: without the rounding errors of a sum that goes on. While f stands still, S walks to clip(round(f / theta), s_min,
 * s_max) and stays there: the network becomes its quantised ANN once T is large enough.
 *
 * Here s_max = most and s_min = -most, or 0 where x is never below 0. Ties go away from 0, so that the neuron is odd (the
 * original rounds a tie up). Units: f / theta in units of the code, theta = unit (times the scale of the row), S integers.
 *
 * Source: You et al., "SpikeZIP-TF", ICML 2024 (ST-BIF+), and Hu et al., "Bistable integrate-and-fire", 2023. */
#ifndef STAC_SPIKE_ST_BIF_H
#define STAC_SPIKE_ST_BIF_H

#include "spike/recipe.h"

/* One step of n neurons: x[i] - mean[i] (mean may be NULL) times inv_scale is f / theta. sum[i] = S becomes S + s; step[i] = s.
 * A value that is not a number sends nothing. Returns the number of spikes. */
int64_t stac_st_bif_step(const struct stac_code *code, int n, const float *x, const float *mean, float inv_scale, int16_t *sum,
                         int8_t *step);

#endif
