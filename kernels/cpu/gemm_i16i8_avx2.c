/* Integer matrix product for AVX2: pairs of k in one multiply-and-add of 16-bit integers (vpmaddwd), tiles of 6 x 16
 * outputs in registers, panels of 16 columns of w widened and interleaved by pairs, a strip of which fits the
 * second-level cache. */
#include <immintrin.h>
#include <string.h>

#include "kernels/operators.h"
#include "kernels/thin.h"

enum { LANES = 8, MR = 6, NR = 2 * LANES, KC = 256, WIDE = 256 };

static inline __m256i pair_at(const int16_t *x) {
    int32_t both;
    memcpy(&both, x, sizeof both);
    return _mm256_set1_epi32(both);
}

/* acc + the sums of adjacent products, as one step with one temporary: left to the compiler, all products are formed
 * before the first sum and the accumulators spill. */
static inline __m256i multiply_add(__m256i acc, __m256i a, __m256i b) {
    __asm__("vpmaddwd %2, %1, %%ymm15\n\tvpaddd %%ymm15, %0, %0" : "+x"(acc) : "x"(a), "x"(b) : "xmm15");
    return acc;
}

/* Rows k and k + 1 of 16 columns, interleaved and widened: 32 int16. */
static inline void pack_pair(const int8_t *even, const int8_t *odd, int16_t *out) {
    __m128i e = _mm_loadu_si128((const void *)even), o = _mm_loadu_si128((const void *)odd);
    _mm256_store_si256((void *)out, _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(e, o)));
    _mm256_store_si256((void *)(out + 16), _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(e, o)));
}

/* Columns [0, cols) of kc rows of w, cols <= WIDE, as panels [pair][16][2] filled up with zeros. Rows of w may lie pages
 * apart, so all panels are packed while a pair of rows is at hand. */
static void pack(int cols, int kc, const int8_t *w, int ldw, int16_t *packed) {
    static const int8_t zeros[WIDE];
    int8_t pair[2][NR] = {{0}};
    for (int l = 0; l < kc; l += 2) {
        const int8_t *row = w + (size_t)l * ldw, *next = l + 1 < kc ? row + ldw : zeros;
        for (int p = 0; p < cols; p += NR) {
            const int8_t *even = row + p, *odd = next + p;
            if (cols - p < NR) {
                memcpy(pair[0], even, (size_t)(cols - p));
                memcpy(pair[1], odd, (size_t)(cols - p));
                even = pair[0], odd = pair[1];
            }
            pack_pair(even, odd, packed + (size_t)p * KC + 16 * l);
        }
    }
}

typedef __m256i integers;

static inline integers integers_zero(void) {
    return _mm256_setzero_si256();
}

static inline integers integers_load(const void *x) {
    return _mm256_loadu_si256(x);
}

static inline void integers_store(integers v, void *x) {
    _mm256_storeu_si256(x, v);
}

#include "kernels/cpu/gemm_i16i8.h"

/* ---- few rows ----------------------------------------------------------------------------------------------------- */

/* 32 columns of all rows, the first of which are at w and y. */
static inline void add_columns(const struct stac_thin *t, int from, int ask, const int8_t *w, int ldw, int32_t *y, int ldy) {
    static const int8_t zeros[32];
    __m256i acc[STAC_THIN_ROWS][4];
    for (int i = 0; i < t->rows; i++)
        for (int g = 0; g < 4; g++)
            acc[i][g] = from ? _mm256_loadu_si256((const void *)(y + (size_t)i * ldy + 8 * g)) : _mm256_setzero_si256();
    for (int e = from; e < from + STAC_THIN_GROUP && e < t->n; e += 2) {
        const int8_t *even = w + (size_t)t->index[e] * ldw, *odd = e + 1 < t->n ? w + (size_t)t->index[e + 1] * ldw : zeros;
        __m256i pair[4];
        if (ask) stac_thin_ask(t, e, w, ldw);
        for (int g = 0; g < 2; g++) {
            __m128i a = _mm_loadu_si128((const void *)(even + 16 * g)), b = _mm_loadu_si128((const void *)(odd + 16 * g));
            pair[2 * g] = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b));
            pair[2 * g + 1] = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b));
        }
        for (int i = 0; i < t->rows; i++) {
            __m256i s = pair_at(t->code[i] + e);
            for (int g = 0; g < 4; g++) acc[i][g] = _mm256_add_epi32(acc[i][g], _mm256_madd_epi16(s, pair[g]));
        }
    }
    for (int i = 0; i < t->rows; i++)
        for (int g = 0; g < 4; g++) _mm256_storeu_si256((void *)(y + (size_t)i * ldy + 8 * g), acc[i][g]);
}

static void add_group(const struct stac_thin *t, int from, int cols, const int8_t *w, int ldw, int32_t *y, int ldy) {
    int j = 0;
    for (; j + 32 <= cols; j += 32) add_columns(t, from, j % 64 == 0, w + j, ldw, y + j, ldy); /* once a cache line */
    for (; j < cols; j++)
        for (int i = 0; i < t->rows; i++) {
            int32_t sum = from ? y[(size_t)i * ldy + j] : 0;
            for (int e = from; e < from + STAC_THIN_GROUP && e < t->n; e++)
                sum += t->code[i][e] * w[(size_t)t->index[e] * ldw + j];
            y[(size_t)i * ldy + j] = sum;
        }
}

void stac_gemm_i16i8_avx2(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    if (m <= STAC_THIN_ROWS && k <= STAC_THIN_INPUTS) {
        stac_thin_product(add_group, m, n, k, x, ldx, w, ldw, y, ldy);
        return;
    }
    (m <= FEW ? few_product : packed_product)(m, n, k, x, ldx, w, ldw, y, ldy);
}

void stac_gemm_sparse_avx2(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    if (m > STAC_THIN_ROWS && k <= STAC_THIN_INPUTS)
        stac_sparse_product(add_group, m, n, k, x, ldx, w, ldw, y, ldy);
    else
        stac_gemm_i16i8_avx2(m, n, k, x, ldx, w, ldw, y, ldy);
}
