/* Float matrix product for AVX2: tiles of 6 x 16. */
#include <immintrin.h>
#include <stdint.h>

#define STAC_FEW_ROWS 4
enum { LANES = 8, MR = 6 };

typedef __m256 vector;

static inline vector vector_zero(void) {
    return _mm256_setzero_ps();
}

static inline vector vector_of(float x) {
    return _mm256_set1_ps(x);
}

static inline vector vector_load(const float *x) {
    return _mm256_loadu_ps(x);
}

static inline void vector_store(vector v, float *x) {
    _mm256_storeu_ps(x, v);
}

static inline vector vector_fma(vector a, vector b, vector c) {
    return _mm256_fmadd_ps(a, b, c);
}

static inline vector vector_widen(const uint16_t *x) {
    __m128i halves = _mm_loadu_si128((const void *)x);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

#include "kernels/cpu/gemm_f32.h"

void stac_gemm_f32_avx2(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy) {
    product(m, n, k, x, ldx, (struct weights){w, NULL}, ldw, y, ldy);
}

void stac_gemm_bf16_avx2(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy) {
    product(m, n, k, x, ldx, (struct weights){NULL, w}, ldw, y, ldy);
}
