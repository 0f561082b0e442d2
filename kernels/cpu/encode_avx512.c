/* Encoder for AVX-512: sixteen values at a time look up where their bin starts and step past the thresholds inside it. */
#include <float.h>
#include <immintrin.h>

#include "kernels/operators.h"

/* Levels of sixteen magnitudes. A value that is not a number ends at level 0. */
static inline __m512i levels_of(const struct stac_levels *t, __m512 a) {
    const __m512 end = _mm512_set1_ps((float)t->n_bins - 1);
    __m512 at = _mm512_mul_ps(a, _mm512_set1_ps(t->bins_per_unit));
    at = _mm512_mask_mov_ps(at, _mm512_cmp_ps_mask(at, end, _CMP_GE_OQ), end);
    __m512i bin = _mm512_max_epi32(_mm512_cvttps_epi32(at), _mm512_setzero_si512());
    __m512i level = _mm512_and_si512(_mm512_i32gather_epi32(bin, t->bin, 2), _mm512_set1_epi32(0xffff));
    for (;;) { /* the last threshold is infinite */
        __mmask16 beyond = _mm512_cmp_ps_mask(a, _mm512_i32gather_ps(level, t->threshold, 4), _CMP_GE_OQ);
        if (!beyond) return level;
        level = _mm512_mask_add_epi32(level, beyond, level, _mm512_set1_epi32(1));
    }
}

int64_t stac_encode_avx512(const struct stac_levels *levels, int n, const float *x, const float *mean, float inv_scale,
                           int16_t *code) {
    const __m512 inverse = _mm512_set1_ps(inv_scale), largest = _mm512_set1_ps(FLT_MAX);
    __m512i spikes = _mm512_setzero_si512();
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512 centred = _mm512_loadu_ps(x + i);
        if (mean) centred = _mm512_sub_ps(centred, _mm512_loadu_ps(mean + i));
        __m512 a = _mm512_mul_ps(_mm512_abs_ps(centred), inverse);
        a = _mm512_mask_mov_ps(a, _mm512_cmp_ps_mask(a, largest, _CMP_GT_OQ), largest);
        __m512i emit = _mm512_i32gather_epi32(levels_of(levels, a), levels->emit, 4);
        spikes = _mm512_add_epi32(spikes, _mm512_srli_epi32(emit, 16));
        __m512i value = _mm512_and_si512(emit, _mm512_set1_epi32(0xffff));
        __mmask16 negative = _mm512_cmp_ps_mask(centred, _mm512_setzero_ps(), _CMP_LT_OQ);
        value = _mm512_mask_sub_epi32(value, negative, _mm512_setzero_si512(), value);
        _mm256_storeu_si256((__m256i *)(void *)(code + i), _mm512_cvtepi32_epi16(value));
    }
    int64_t total = _mm512_reduce_add_epi32(spikes);
    return total + stac_encode_ref(levels, n - i, x + i, mean ? mean + i : NULL, inv_scale, code + i);
}
