/* Spikes in time for AVX2: the sums of 128 columns stay in registers while the spikes of a step pass. */
#include <immintrin.h>

#include "kernels/operators.h"

enum { GROUP = 16, MOST = 8, AHEAD = 20 }; /* columns of a register, registers, spikes whose rows are on their way */
_Static_assert((int)AHEAD <= STAC_SPIKES_AHEAD, "they may be read");

static inline __attribute__((always_inline)) void add(int groups, int far, __m256i *sum, const struct stac_spikes *s, int place,
                                                      const int8_t *w, int ldw, int minus) {
    for (int e = s->begin[place]; e < s->begin[place + 1]; e++) {
        const int8_t *row = w + (size_t)s->index[e] * ldw, *later = w + (size_t)s->index[e + AHEAD] * ldw;
        for (int g = 0; g < groups && far; g += 4) _mm_prefetch(later + GROUP * g, _MM_HINT_T0);
        for (int g = 0; g < groups; g++) {
            __m256i r = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(row + GROUP * g)));
            sum[g] = minus ? _mm256_sub_epi16(sum[g], r) : _mm256_add_epi16(sum[g], r);
        }
    }
}

static inline __attribute__((always_inline)) void sum_groups(int groups, int far, const struct stac_spikes *s, int n,
                                                             const int8_t *w, int ldw, int16_t *to) {
    for (int t = 0; t < s->timesteps; t++) {
        __m256i sum[MOST];
        for (int g = 0; g < groups; g++) sum[g] = _mm256_setzero_si256();
        add(groups, far, sum, s, 2 * t, w, ldw, 0);
        add(groups, far, sum, s, 2 * t + 1, w, ldw, 1);
        for (int g = 0; g < groups; g++) _mm256_storeu_si256((void *)(to + (size_t)t * n + GROUP * g), sum[g]);
    }
}

/* The last columns, fewer than a group. */
static void sum_last(int columns, const struct stac_spikes *s, int n, const int8_t *w, int ldw, int16_t *to) {
    for (int place = 0; place < 2 * s->timesteps; place++) {
        int16_t *at = to + (size_t)(place / 2) * n;
        for (int j = 0; j < columns && place % 2 == 0; j++) at[j] = 0;
        for (int e = s->begin[place]; e < s->begin[place + 1]; e++) {
            const int8_t *row = w + (size_t)s->index[e] * ldw;
            int minus = place % 2;
            for (int j = 0; j < columns; j++) at[j] = (int16_t)(minus ? at[j] - row[j] : at[j] + row[j]);
        }
    }
}

/* `far`: rows lie apart, and are fetched ahead. */
static inline __attribute__((always_inline)) int sum_all(int far, const struct stac_spikes *s, int n, const int8_t *w, int ldw,
                                                         int16_t *sum) {
    int j = 0;
    for (; j + GROUP * MOST <= n; j += GROUP * MOST) sum_groups(MOST, far, s, n, w + j, ldw, sum + j);
    for (; j + GROUP * 4 <= n; j += GROUP * 4) sum_groups(4, far, s, n, w + j, ldw, sum + j);
    for (; j + GROUP <= n; j += GROUP) sum_groups(1, far, s, n, w + j, ldw, sum + j);
    return j;
}

void stac_sum_spikes_avx2(const struct stac_spikes *s, int n, const int8_t *w, int ldw, int16_t *sum) {
    int j = ldw > n ? sum_all(1, s, n, w, ldw, sum) : sum_all(0, s, n, w, ldw, sum);
    if (j < n) sum_last(n - j, s, n, w + j, ldw, sum + j);
}
