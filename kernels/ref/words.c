/* Words of values, by the table of their code. */
#include <float.h>

#include "kernels/operators.h"
#include "kernels/set.h"

/* stac_level_of without a branch where a bin has at most one threshold. */
static inline int level_of(const struct stac_levels *t, float magnitude) {
    float at = magnitude * t->bins_per_unit, end = (float)t->n_bins - 1;
    int bin = at < end ? (int)at : at >= end ? t->n_bins - 1 : 0;
    int level = t->bin[bin] + (magnitude >= t->edge[bin]);
    while (magnitude >= t->threshold[level]) level++; /* the last one is infinite */
    return level;
}

void K(words)(const struct stac_levels *levels, const struct stac_word *word, int n, const float *x, const float *mean,
              float inv_scale, struct stac_word *out) {
    for (int i = 0; i < n; i++) {
        float centred = mean ? x[i] - mean[i] : x[i], magnitude = fabsf(centred) * inv_scale;
        struct stac_word w = word[level_of(levels, magnitude > FLT_MAX ? FLT_MAX : magnitude)];
        uint64_t turned = (w.plus ^ w.minus) & -(uint64_t)(centred < 0); /* no branch: signs are as good as random */
        out[i] = (struct stac_word){w.plus ^ turned, w.minus ^ turned};
    }
}
