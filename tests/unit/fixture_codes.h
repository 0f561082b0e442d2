/* What a code costs on a distribution, value by value: slow, and without the sums that the designs use. */
#ifndef STAC_TESTS_FIXTURE_CODES_H
#define STAC_TESTS_FIXTURE_CODES_H

#include "spike/code.h"

__attribute__((unused)) static struct stac_code_cost fx_code_cost(const struct stac_code *code,
                                                                  const struct stac_histogram *h) {
    struct stac_code_cost cost = {0, 0};
    double total = stac_histogram_total(h) > 0 ? stac_histogram_total(h) : 1;
    for (int i = 0; i < STAC_BINS; i++) {
        double x = stac_histogram_centre(h, i);
        int level = 0;
        while (x / code->unit >= code->levels.threshold[level]) level++;
        double error = x - (double)code->unit * code->levels.value[level];
        cost.distortion += (double)h->count[i] * error * error / total;
        cost.spikes += (double)h->count[i] * code->levels.spikes[level] / total;
    }
    return cost;
}

#endif
