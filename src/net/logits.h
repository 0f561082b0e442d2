/* What logits say: log-likelihoods, divergences, the most likely token. */
#ifndef STAC_NET_LOGITS_H
#define STAC_NET_LOGITS_H

#include <stdint.h>

#include "kernels/kernels.h"

/* log of the sum of exp(logits[n]); scratch[n] receives exp(logits - max). */
double stac_log_partition(const struct stac_kernels *k, int n, const float *logits, float *scratch);

/* Kullback-Leibler divergence of softmax(other) from softmax(reference), in nats; both log partitions are given, and
 * scratch[n] is overwritten. Never negative but for rounding. */
double stac_divergence(const struct stac_kernels *k, int n, const float *reference, double reference_partition,
                       const float *other, double other_partition, float *scratch);

/* Index of the largest value, the first one of equals. */
int32_t stac_most_likely(int n, const float *logits);

#endif
