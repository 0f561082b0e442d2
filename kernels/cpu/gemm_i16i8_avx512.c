/* Integer matrix product for AVX-512 with VNNI: pairs of k in one multiply-and-accumulate of 16-bit integers (vpdpwssd), tiles
 * of 12 x 32 outputs in registers, panels of 32 columns of w widened and interleaved by pairs, a strip of which fits the
 * second-level cache. Few rows read w where it lies. */
#include <immintrin.h>
#include <string.h>

#include "kernels/cpu/gemm_i8.h"
#include "kernels/operators.h"
#include "kernels/thin.h"

enum { LANES = 16, MR = 12, NR = 2 * LANES, KC = 256, WIDE = 256 };

/* ---- weights ------------------------------------------------------------------------------------------------------ */

/* Rows k and k + 1 of 64 columns, interleaved by pairs and widened: 16 columns each. */
static inline void pairs_of(__m512i even, __m512i odd, __m512i out[4]) {
    const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7); /* so that a half of the interleaved bytes is in order */
    even = _mm512_permutexvar_epi64(order, even);
    odd = _mm512_permutexvar_epi64(order, odd);
    __m512i low = _mm512_unpacklo_epi8(even, odd), high = _mm512_unpackhi_epi8(even, odd);
    out[0] = _mm512_cvtepi8_epi16(_mm512_castsi512_si256(low));
    out[1] = _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(low, 1));
    out[2] = _mm512_cvtepi8_epi16(_mm512_castsi512_si256(high));
    out[3] = _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(high, 1));
}

/* The first `cols` columns of a row, the others zero. */
static inline __m512i columns_of(const int8_t *row, int cols) {
    return _mm512_maskz_loadu_epi8(cols >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << cols) - 1, row);
}

/* Columns [0, cols) of kc rows of w, cols <= WIDE, as panels [pair][32][2] filled up with zeros. */
static void pack(int cols, int kc, const int8_t *w, int ldw, int16_t *packed) {
    for (int l = 0; l < kc; l += 2)
        for (int p = 0; p < cols; p += 64) {
            const int8_t *row = w + (size_t)l * ldw + p;
            int16_t *at = packed + (size_t)p * KC + (size_t)l * NR;
            __m512i out[4];
            pairs_of(columns_of(row, cols - p), l + 1 < kc ? columns_of(row + ldw, cols - p) : _mm512_setzero_si512(), out);
            for (int g = 0; g < 4; g++) _mm512_store_si512(at + (size_t)(g / 2) * KC * NR + 32 * (g % 2), out[g]);
        }
}

/* ---- many rows ---------------------------------------------------------------------------------------------------- */

static inline __m512i pair_at(const int16_t *x) {
    int32_t both;
    memcpy(&both, x, sizeof both);
    return _mm512_set1_epi32(both);
}

/* acc + the sums of adjacent products; left to the compiler, accumulators are copied to and fro. */
static inline __m512i multiply_add(__m512i acc, __m512i a, __m512i b) {
    __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
    return acc;
}

typedef __m512i integers;

static inline integers integers_zero(void) {
    return _mm512_setzero_si512();
}

static inline integers integers_load(const void *x) {
    return _mm512_loadu_si512(x);
}

static inline void integers_store(integers v, void *x) {
    _mm512_storeu_si512(x, v);
}

#include "kernels/cpu/gemm_i16i8.h"

/* ---- few rows ----------------------------------------------------------------------------------------------------- */

/* Of 16 columns from 16 g on, those that are below `width`. */
static inline __mmask16 mask_of(int width, int g) {
    int left = width - 16 * g;
    return left >= 16 ? 0xffff : left > 0 ? (__mmask16)((1 << left) - 1) : 0;
}

static void add_group(const struct stac_thin *t, int from, int cols, const int8_t *w, int ldw, int32_t *y, int ldy) {
    for (int j = 0; j < cols; j += 64) {
        int width = cols - j < 64 ? cols - j : 64;
        const int8_t *column = w + j;
        __m512i acc[STAC_THIN_ROWS][4], pair[4];
        for (int i = 0; i < t->rows; i++)
            for (int g = 0; g < 4; g++)
                acc[i][g] = from ? _mm512_maskz_loadu_epi32(mask_of(width, g), y + (size_t)i * ldy + j + 16 * g)
                                 : _mm512_setzero_si512();
        for (int e = from; e < from + STAC_THIN_GROUP && e < t->n; e += 2) {
            const int8_t *even = column + (size_t)t->index[e] * ldw;
            const int8_t *odd = e + 1 < t->n ? column + (size_t)t->index[e + 1] * ldw : NULL;
            stac_thin_ask(t, e, column, ldw);
            pairs_of(columns_of(even, width), odd ? columns_of(odd, width) : _mm512_setzero_si512(), pair);
            for (int i = 0; i < t->rows; i++) {
                __m512i s = pair_at(t->code[i] + e);
                for (int g = 0; g < 4; g++) acc[i][g] = multiply_add(acc[i][g], s, pair[g]);
            }
        }
        for (int i = 0; i < t->rows; i++)
            for (int g = 0; g < 4; g++)
                _mm512_mask_storeu_epi32(y + (size_t)i * ldy + j + 16 * g, mask_of(width, g), acc[i][g]);
    }
}

void stac_gemm_i16i8_avx512(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    if (m <= STAC_THIN_ROWS && k <= STAC_THIN_INPUTS) {
        stac_thin_product(add_group, m, n, k, x, ldx, w, ldw, y, ldy);
        return;
    }
    if (stac_fits_i8_avx512(m, k, x, ldx)) {
        stac_gemm_i8_avx512(m, n, k, x, ldx, w, ldw, y, ldy);
        return;
    }
    (m <= FEW ? few_product : packed_product)(m, n, k, x, ldx, w, ldw, y, ldy);
}

void stac_gemm_sparse_avx512(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    if (m > STAC_THIN_ROWS && k <= STAC_THIN_INPUTS)
        stac_sparse_product(add_group, m, n, k, x, ldx, w, ldw, y, ldy);
    else
        stac_gemm_i16i8_avx512(m, n, k, x, ldx, w, ldw, y, ldy);
}
