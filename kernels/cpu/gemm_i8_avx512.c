/* Integer matrix product for AVX-512 with VNNI where all x fit 8 bits: four k in one multiply-and-accumulate of bytes
 * (vpdpbusd), tiles of 12 x 32 outputs in registers. Its left side has no sign, so that x travels as x + 128, and the sums
 * start 128 times the column sum of w lower. */
#include <immintrin.h>
#include <string.h>

#include "kernels/cpu/gemm_i8.h"
#include "kernels/strips.h"

enum { MR = 12, NR = 32, KC = 256, PIECE = 64, WIDE = 256, OFFSET = 128 };

/* A block of k: PIECE columns of w as [quad][64][4], filled up with zeros, and OFFSET times the sums of its columns. */
struct block {
    _Alignas(64) int8_t w[KC * PIECE];
    _Alignas(64) int32_t offset[PIECE];
};

bool stac_fits_i8_avx512(int m, int k, const int16_t *x, int ldx) {
    const __m512i low = _mm512_set1_epi16(-OFFSET), span = _mm512_set1_epi16(2 * OFFSET - 1);
    int beyond = 0;
#pragma omp parallel for schedule(static) reduction(| : beyond) if ((double)m * k > 65536)
    for (int i = 0; i < m; i++)
        for (int l = 0; l < k && !beyond; l += 32) {
            __mmask32 here = k - l >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << (k - l)) - 1;
            __m512i v = _mm512_maskz_loadu_epi16(here, x + (size_t)i * ldx + l);
            beyond |= _mm512_cmpgt_epu16_mask(_mm512_sub_epi16(v, low), span) != 0;
        }
    return !beyond;
}

/* acc + the sums of four adjacent products of a byte without sign and one with; see multiply_add of the 16-bit product. */
static inline __m512i multiply_add(__m512i acc, __m512i a, __m512i b) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
    return acc;
}

/* The first `cols` columns of a row, in the order of which interleaving makes columns 0 to 15, 16 to 31, ... */
static inline __m512i columns_of(const int8_t *row, int cols) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __mmask64 here = cols >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << cols) - 1;
    return _mm512_permutexvar_epi32(order, _mm512_maskz_loadu_epi8(here, row));
}

static void pack_w(int cols, int kc, const int8_t *w, int ldw, struct block *b) {
    __m512i sum[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int l = 0; l < kc; l += 4) {
        __m512i r[4];
        for (int i = 0; i < 4; i++) r[i] = l + i < kc ? columns_of(w + (size_t)(l + i) * ldw, cols) : _mm512_setzero_si512();
        __m512i low = _mm512_unpacklo_epi8(r[0], r[1]), high = _mm512_unpackhi_epi8(r[0], r[1]);
        __m512i low2 = _mm512_unpacklo_epi8(r[2], r[3]), high2 = _mm512_unpackhi_epi8(r[2], r[3]);
        __m512i out[4] = {_mm512_unpacklo_epi16(low, low2), _mm512_unpackhi_epi16(low, low2),
                          _mm512_unpacklo_epi16(high, high2), _mm512_unpackhi_epi16(high, high2)};
        for (int g = 0; g < 4; g++) {
            _mm512_store_si512(b->w + (size_t)l * PIECE + 64 * g, out[g]);
            sum[g] = multiply_add(sum[g], _mm512_set1_epi8((char)OFFSET), out[g]);
        }
    }
    for (int g = 0; g < 4; g++) _mm512_store_si512(b->offset + 16 * g, sum[g]);
}

/* kc values of each of `rows` rows of x, plus OFFSET, as [row][KC]; what lies behind them meets zeros of w. */
static void pack_x(int rows, int kc, const int16_t *x, int ldx, uint8_t a[MR * KC]) {
    for (int i = 0; i < rows; i++)
        for (int l = 0; l < kc; l += 32) {
            __mmask32 here = kc - l >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << (kc - l)) - 1;
            __m512i v = _mm512_maskz_loadu_epi16(here, x + (size_t)i * ldx + l);
            v = _mm512_add_epi16(v, _mm512_set1_epi16(OFFSET));
            _mm256_store_si256((void *)(a + i * KC + l), _mm512_cvtepi16_epi8(v));
        }
}

static inline __m512i quad_at(const uint8_t *a) {
    int32_t four;
    memcpy(&four, a, sizeof four);
    return _mm512_set1_epi32(four);
}

