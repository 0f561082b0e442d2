/* Spikes in time for AVX-512: the sums of up to 256 columns stay in registers while the spikes of a step pass. */
#include <immintrin.h>

#include "kernels/operators.h"

enum { GROUP = 32, MOST = 8, AHEAD = 20 }; /* columns of a register, registers, spikes whose rows are on their way */
_Static_assert((int)AHEAD <= STAC_SPIKES_AHEAD, "they may be read");

/* How many groups there are is known when this is compiled. */
static inline __attribute__((always_inline)) void add(int groups, int far, __m512i *sum, const struct stac_spikes *s, int place,
                                                      const int8_t *w, int ldw, int minus) {
    for (int e = s->begin[place]; e < s->begin[place + 1]; e++) {
        const int8_t *row = w + (size_t)s->index[e] * ldw, *later = w + (size_t)s->index[e + AHEAD] * ldw;
        for (int g = 0; g < groups && far; g += 2) _mm_prefetch(later + GROUP * g, _MM_HINT_T0);
        for (int g = 0; g < groups; g++) {
            __m512i r = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)(row + GROUP * g)));
            sum[g] = minus ? _mm512_sub_epi16(sum[g], r) : _mm512_add_epi16(sum[g], r);
        }
    }
}

static inline __attribute__((always_inline)) void sum_groups(int groups, int far, const struct stac_spikes *s, int n,
                                                             const int8_t *w, int ldw, int16_t *to) {
    for (int t = 0; t < s->timesteps; t++) {
        __m512i sum[MOST];
        for (int g = 0; g < groups; g++) sum[g] = _mm512_setzero_si512();
        add(groups, far, sum, s, 2 * t, w, ldw, 0);
        add(groups, far, sum, s, 2 * t + 1, w, ldw, 1);
        for (int g = 0; g < groups; g++) _mm512_storeu_si512(to + (size_t)t * n + GROUP * g, sum[g]);
    }
}

/* The last columns, fewer than a group. */
static void sum_last(__mmask32 mask, const struct stac_spikes *s, int n, const int8_t *w, int ldw, int16_t *to) {
    for (int place = 0; place < 2 * s->timesteps; place++) {
        __m512i sum = place % 2 ? _mm512_maskz_loadu_epi16(mask, to + (size_t)(place / 2) * n) : _mm512_setzero_si512();
        for (int e = s->begin[place]; e < s->begin[place + 1]; e++) {
            __m512i r = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(mask, w + (size_t)s->index[e] * ldw));
            sum = place % 2 ? _mm512_sub_epi16(sum, r) : _mm512_add_epi16(sum, r);
        }
        _mm512_mask_storeu_epi16(to + (size_t)(place / 2) * n, mask, sum);
    }
}

/* `far`: rows lie apart, and are fetched ahead. */
static inline __attribute__((always_inline)) int sum_all(int far, const struct stac_spikes *s, int n, const int8_t *w, int ldw,
                                                         int16_t *sum) {
    int j = 0;
    for (int groups; (groups = (n - j) / GROUP) > 0; j += GROUP * (groups < MOST ? groups : MOST)) {
        switch (groups) {
        case 1: sum_groups(1, far, s, n, w + j, ldw, sum + j); break;
        case 2: sum_groups(2, far, s, n, w + j, ldw, sum + j); break;
        case 3: sum_groups(3, far, s, n, w + j, ldw, sum + j); break;
        case 4: sum_groups(4, far, s, n, w + j, ldw, sum + j); break;
        case 5: sum_groups(5, far, s, n, w + j, ldw, sum + j); break;
        case 6: sum_groups(6, far, s, n, w + j, ldw, sum + j); break;
        case 7: sum_groups(7, far, s, n, w + j, ldw, sum + j); break;
        default: sum_groups(MOST, far, s, n, w + j, ldw, sum + j);
        }
    }
    return j;
}

void stac_sum_spikes_avx512(const struct stac_spikes *s, int n, const int8_t *w, int ldw, int16_t *sum) {
    int j = ldw > n ? sum_all(1, s, n, w, ldw, sum) : sum_all(0, s, n, w, ldw, sum);
    if (j < n) sum_last(((__mmask32)1 << (n - j)) - 1, s, n, w + j, ldw, sum + j);
}
