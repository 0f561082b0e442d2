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

/* Mean squared error and spikes of a table at a unit. */
struct stac_code_cost stac_moments_cost(const struct stac_moments *m, const struct stac_levels *levels, double unit);

/* The unit with the smallest mean squared error of a table, whose thresholds and values are in integers. */
double stac_moments_best_unit(const struct stac_moments *m, const struct stac_levels *levels, struct stac_code_cost *cost);

#endif
