#include "net/sampling.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/draw.h"
#include "net/logits.h"

static int by_logit_then_index(const void *a, const void *b, void *logits) {
    const float *logit = logits;
    int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    if (logit[i] != logit[j]) return logit[i] > logit[j] ? -1 : 1;
    return i < j ? -1 : 1;
}

/* Draw from candidates[n]. */
static int32_t draw(const struct stac_sampling *how, struct stac_random *random, int n, const float *logits,
                    const int32_t *candidates, double top) {
    double total = 0, sum = 0;
    int counted = n;
    for (int i = 0; i < n; i++) total += exp((logits[candidates[i]] - top) / how->temperature);
    if (how->top_p < 1) { /* the nucleus: the fewest candidates, in falling order, that hold top_p */
        double within = 0;
        counted = 0;
        while (counted < n && (counted == 0 || within < how->top_p * total))
            within += exp((logits[candidates[counted++]] - top) / how->temperature);
        total = within;
    }
    double at = stac_random_uniform(random) * total;
    for (int i = 0; i < counted; i++) {
        sum += exp((logits[candidates[i]] - top) / how->temperature);
        if (at < sum) return candidates[i];
    }
    return candidates[counted - 1];
}

/* The k largest logits into kept[k], in falling order; equals by index. */
static void largest_few(int k, int n, const float *logits, int32_t *kept) {
    int held = 0;
    for (int32_t i = 0; i < n; i++) {
        if (held == k && !(logits[i] > logits[kept[k - 1]])) continue;
        int at = held < k ? held++ : k - 1;
        for (; at > 0 && logits[i] > logits[kept[at - 1]]; at--) kept[at] = kept[at - 1];
        kept[at] = i;
    }
}

int32_t stac_sample(const struct stac_sampling *how, struct stac_random *random, int n, const float *logits, int32_t *scratch) {
    enum { FEW = 256 }; /* up to so many are kept by insertion, more are sorted */
    int32_t best = stac_most_likely(n, logits);
    double top = logits[best];
    int k = how->top_k > 0 && how->top_k < n ? how->top_k : n;
    if (how->temperature <= 0 || k == 1) return best;
    if (k == n && how->top_p >= 1) return stac_draw(n, logits, how->temperature, stac_random_uniform(random));
    if (k <= FEW) {
        largest_few(k, n, logits, scratch);
    } else {
        for (int32_t i = 0; i < n; i++) scratch[i] = i;
        qsort_r(scratch, (size_t)n, sizeof *scratch, by_logit_then_index, (void *)(uintptr_t)logits);
    }
    return draw(how, random, k, logits, scratch, top);
}
