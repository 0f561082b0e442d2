/* Float matrix product: tiles of MR x NR outputs held in registers while k runs; panels of NR columns of w are packed so that
 * a strip of them fits the second-level cache, and serve every row of x. The chain of each output is that of the definition: a
 * block of k that is not the first starts from the value stored by the block before it. Few rows read w where it lies.
 *
 * Included by the set of kernels of each processor, behind its vectors: LANES floats each, vector_zero, vector_of (all lanes
 * one value), vector_load, vector_store, vector_fma (a b + c), vector_widen (bfloat16); MR, rows of a tile; STAC_FEW_ROWS, rows
 * of x whose sums fit the registers where w is not packed, 4 or 8. */
#ifndef STAC_KERNELS_CPU_GEMM_F32_H
#define STAC_KERNELS_CPU_GEMM_F32_H

#include <math.h>
#include <omp.h>
#include <string.h>

#include "kernels/operators.h"
#include "kernels/strips.h"

enum { NR = 2 * LANES, KC = 256, WIDE = 128, AHEAD = 8, LINE = 64, GROUP = 8, FEW = STAC_FEW_ROWS };

/* Weights as floats, or as the upper halves of floats (bfloat16); the other is NULL. */
struct weights {
    const float *full;
    const uint16_t *half;
};

static inline struct weights weights_at(struct weights w, size_t at) {
    return (struct weights){w.full ? w.full + at : NULL, w.half ? w.half + at : NULL};
}

static inline __attribute__((always_inline)) vector load(struct weights w, size_t at) {
    return w.full ? vector_load(w.full + at) : vector_widen(w.half + at);
}

