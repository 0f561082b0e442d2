/* The default code: words of few signed spikes, chosen by rate and distortion.
 *
 * A word has at most two spikes, or three (where values spread over octaves, up to T = 32, and up to T = 10), or four (up to
 * T = 8); only a value beyond their reach gets up to STAC_MAX_SPIKES. Of all these words a value v gets the one that minimises
 *
 *     (x - unit v)^2 + lambda * spikes(v)
 *
 * For a scalar the winners are the upper hull of the lines 2 unit v x - (unit v)^2 - lambda spikes(v). */
#ifndef STAC_SPIKE_TERNARY_H
#define STAC_SPIKE_TERNARY_H

#include "spike/code.h"

/* The best code of T steps for a distribution at the price `lambda` (squared units of the value per spike): searches laws of
 * step weights (`geometric`: no ramps; nor for logarithmic histograms) and units. Integers stay <= max_integer (at least 16),
 * which the caller derives from the length of the sums they enter. STAC_ERR_USAGE for T outside 1..STAC_MAX_TIMESTEPS.
 * Zero-initialise *out; release with stac_code_clean. */
int stac_ternary_design(struct stac_code *out, const struct stac_histogram *h, int timesteps, double lambda, int max_integer,
                        bool geometric, struct stac_code_cost *cost, struct stac_error *err);

/* Spikes of ordinary words, 2 to 4, that the design uses for a distribution. */
int stac_ternary_ordinary(const struct stac_histogram *h, int timesteps);

/* The same with base, unit and the spikes of ordinary words given: the table of thresholds alone is derived. */
int stac_ternary_build(struct stac_code *out, int timesteps, struct stac_base base, int ordinary, double unit, double lambda,
                       int max_integer, struct stac_error *err);

#endif
