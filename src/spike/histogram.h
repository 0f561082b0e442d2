/* Distribution of the magnitude of a value, as counts: exact to merge in any order.
 *
 * Linear: STAC_BINS bins of equal width over [0, range); what lies beyond falls into the last bin.
 * Logarithmic, for values in (0, 1]: sixteen octaves downwards from 1 of 256 equal bins each, so that a bin is the
 * leading bits of a float; what lies below falls into the last bin. */
#ifndef STAC_SPIKE_HISTOGRAM_H
#define STAC_SPIKE_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#define STAC_BINS 4096

struct stac_histogram {
    bool logarithmic;
    double range; /* linear only: upper end, in units of the value */
    uint64_t count[STAC_BINS];
};

void stac_histogram_add(struct stac_histogram *h, const float *magnitude, int n);
void stac_histogram_merge(struct stac_histogram *to, const struct stac_histogram *from);

/* Value that stands for a bin. Of a logarithmic histogram the centres fall with i. */
double stac_histogram_centre(const struct stac_histogram *h, int i);

/* Number of bins whose centre lies below x, counted from the smallest centre up. */
int stac_histogram_rank(const struct stac_histogram *h, double x);

double stac_histogram_total(const struct stac_histogram *h);
double stac_histogram_power(const struct stac_histogram *h);                  /* mean of x^2 */
double stac_histogram_quantile(const struct stac_histogram *h, double share); /* smallest x with that share below */

#endif
