/* Bins and levels of sixteen magnitudes, for encoders. */
#ifndef STAC_KERNELS_BINS_AVX512_H
#define STAC_KERNELS_BINS_AVX512_H

#include <immintrin.h>

#include "kernels/kernels.h"

/* Bins. What is not a number is in bin 0. */
static inline __m512i bins_of(const struct stac_levels *t, __m512 a) {
    const __m512 end = _mm512_set1_ps((float)t->n_bins - 1);
    __m512 at = _mm512_mul_ps(a, _mm512_set1_ps(t->bins_per_unit));
    at = _mm512_mask_mov_ps(at, _mm512_cmp_ps_mask(at, end, _CMP_GE_OQ), end);
    return _mm512_max_epi32(_mm512_cvttps_epi32(at), _mm512_setzero_si512());
}

/* Levels in crowded bins: they step past threshold after threshold, the last of which is infinite. */
static inline __m512i levels_stepping(const struct stac_levels *t, __m512 a, __m512i bin) {
    __m512i level = _mm512_and_si512(_mm512_i32gather_epi32(bin, t->bin, 2), _mm512_set1_epi32(0xffff));
    for (;;) {
        __mmask16 beyond = _mm512_cmp_ps_mask(a, _mm512_i32gather_ps(level, t->threshold, 4), _CMP_GE_OQ);
        if (!beyond) return level;
        level = _mm512_mask_add_epi32(level, beyond, level, _mm512_set1_epi32(1));
    }
}

/* |x - mean| * inverse of sixteen values, not beyond the largest number. */
static inline __m512 magnitudes_of(__m512 centred, __m512 inverse) {
    const __m512 largest = _mm512_set1_ps(FLT_MAX);
    __m512 a = _mm512_mul_ps(_mm512_abs_ps(centred), inverse);
    return _mm512_mask_mov_ps(a, _mm512_cmp_ps_mask(a, largest, _CMP_GT_OQ), largest);
}

#endif