/* c[rows][NR] (+)= a[rows][k] b[k][NR]; `first` starts the chains at zero. ROWS is a constant after inlining. */
static inline __attribute__((always_inline)) void tile(const int rows, int k, const float *a, int lda, struct weights b,
                                                       int ldb, int first, float *c, int ldc) {
    vector acc[MR][2];
    for (int i = 0; i < rows; i++)
        for (int h = 0; h < 2; h++) acc[i][h] = first ? vector_zero() : vector_load(c + (size_t)i * ldc + LANES * h);
    for (int l = 0; l < k; l++) {
        vector b0 = load(b, (size_t)l * ldb), b1 = load(b, (size_t)l * ldb + LANES);
#pragma GCC unroll MR
        for (int i = 0; i < rows; i++) {
            vector s = vector_of(a[(size_t)i * lda + l]);
            acc[i][0] = vector_fma(s, b0, acc[i][0]);
            acc[i][1] = vector_fma(s, b1, acc[i][1]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int h = 0; h < 2; h++) vector_store(acc[i][h], c + (size_t)i * ldc + LANES * h);
}

/* Whole tiles have code of their own, smaller ones are put together. */
static void tile_rows(int rows, int k, const float *a, int lda, const float *b, int first, float *c, int ldc) {
    switch (rows) {
    case MR: tile(MR, k, a, lda, (struct weights){b, NULL}, NR, first, c, ldc); return;
    case 4: tile(4, k, a, lda, (struct weights){b, NULL}, NR, first, c, ldc); return;
    case 2: tile(2, k, a, lda, (struct weights){b, NULL}, NR, first, c, ldc); return;
    case 1: tile(1, k, a, lda, (struct weights){b, NULL}, NR, first, c, ldc); return;
    default: break;
    }
    int part = rows > 4 ? 4 : 2;
    tile_rows(part, k, a, lda, b, first, c, ldc);
    tile_rows(rows - part, k, a + (size_t)part * lda, lda, b, first, c + (size_t)part * ldc, ldc);
}

static inline float weight(struct weights w, size_t at) {
    uint32_t bits = w.full ? 0 : (uint32_t)w.half[at] << 16;
    float widened;
    memcpy(&widened, &bits, sizeof widened);
    return w.full ? w.full[at] : widened;
}

/* `n` weights from `at` on will be needed soon. */
static void prefetch(struct weights w, size_t at, int n) {
    const char *line = w.full ? (const char *)(w.full + at) : (const char *)(w.half + at);
    for (int i = 0; i < n * (w.full ? 4 : 2); i += LINE) _mm_prefetch(line + i, _MM_HINT_T1);
}

/* Columns [0, cols) of kc rows of w, cols <= WIDE, as panels [k][NR] filled up with zeros. Rows of w may lie pages apart,
 * so all panels are packed while a row is at hand. */
static void pack(int cols, int kc, struct weights w, int ldw, float *packed) {
    for (int l = 0; l < kc; l++) {
        size_t row = (size_t)l * ldw;
        if (l + AHEAD < kc) prefetch(w, row + (size_t)AHEAD * ldw, cols);
        for (int p = 0; p < cols; p += NR) {
            float *out = packed + (size_t)p * KC + l * NR;
            for (int i = 0; i < NR && cols - p >= NR; i += LANES) vector_store(load(w, row + p + i), out + i);
            for (int i = 0; i < NR && cols - p < NR; i++) out[i] = i < cols - p ? weight(w, row + p + i) : 0;
        }
    }
}

/* One tile of `cols` <= NR columns. */
static void tile_columns(int rows, int cols, int kc, const float *a, const float *panel, int first, float *y, int ldy) {
    float edge[MR * NR];
    if (cols == NR) {
        tile_rows(rows, kc, a, KC, panel, first, y, ldy);
        return;
    }
    for (int r = 0; r < rows && !first; r++) memcpy(edge + r * NR, y + (size_t)r * ldy, (size_t)cols * sizeof *y);
    tile_rows(rows, kc, a, KC, panel, first, edge, NR);
    for (int r = 0; r < rows; r++) memcpy(y + (size_t)r * ldy, edge + r * NR, (size_t)cols * sizeof *y);
}

/* All rows against `cols` <= WIDE columns. The rows of a tile are copied to where they share no set of the first-level cache,
 * as rows of x do whose width is a power of two. */
static void strip(int m, int cols, int k, const float *x, int ldx, struct weights w, int ldw, float *y, int ldy) {
    _Alignas(64) float packed[KC * WIDE], a[MR * KC];
    for (int k0 = 0; k0 < k; k0 += KC) {
        int kc = k - k0 < KC ? k - k0 : KC;
        int next = 0, left = k - k0 - kc, ahead = left < KC ? left : KC;
        pack(cols, kc, weights_at(w, (size_t)k0 * ldw), ldw, packed);
        for (int i = 0; i < m; i += MR) {
            int rows = m - i < MR ? m - i : MR;
            for (int r = 0; r < rows; r++) memcpy(a + r * KC, x + (size_t)(i + r) * ldx + k0, (size_t)kc * sizeof *a);
            for (; next < ahead * (i + rows) / m; next++) prefetch(w, (size_t)(k0 + KC + next) * ldw, cols);
            for (int p = 0; p < cols; p += NR)
                tile_columns(rows, cols - p < NR ? cols - p : NR, kc, a, packed + (size_t)p * KC, k0 == 0,
                             y + (size_t)i * ldy + p, ldy);
        }
    }
}

/* ---- few rows ----------------------------------------------------------------------------------------------------- */

/* y[rows][cols] (+)= x[rows][k] w[k][cols] for a few rows of w, which are read side by side as they lie. ROWS is a constant
 * after inlining. */
static inline __attribute__((always_inline)) void add_group(const int rows, int k, int cols, const float *x, int ldx,
                                                            struct weights w, int ldw, int first, float *y, int ldy) {
    int j = 0;
    for (; j + NR <= cols; j += NR) tile(rows, k, x, ldx, weights_at(w, (size_t)j), ldw, first, y + j, ldy);
    for (; j < cols; j++)
        for (int i = 0; i < rows; i++) {
            float sum = first ? 0 : y[(size_t)i * ldy + j];
            for (int l = 0; l < k; l++) sum = fmaf(x[(size_t)i * ldx + l], weight(w, (size_t)l * ldw + j), sum);
            y[(size_t)i * ldy + j] = sum;
        }
}

/* Each case is compiled for its number of rows and kind of weights. */
static void add_rows(int rows, int k, int cols, const float *x, int ldx, struct weights w, int ldw, int first, float *y,
                     int ldy) {
#define CASE(n)                                                                                                                \
    case n:                                                                                                                    \
        if (w.full)                                                                                                            \
            add_group(n, k, cols, x, ldx, (struct weights){w.full, NULL}, ldw, first, y, ldy);                                 \
        else                                                                                                                   \
            add_group(n, k, cols, x, ldx, (struct weights){NULL, w.half}, ldw, first, y, ldy);                                 \
        break;
    switch (rows) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
#if STAC_FEW_ROWS > 4
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
#endif
    }
#undef CASE
}

static void few_rows(int m, int n, int k, const float *x, int ldx, struct weights w, int ldw, float *y, int ldy) {
#pragma omp parallel if ((double)m * n * k > 32768)
    {
        long pieces = (n + WIDE - 1) / WIDE, share = omp_get_thread_num(), shares = omp_get_num_threads();
        int begin = (int)(pieces * share / shares) * WIDE, end = (int)(pieces * (share + 1) / shares) * WIDE;
        if (end > n) end = n;
        int group = m > 4 ? 2 * GROUP : GROUP; /* more rows of w side by side, less traffic of y */
        for (int l = 0; l < k; l += group)
            for (int i = 0; i < m; i += FEW)
                add_rows(m - i < FEW ? m - i : FEW, k - l < group ? k - l : group, end - begin, x + (size_t)i * ldx + l, ldx,
                         weights_at(w, (size_t)l * ldw + begin), ldw, l == 0, y + (size_t)i * ldy + begin, ldy);
    }
}

static void many_rows(int m, int n, int k, const float *x, int ldx, struct weights w, int ldw, float *y, int ldy) {
#pragma omp parallel if ((double)m * n * k > 32768)
    for (struct stac_strips s = stac_strips_of(n, NR, WIDE); s.left > 0; stac_strips_next(&s))
        strip(m, s.to - s.from, k, x, ldx, weights_at(w, (size_t)s.from), ldw, y + s.from, ldy);
}

static void product(int m, int n, int k, const float *x, int ldx, struct weights w, int ldw, float *y, int ldy) {
    int few = w.full ? FEW : 2 * FEW; /* bfloat16 can be read twice in the time of a float */
    (m <= few ? few_rows : many_rows)(m, n, k, x, ldx, w, ldw, y, ldy);
}

#endif
