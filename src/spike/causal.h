/* The causal neuron of the ternary code: nothing is looked up, each spike is decided when it is sent.
 *
 *     v_0 = x + offset;   at step t, after n spikes:  s_t = sign(v) if |v| >= threshold[t][n] and n < most, else 0;
 *     v <- v - w_t s_t;   x ~ unit * sum of w_t s_t
 *
 * Units: membrane, thresholds and step weights in integers of the code, steps of one. For a value x > 0; a value below 0
 * does the same with all signs turned. Soft reset, as in Rueckauer et al., Front. Neurosci. 11 (2017) 682; the ternary
 * spike is that of Guo et al., AAAI 2024; thresholds by rate and distortion are of this project.
 *
 * The thresholds minimise E[(x - decoded)^2] + lambda * spikes on a histogram. With the thresholds of the other steps held,
 * what a membrane u at step t costs is a function V of u and n alone,
 *
 *     V_T(u, n) = u^2,   V_t(u, n) = u < threshold[t][n] ? V_{t+1}(u, n) : lambda + V_{t+1}(|u - w_t|, n + 1)
 *
 * and the best threshold[t][n] follows from V_{t+1} and the distribution of the membranes that arrive at (t, n), which earlier
 * thresholds decide. A sweep backwards through time therefore never makes the cost larger; sweeps alternate with runs
 * forwards, until nothing is gained. */
#ifndef STAC_SPIKE_CAUSAL_H
#define STAC_SPIKE_CAUSAL_H

#include "spike/code.h"
#include "spike/recipe.h"

/* Thresholds, base and unit of a ternary code for a distribution at a price, as in stac_ternary_design; the search starts at
 * the base and unit that are best for a table. */
int stac_causal_design(const struct stac_histogram *h, int timesteps, double lambda, int max_integer, bool geometric,
                       struct stac_recipe *out, struct stac_code_cost *cost, struct stac_error *err);

#endif
