#include "spike/histogram.h"

#include <math.h>
#include <string.h>

enum { LOG_BIN_SHIFT = 15 }; /* 8 of the 23 bits of a float's fraction are kept: 256 bins an octave */
static const uint32_t bits_of_one = 0x3f800000;

static int bin_of(const struct stac_histogram *h, float magnitude) {
    if (!h->logarithmic) {
        float at = magnitude * (float)(STAC_BINS / h->range);
        return at < STAC_BINS - 1 ? (at > 0 ? (int)at : 0) : STAC_BINS - 1;
    }
    uint32_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    if (!(magnitude > 0)) return STAC_BINS - 1;
    uint32_t at = bits >= bits_of_one ? 0 : (bits_of_one - bits) >> LOG_BIN_SHIFT;
    return at < STAC_BINS ? (int)at : STAC_BINS - 1;
}

void stac_histogram_add(struct stac_histogram *h, const float *magnitude, int n) {
    for (int i = 0; i < n; i++) h->count[bin_of(h, magnitude[i])]++;
}

void stac_histogram_merge(struct stac_histogram *to, const struct stac_histogram *from) {
    for (int i = 0; i < STAC_BINS; i++) to->count[i] += from->count[i];
}

double stac_histogram_centre(const struct stac_histogram *h, int i) {
    if (!h->logarithmic) return (i + 0.5) * h->range / STAC_BINS;
    uint32_t bits = bits_of_one - ((uint32_t)i << LOG_BIN_SHIFT) - (1u << (LOG_BIN_SHIFT - 1));
    float centre;
    memcpy(&centre, &bits, sizeof centre);
    return centre;
}

int stac_histogram_rank(const struct stac_histogram *h, double x) {
    if (!(x > 0)) return 0;
    if (h->logarithmic) {
        int i = bin_of(h, (float)x); /* centres fall with i */
        int larger = (stac_histogram_centre(h, i) >= x ? i + 1 : i);
        return STAC_BINS - larger;
    }
    double at = x / (h->range / STAC_BINS) - 0.5; /* centre i lies at i */
    return at <= 0 ? 0 : at >= STAC_BINS ? STAC_BINS : (int)ceil(at);
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
