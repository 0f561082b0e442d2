/* Words for AVX-512: sixteen values at a time look up their bin, the one threshold inside it, and their word. */
#include <float.h>

#include "kernels/cpu/bins_avx512.h"
#include "kernels/operators.h"

static inline __m512i levels_of(const struct stac_levels *t, __m512 a) {
    __m512i bin = bins_of(t, a);
    __m512 edge = _mm512_i32gather_ps(bin, t->edge, 4);
    if (_mm512_cmp_ps_mask(edge, edge, _CMP_UNORD_Q)) return levels_stepping(t, a, bin);
    __m512i level = _mm512_and_si512(_mm512_i32gather_epi32(bin, t->bin, 2), _mm512_set1_epi32(0xffff));
    return _mm512_mask_add_epi32(level, _mm512_cmp_ps_mask(a, edge, _CMP_GE_OQ), level, _mm512_set1_epi32(1));
}

/* Eight words, those of values below the mean with their signs turned. */
static inline void write_eight(const struct stac_word *word, __m256i level, __mmask8 negative, struct stac_word *out) {
    const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    __m256i twice = _mm256_add_epi32(level, level);
    __m512i p = _mm512_i32gather_epi64(twice, &word->plus, 8), m = _mm512_i32gather_epi64(twice, &word->minus, 8);
    __m512i plus = _mm512_mask_mov_epi64(p, negative, m), minus = _mm512_mask_mov_epi64(m, negative, p);
    _mm512_storeu_si512(out, _mm512_permutex2var_epi64(plus, first, minus));
    _mm512_storeu_si512(out + 4, _mm512_permutex2var_epi64(plus, second, minus));
}

void stac_words_avx512(const struct stac_levels *levels, const struct stac_word *word, int n, const float *x, const float *mean,
                       float inv_scale, struct stac_word *out) {
    const __m512 inverse = _mm512_set1_ps(inv_scale);
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512 centred = _mm512_loadu_ps(x + i);
        if (mean) centred = _mm512_sub_ps(centred, _mm512_loadu_ps(mean + i));
        __m512i level = levels_of(levels, magnitudes_of(centred, inverse));
        __mmask16 negative = _mm512_cmp_ps_mask(centred, _mm512_setzero_ps(), _CMP_LT_OQ);
        write_eight(word, _mm512_castsi512_si256(level), (__mmask8)negative, out + i);
        write_eight(word, _mm512_extracti64x4_epi64(level, 1), (__mmask8)(negative >> 8), out + i + 8);
    }
    stac_words_ref(levels, word, n - i, x + i, mean ? mean + i : NULL, inv_scale, out + i);
}
