#include "spike/histogram.h"

#include <math.h>

void stac_histogram_add(struct stac_histogram *h, const float *magnitude, int n) {
    float per_unit = h->logarithmic ? 0 : (float)(STAC_BINS / h->range);
    for (int i = 0; i < n; i++) {
        float at = h->logarithmic ? -log2f(magnitude[i]) * STAC_BINS_PER_OCTAVE : magnitude[i] * per_unit;
        h->count[at < STAC_BINS - 1 ? (at > 0 ? (int)at : 0) : STAC_BINS - 1]++;
    }
}

double stac_histogram_centre(const struct stac_histogram *h, int i) {
    return h->logarithmic ? exp2(-(i + 0.5) / STAC_BINS_PER_OCTAVE) : (i + 0.5) * h->range / STAC_BINS;
}

double stac_histogram_total(const struct stac_histogram *h) {
    double total = 0;
    for (int i = 0; i < STAC_BINS; i++) total += (double)h->count[i];
    return total;
}

double stac_histogram_power(const struct stac_histogram *h) {
    double power = 0, total = stac_histogram_total(h);
    for (int i = 0; i < STAC_BINS; i++) {
        double x = stac_histogram_centre(h, i);
        power += (double)h->count[i] * x * x;
    }
    return total > 0 ? power / total : 0;
}

double stac_histogram_quantile(const struct stac_histogram *h, double share) {
    double total = stac_histogram_total(h), below = 0;
    for (int k = 0; k < STAC_BINS; k++) {
        int i = h->logarithmic ? STAC_BINS - 1 - k : k;
        below += (double)h->count[i];
        if (below >= share * total) return stac_histogram_centre(h, i);
    }
    return stac_histogram_centre(h, h->logarithmic ? 0 : STAC_BINS - 1);
}
