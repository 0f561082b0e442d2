#include "net/logits.h"

#include <math.h>

static float largest(int n, const float *x) {
    float most = x[0];
    for (int i = 1; i < n; i++) most = x[i] > most ? x[i] : most;
    return most;
}

double stac_log_partition(const struct stac_kernels *k, int n, const float *logits, float *scratch) {
    return (double)largest(n, logits) + log((double)k->softmax_exp(n, logits, 1.0f, scratch));
}

double stac_divergence(const struct stac_kernels *k, int n, const float *reference, double reference_partition,
                       const float *other, double other_partition, float *scratch) {
    double sum = (double)k->softmax_exp(n, reference, 1.0f, scratch), gap = 0;
    for (int i = 0; i < n; i++) gap += (double)scratch[i] * ((double)reference[i] - (double)other[i]);
    return gap / sum - reference_partition + other_partition;
}

int32_t stac_most_likely(int n, const float *logits) {
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}
