/* Phase code: the digits of a magnitude, the most significant first, with the sign of the value.
 *
 *     v = |x| + h_{T-1} / 2;   h_t = theta_t = tau * base^-(t+1);   s_t = 1 if v >= theta_t, else 0;   v <- v - h_t s_t
 *     x ~ sign(x) * sum of h_t s_t
 *
 * Base 2 writes binary digits; a smaller base is redundant and has room for larger values. tau is unit * base * w_0, base and
 * unit those with the smallest mean squared error on the histogram. Units: v and h in integers of the code, w_t = h_t. The
 * thresholds are those of a causal neuron that may send any number of spikes, and it can run there; on the neuron `table` its
 * words are played. Step weights that are no powers of two cost an output one multiplication a step. Trained thresholds of
 * their own (theta_t, h_t and decoding apart) are left out: h_t decodes what it takes off.
 *
 * Source: PhaseSNN, "Distribution-Aware Multi-Granularity Phase Coding", ICLR 2026, phase/phase_neuron.py (FSNeuron) of
 * njzhenghy/SpikingLLM. */
#ifndef STAC_SPIKE_PHASE_H
#define STAC_SPIKE_PHASE_H

#include "spike/recipe.h"

/* Thresholds and start of the neuron, from the step weights. */
void stac_phase_prepare(struct stac_code *code);

/* The bases that a search tries, from 2 downwards. */
const double *stac_phase_bases(int *n);

#endif
