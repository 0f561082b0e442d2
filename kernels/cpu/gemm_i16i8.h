/* Integer matrix product of many rows: pairs of k in one multiply-and-add of 16-bit integers, tiles of MR x NR outputs in
 * registers, panels of NR columns of w, widened and interleaved by pairs, a strip of which fits the second-level cache.
 *
 * Included by the set of kernels of each processor, behind its vectors: LANES int32 each, integers_zero, integers_load,
 * integers_store; pair_at, two values of x in all lanes; multiply_add, an accumulator and the sums of adjacent products; and
 * pack, columns [0, cols) of kc rows of w, cols <= WIDE, as panels [pair][NR][2], KC * NR apart, filled up with zeros. */
#ifndef STAC_KERNELS_CPU_GEMM_I16I8_H
#define STAC_KERNELS_CPU_GEMM_I16I8_H

#include <stdint.h>
#include <string.h>

#include "kernels/strips.h"

/* Of products of few rows: rows at most; rows of w side by side; columns that are widened together. */
enum { FEW = 16, GROUP = 32, PIECE = 64 };

/* c[rows][NR] (+)= a[rows][2 pairs] b[pairs][NR][2]; ROWS is a constant after inlining. */
static inline __attribute__((always_inline)) void tile(const int rows, int pairs, const int16_t *a, int lda, const int16_t *b,
                                                       int first, int32_t *c, int ldc) {
    integers acc[MR][2];
    for (int i = 0; i < rows; i++)
        for (int h = 0; h < 2; h++) acc[i][h] = first ? integers_zero() : integers_load(c + (size_t)i * ldc + LANES * h);
    for (int l = 0; l < pairs; l++) {
        integers b0 = integers_load(b + 2 * NR * l), b1 = integers_load(b + 2 * NR * l + NR);
#pragma GCC unroll MR
        for (int i = 0; i < rows; i++) {
            integers s = pair_at(a + (size_t)i * lda + 2 * l);
            acc[i][0] = multiply_add(acc[i][0], s, b0);
            acc[i][1] = multiply_add(acc[i][1], s, b1);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int h = 0; h < 2; h++) integers_store(acc[i][h], c + (size_t)i * ldc + LANES * h);
}

/* Whole tiles have code of their own, smaller ones are put together. */
static void tile_rows(int rows, int pairs, const int16_t *a, int lda, const int16_t *b, int first, int32_t *c, int ldc) {
    switch (rows) {
    case MR: tile(MR, pairs, a, lda, b, first, c, ldc); return;
    case 4: tile(4, pairs, a, lda, b, first, c, ldc); return;
    case 2: tile(2, pairs, a, lda, b, first, c, ldc); return;
    case 1: tile(1, pairs, a, lda, b, first, c, ldc); return;
    default: break;
    }
    int part = rows > 4 ? 4 : 2;
    tile_rows(part, pairs, a, lda, b, first, c, ldc);
    tile_rows(rows - part, pairs, a + (size_t)part * lda, lda, b, first, c + (size_t)part * ldc, ldc);
}

/* A tile whose last pair has only one k: the missing x is zero, and is not read. */
static void tile_any(int rows, int kc, const int16_t *a, int lda, const int16_t *b, int first, int32_t *c, int ldc) {
    int16_t tail[MR * 2];
    if (kc > 1) tile_rows(rows, kc / 2, a, lda, b, first, c, ldc);
    if (kc % 2 == 0) return;
    for (int i = 0; i < rows; i++) {
        tail[2 * i] = a[(size_t)i * lda + kc - 1];
        tail[2 * i + 1] = 0;
    }
    tile_rows(rows, 1, tail, 2, b + NR * (kc - 1), first && kc == 1, c, ldc);
}

/* One tile of `cols` <= NR columns. */
static void tile_columns(int rows, int cols, int kc, const int16_t *a, const int16_t *panel, int first, int32_t *y, int ldy) {
    int32_t edge[MR * NR];
    if (cols == NR) {
        tile_any(rows, kc, a, KC, panel, first, y, ldy);
        return;
    }
    for (int r = 0; r < rows && !first; r++) memcpy(edge + r * NR, y + (size_t)r * ldy, (size_t)cols * sizeof *y);
    tile_any(rows, kc, a, KC, panel, first, edge, NR);
    for (int r = 0; r < rows; r++) memcpy(y + (size_t)r * ldy, edge + r * NR, (size_t)cols * sizeof *y);
}

/* All rows against `cols` <= WIDE columns. The rows of a tile are copied to where they share no set of the first-level cache,
 * as rows of x do whose width is a power of two. */
static void strip(int m, int cols, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    _Alignas(64) int16_t packed[KC * WIDE], a[MR * KC];
    for (int k0 = 0; k0 < k; k0 += KC) {
        int kc = k - k0 < KC ? k - k0 : KC;
        pack(cols, kc, w + (size_t)k0 * ldw, ldw, packed);
        for (int i = 0; i < m; i += MR) {
            int rows = m - i < MR ? m - i : MR;
            for (int r = 0; r < rows; r++) memcpy(a + r * KC, x + (size_t)(i + r) * ldx + k0, (size_t)kc * sizeof *a);
            for (int p = 0; p < cols; p += NR)
                tile_columns(rows, cols - p < NR ? cols - p : NR, kc, a, packed + (size_t)p * KC, k0 == 0,
                             y + (size_t)i * ldy + p, ldy);
        }
    }
}

/* The first columns of `rows` rows of w will be needed soon. */
static inline void ask(int rows, const int8_t *w, int ldw) {
    for (int l = 0; l < rows; l++) __builtin_prefetch(w + (size_t)l * ldw);
}

/* Up to FEW rows against `cols` columns: so few that widening the weights is most of the work. They are read as streams, GROUP
 * rows of w side by side, and what is widened stays in the first-level cache. */
static void few_rows(int m, int cols, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    _Alignas(64) int16_t packed[KC * PIECE], a[FEW * KC];
    for (int k0 = 0; k0 < k; k0 += GROUP) {
        int kc = k - k0 < GROUP ? k - k0 : GROUP, left = k - k0 - kc, next = left < GROUP ? left : GROUP;
        for (int i = 0; i < m; i++) memcpy(a + (size_t)i * KC, x + (size_t)i * ldx + k0, (size_t)kc * sizeof *a);
        for (int j = 0; j < cols; j += PIECE) {
            const int8_t *at = w + (size_t)k0 * ldw + j;
            int width = cols - j < PIECE ? cols - j : PIECE;
            pack(width, kc, at, ldw, packed);
            ask(next, at + (size_t)GROUP * ldw, ldw);
            for (int p = 0; p < width; p += NR)
                for (int i = 0; i < m; i += MR)
                    tile_columns(m - i < MR ? m - i : MR, width - p < NR ? width - p : NR, kc, a + (size_t)i * KC,
                                 packed + (size_t)p * KC, k0 == 0, y + (size_t)i * ldy + j + p, ldy);
        }
    }
}

/* Each thread has all of its columns in one strip. */
static void few_product(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
#pragma omp parallel if ((double)m * n * k > 65536)
    for (struct stac_strips s = stac_strips_of(n, PIECE, (n / PIECE + 1) * PIECE); s.left > 0; stac_strips_next(&s))
        few_rows(m, s.to - s.from, k, x, ldx, w + s.from, ldw, y + s.from, ldy);
}

static void packed_product(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
#pragma omp parallel if ((double)m * n * k > 65536)
    for (struct stac_strips s = stac_strips_of(n, NR, WIDE); s.left > 0; stac_strips_next(&s))
        strip(m, s.to - s.from, k, x, ldx, w + s.from, ldw, y + s.from, ldy);
}

#endif