/* c[rows][32] (+)= a[rows][4 quads] w[quads][32 of 64][4] - offset; ROWS is a constant after inlining. */
static inline __attribute__((always_inline)) void tile(const int rows, int quads, const uint8_t *a, const int8_t *w,
                                                       const int32_t *offset, int first, int32_t *c, int ldc) {
    __m512i acc[MR][2];
    for (int i = 0; i < rows; i++)
        for (int h = 0; h < 2; h++) {
            acc[i][h] = first ? _mm512_setzero_si512() : _mm512_loadu_si512(c + (size_t)i * ldc + 16 * h);
            acc[i][h] = _mm512_sub_epi32(acc[i][h], _mm512_load_si512(offset + 16 * h));
        }
    for (int l = 0; l < quads; l++) {
        __m512i w0 = _mm512_load_si512(w + 4 * PIECE * l), w1 = _mm512_load_si512(w + 4 * PIECE * l + 64);
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            __m512i s = quad_at(a + i * KC + 4 * l);
            acc[i][0] = multiply_add(acc[i][0], s, w0);
            acc[i][1] = multiply_add(acc[i][1], s, w1);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int h = 0; h < 2; h++) _mm512_storeu_si512(c + (size_t)i * ldc + 16 * h, acc[i][h]);
}

static void tile_rows(int rows, int quads, const uint8_t *a, const int8_t *w, const int32_t *offset, int first, int32_t *c,
                      int ldc) {
    switch (rows) {
    case 12: tile(12, quads, a, w, offset, first, c, ldc); return;
    case 8: tile(8, quads, a, w, offset, first, c, ldc); return;
    case 4: tile(4, quads, a, w, offset, first, c, ldc); return;
    case 2: tile(2, quads, a, w, offset, first, c, ldc); return;
    case 1: tile(1, quads, a, w, offset, first, c, ldc); return;
    default: break;
    }
    int part = rows > 8 ? 8 : rows > 4 ? 4 : 2;
    tile_rows(part, quads, a, w, offset, first, c, ldc);
    tile_rows(rows - part, quads, a + part * KC, w, offset, first, c + (size_t)part * ldc, ldc);
}

/* A tile of which only `cols` columns are there. */
static void tile_edge(int rows, int cols, int quads, const uint8_t *a, const int8_t *w, const int32_t *offset, int first,
                      int32_t *c, int ldc) {
    int32_t edge[MR * NR];
    for (int i = 0; i < rows && !first; i++) memcpy(edge + i * NR, c + (size_t)i * ldc, (size_t)cols * sizeof *c);
    tile_rows(rows, quads, a, w, offset, first, edge, NR);
    for (int i = 0; i < rows; i++) memcpy(c + (size_t)i * ldc, edge + i * NR, (size_t)cols * sizeof *c);
}

/* All rows against `cols` <= WIDE columns. */
static void strip(int m, int cols, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    struct block block[WIDE / PIECE];
    _Alignas(64) uint8_t a[MR * KC];
    for (int k0 = 0; k0 < k; k0 += KC) {
        int kc = k - k0 < KC ? k - k0 : KC, quads = (kc + 3) / 4, first = k0 == 0;
        for (int p = 0; p < cols; p += PIECE) pack_w(cols - p, kc, w + (size_t)k0 * ldw + p, ldw, &block[p / PIECE]);
        for (int i = 0; i < m; i += MR) {
            int rows = m - i < MR ? m - i : MR;
            pack_x(rows, kc, x + (size_t)i * ldx + k0, ldx, a);
            for (int p = 0; p < cols; p += NR) {
                int32_t *c = y + (size_t)i * ldy + p;
                const struct block *b = &block[p / PIECE];
                if (cols - p >= NR)
                    tile_rows(rows, quads, a, b->w + 4 * (p % PIECE), b->offset + p % PIECE, first, c, ldy);
                else
                    tile_edge(rows, cols - p, quads, a, b->w + 4 * (p % PIECE), b->offset + p % PIECE, first, c, ldy);
            }
        }
    }
}

void stac_gemm_i8_avx512(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
#pragma omp parallel if ((double)m * n * k > 65536)
    for (struct stac_strips s = stac_strips_of(n, NR, WIDE); s.left > 0; stac_strips_next(&s))
        strip(m, s.to - s.from, k, x, ldx, w + s.from, ldw, y + s.from, ldy);
}
