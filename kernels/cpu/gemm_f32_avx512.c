/* Float matrix product for AVX-512: tiles of 12 x 32. */
#include <immintrin.h>
#include <stdint.h>

#define STAC_FEW_ROWS 8
enum { LANES = 16, MR = 12 };

typedef __m512 vector;

static inline vector vector_zero(void) {
    return _mm512_setzero_ps();
}

static inline vector vector_of(float x) {
    return _mm512_set1_ps(x);
}

static inline vector vector_load(const float *x) {
    return _mm512_loadu_ps(x);
}

static inline void vector_store(vector v, float *x) {
    _mm512_storeu_ps(x, v);
}

static inline vector vector_fma(vector a, vector b, vector c) {
    return _mm512_fmadd_ps(a, b, c);
}

static inline vector vector_widen(const uint16_t *x) {
    __m256i halves = _mm256_loadu_si256((const void *)x);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

#include "kernels/cpu/gemm_f32.h"

void stac_gemm_f32_avx512(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy) {
    product(m, n, k, x, ldx, (struct weights){w, NULL}, ldw, y, ldy);
}

void stac_gemm_bf16_avx512(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy) {
    product(m, n, k, x, ldx, (struct weights){NULL, w}, ldw, y, ldy);
}
