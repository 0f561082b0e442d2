/* Encoder for AVX2: eight values at a time look up where their bin starts and step past the thresholds inside it. */
#include <float.h>
#include <immintrin.h>

#include "kernels/operators.h"

/* Levels of eight magnitudes. The order of operands lets a value that is not a number end at level 0. */
static inline __m256i levels_of(const struct stac_levels *t, __m256 a) {
    const __m256 per_unit = _mm256_set1_ps(t->bins_per_unit), end = _mm256_set1_ps((float)t->n_bins - 1);
    __m256 at = _mm256_mul_ps(a, per_unit);
    at = _mm256_blendv_ps(at, end, _mm256_cmp_ps(at, end, _CMP_GE_OQ));
    __m256i bin = _mm256_max_epi32(_mm256_cvttps_epi32(at), _mm256_setzero_si256());
    __m256i level = _mm256_i32gather_epi32((const int *)(const void *)t->bin, bin, 2);
    level = _mm256_and_si256(level, _mm256_set1_epi32(0xffff));
    for (;;) { /* the last threshold is infinite */
        __m256 threshold = _mm256_i32gather_ps(t->threshold, level, 4);
        __m256i beyond = _mm256_castps_si256(_mm256_cmp_ps(a, threshold, _CMP_GE_OQ));
        if (_mm256_testz_si256(beyond, beyond)) return level;
        level = _mm256_sub_epi32(level, beyond);
    }
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
        __m256i emit = _mm256_i32gather_epi32(levels->emit, levels_of(levels, a), 4);
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
