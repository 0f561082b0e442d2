/* Sums over the bins of a histogram from the smallest value up. With them the cost of a table of levels follows from its
 * thresholds alone, at any unit. */
#ifndef STAC_SPIKE_MOMENTS_H
#define STAC_SPIKE_MOMENTS_H

#include "base/status.h"
#include "spike/code.h"

struct stac_moments {
    const struct stac_histogram *h; /* borrowed */
    double count[STAC_BINS + 1], sum[STAC_BINS + 1], squares[STAC_BINS + 1];
};

void stac_moments_take(struct stac_moments *m, const struct stac_histogram *h);

/* Add what bins [from, to) cost when they are coded as v with so many spikes; and the sum of all bins over their count. */
void stac_moments_add(const struct stac_moments *m, int from, int to, double v, int spikes, struct stac_code_cost *sum);
struct stac_code_cost stac_moments_mean(const struct stac_moments *m, struct stac_code_cost sum);

/* Mean squared error and spikes of a table at a unit. */
struct stac_code_cost stac_moments_cost(const struct stac_moments *m, const struct stac_levels *levels, double unit);

/* The unit with the smallest mean squared error of a table, whose thresholds and values are in integers. */
double stac_moments_best_unit(const struct stac_moments *m, const struct stac_levels *levels, struct stac_code_cost *cost);

#endif
