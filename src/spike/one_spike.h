/* One-spike code: a value is one signed spike at the step whose weight is nearest, or silent where 0 is nearest.
 *
 *     x ~ unit * w_t s_t for one t;   fires at the first t with |x| / unit >= (w_t + w_{t+1}) / 2,   w_T = 0
 *
 * As the weights fall, that is the nearest of them: a causal neuron with one threshold a step, silent after its spike, finds
 * it without a table. Units: integers of the code. Base and unit have the smallest mean squared error on the histogram.
 *
 * Source: time-to-first-spike coding with exponentially falling weights, as in SpikedAttention (Hwang et al., NeurIPS 2024)
 * and T2FSNN (Park et al., DAC 2020). */
#ifndef STAC_SPIKE_ONE_SPIKE_H
#define STAC_SPIKE_ONE_SPIKE_H

#include "spike/recipe.h"

/* Thresholds of the neuron, from the step weights. */
void stac_one_spike_prepare(struct stac_code *code);

#endif
