/* Encoder for AVX2: eight values at a time look up their bin and the one threshold inside it, or round. */
#include <float.h>
#include <immintrin.h>

#include "kernels/operators.h"

/* Bins of eight magnitudes. What is not a number is in bin 0. */
static inline __m256i bins_of(const struct stac_levels *t, __m256 a) {
    const __m256 end = _mm256_set1_ps((float)t->n_bins - 1);
    __m256 at = _mm256_mul_ps(a, _mm256_set1_ps(t->bins_per_unit));
    at = _mm256_blendv_ps(at, end, _mm256_cmp_ps(at, end, _CMP_GE_OQ));
    return _mm256_max_epi32(_mm256_cvttps_epi32(at), _mm256_setzero_si256());
}

/* What magnitudes in crowded bins emit: they step past threshold after threshold, the last of which is infinite. */
static __m256i emit_stepping(const struct stac_levels *t, __m256 a, __m256i bin) {
    __m256i level = _mm256_i32gather_epi32((const int *)(const void *)t->bin, bin, 2);
    level = _mm256_and_si256(level, _mm256_set1_epi32(0xffff));
    for (;;) {
        __m256 threshold = _mm256_i32gather_ps(t->threshold, level, 4);
        __m256i beyond = _mm256_castps_si256(_mm256_cmp_ps(a, threshold, _CMP_GE_OQ));
        if (_mm256_testz_si256(beyond, beyond)) return _mm256_i32gather_epi32(t->emit, level, 4);
        level = _mm256_sub_epi32(level, beyond);
    }
}

/* Rounded half up, without a rounding on the way: the thresholds are exact. */
static inline __m256i rounded(const struct stac_levels *t, __m256 a) {
    const __m256 most = _mm256_set1_ps((float)t->n_levels - 1), half = _mm256_set1_ps(0.5f);
    __m256 least = _mm256_and_ps(_mm256_min_ps(a, most), _mm256_cmp_ps(a, a, _CMP_ORD_Q));
    __m256i level = _mm256_cvttps_epi32(least);
    __m256 up = _mm256_cmp_ps(least, _mm256_add_ps(_mm256_cvtepi32_ps(level), half), _CMP_GE_OQ);
    return _mm256_sub_epi32(level, _mm256_castps_si256(up));
}

static inline __m256i emit_of(const struct stac_levels *t, __m256 a) {
    if (t->rounds) return rounded(t, a);
    __m256i bin = bins_of(t, a);
    __m256 edge = _mm256_i32gather_ps(t->edge, bin, 4);
    if (_mm256_movemask_ps(_mm256_cmp_ps(edge, edge, _CMP_UNORD_Q))) return emit_stepping(t, a, bin);
    __m256i beyond = _mm256_castps_si256(_mm256_cmp_ps(a, edge, _CMP_GE_OQ));
    return _mm256_i32gather_epi32(t->sent, _mm256_sub_epi32(_mm256_add_epi32(bin, bin), beyond), 4);
}

int64_t stac_encode_avx2(const struct stac_levels *levels, int n, const float *x, const float *mean, float inv_scale,
                         int16_t *code) {
    const __m256 inverse = _mm256_set1_ps(inv_scale), largest = _mm256_set1_ps(FLT_MAX);
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256i spikes = _mm256_setzero_si256();
    int64_t total = 0;
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 centred = _mm256_loadu_ps(x + i);
        if (mean) centred = _mm256_sub_ps(centred, _mm256_loadu_ps(mean + i));
        __m256 a = _mm256_mul_ps(_mm256_and_ps(centred, magnitude), inverse);
        a = _mm256_blendv_ps(a, largest, _mm256_cmp_ps(a, largest, _CMP_GT_OQ));
        __m256i emit = emit_of(levels, a);
        spikes = _mm256_add_epi32(spikes, _mm256_srli_epi32(emit, 16));
        __m256i negative = _mm256_castps_si256(_mm256_cmp_ps(centred, _mm256_setzero_ps(), _CMP_LT_OQ));
        __m256i value = _mm256_and_si256(emit, _mm256_set1_epi32(0xffff));
        value = _mm256_sub_epi32(_mm256_xor_si256(value, negative), negative);
        value = _mm256_permute4x64_epi64(_mm256_packs_epi32(value, value), 0x08);
        _mm_storeu_si128((__m128i *)(void *)(code + i), _mm256_castsi256_si128(value));
    }
    int32_t lane[8];
    _mm256_storeu_si256((__m256i *)(void *)lane, spikes);
    for (int l = 0; l < 8; l++) total += lane[l];
    return total + stac_encode_ref(levels, n - i, x + i, mean ? mean + i : NULL, inv_scale, code + i);
}
