/* Spikes in time for AVX2: up to 128 columns at a time. */
#include <immintrin.h>

#define VECTOR __m256i
#define GROUP 16
#define ZERO _mm256_setzero_si256()
#define WIDEN(p) _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(p)))
#define ADD _mm256_add_epi16
#define SUB _mm256_sub_epi16
#define STORE(p, v) _mm256_storeu_si256((void *)(p), (v))
#include "kernels/cpu/sum_spikes.h"

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

/* All whole groups; how many columns they are. */
INLINE int sum_all(int far, const struct stac_spikes *s, int n, const int8_t *w, int ldw, int16_t *sum) {
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
