/* Encoder for AVX-512: sixteen values at a time look up their bin and the one threshold inside it, or round. */
#include <float.h>

#include "kernels/cpu/bins_avx512.h"
#include "kernels/operators.h"

/* What magnitudes in crowded bins emit. */
static __m512i emit_stepping(const struct stac_levels *t, __m512 a, __m512i bin) {
    return _mm512_i32gather_epi32(levels_stepping(t, a, bin), t->emit, 4);
}

/* Rounded half up, without a rounding on the way: the thresholds are exact. */
static inline __m512i rounded(const struct stac_levels *t, __m512 a) {
    const __m512 most = _mm512_set1_ps((float)t->n_levels - 1), half = _mm512_set1_ps(0.5f);
    __m512 least = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), _mm512_min_ps(a, most));
    __m512i level = _mm512_cvttps_epi32(least);
    __mmask16 up = _mm512_cmp_ps_mask(least, _mm512_add_ps(_mm512_cvtepi32_ps(level), half), _CMP_GE_OQ);
    return _mm512_mask_add_epi32(level, up, level, _mm512_set1_epi32(1));
}

static inline __m512i emit_of(const struct stac_levels *t, __m512 a) {
    if (t->rounds) return rounded(t, a);
    __m512i bin = bins_of(t, a), twice = _mm512_add_epi32(bin, bin);
    __m512 edge = _mm512_i32gather_ps(bin, t->edge, 4);
    if (_mm512_cmp_ps_mask(edge, edge, _CMP_UNORD_Q)) return emit_stepping(t, a, bin);
    __mmask16 beyond = _mm512_cmp_ps_mask(a, edge, _CMP_GE_OQ);
    return _mm512_i32gather_epi32(_mm512_mask_sub_epi32(twice, beyond, twice, _mm512_set1_epi32(-1)), t->sent, 4);
}

int64_t stac_encode_avx512(const struct stac_levels *levels, int n, const float *x, const float *mean, float inv_scale,
                           int16_t *code) {
    const __m512 inverse = _mm512_set1_ps(inv_scale);
    __m512i spikes = _mm512_setzero_si512();
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512 centred = _mm512_loadu_ps(x + i);
        if (mean) centred = _mm512_sub_ps(centred, _mm512_loadu_ps(mean + i));
        __m512i emit = emit_of(levels, magnitudes_of(centred, inverse));
        spikes = _mm512_add_epi32(spikes, _mm512_srli_epi32(emit, 16));
        __m512i value = _mm512_and_si512(emit, _mm512_set1_epi32(0xffff));
        __mmask16 negative = _mm512_cmp_ps_mask(centred, _mm512_setzero_ps(), _CMP_LT_OQ);
        value = _mm512_mask_sub_epi32(value, negative, _mm512_setzero_si512(), value);
        _mm256_storeu_si256((__m256i *)(void *)(code + i), _mm512_cvtepi32_epi16(value));
    }
    int64_t total = _mm512_reduce_add_epi32(spikes);
    return total + stac_encode_ref(levels, n - i, x + i, mean ? mean + i : NULL, inv_scale, code + i);
}
