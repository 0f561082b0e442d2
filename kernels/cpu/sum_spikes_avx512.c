/* Spikes in time for AVX-512: up to 256 columns at a time. */
#include <immintrin.h>

#define VECTOR __m512i
#define GROUP 32
#define ZERO _mm512_setzero_si512()
#define WIDEN(p) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)(p)))
#define ADD _mm512_add_epi16
#define SUB _mm512_sub_epi16
#define STORE _mm512_storeu_si512
#include "kernels/cpu/sum_spikes.h"

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

/* All whole groups; how many columns they are. */
INLINE int sum_all(int far, const struct stac_spikes *s, int n, const int8_t *w, int ldw, int16_t *sum) {
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
