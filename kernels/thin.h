/* Integer products that read weights as they lie in memory, several rows of them side by side, and a row whose inputs are all
 * zero not at all: of few rows, as in decoding, whose weights are read once; or of many, each of which reads its own. */
#ifndef STAC_KERNELS_THIN_H
#define STAC_KERNELS_THIN_H

#include <omp.h>
#include <stdint.h>
#include <string.h>

enum {
    STAC_THIN_ROWS = 4,
    STAC_THIN_INPUTS = 16384,
    STAC_THIN_GROUP = 8,     /* rows of weights read side by side; even */
    STAC_THIN_WIDE = 64,     /* threads share columns in pieces of so many */
    STAC_THIN_NARROW = 4096, /* up to so many columns they share the inputs */
    STAC_THIN_SHARES = 64    /* threads at most that share inputs */
};

/* The inputs that some row has, in their order, and what each row has there; behind the last a zero. */
struct stac_thin {
    int rows, n;
    uint16_t index[STAC_THIN_INPUTS];
    int16_t code[STAC_THIN_ROWS][STAC_THIN_INPUTS + 1];
};

static inline void stac_thin_gather(struct stac_thin *t, int m, int k, const int16_t *x, int ldx) {
    t->rows = m;
    t->n = 0;
    for (int l = 0; l < k; l++) {
        int any = 0;
        for (int i = 0; i < m; i++) any |= t->code[i][t->n] = x[(size_t)i * ldx + l];
        t->index[t->n] = (uint16_t)l;
        t->n += any != 0;
    }
    for (int i = 0; i < m; i++) t->code[i][t->n] = 0;
}

/* Two rows of weights of the next group, at the columns of `w`, are asked for where rows are short: then the processor does not
 * see the streams. Of long rows it does, and what is asked for a row ahead is gone again before it is read. */
static inline void stac_thin_ask(const struct stac_thin *t, int e, const int8_t *w, int ldw) {
    int next = e + STAC_THIN_GROUP;
    if (ldw > STAC_THIN_NARROW || next + 1 >= t->n) return;
    __builtin_prefetch(w + (size_t)t->index[next] * ldw);
    __builtin_prefetch(w + (size_t)t->index[next + 1] * ldw);
}

/* Adds inputs [from, from + STAC_THIN_GROUP), of which there are t->n, to y[rows][cols]; from == 0: y holds nothing yet. */
typedef void (*stac_thin_fn)(const struct stac_thin *t, int from, int cols, const int8_t *w, int ldw, int32_t *y, int ldy);

/* Threads share the columns. */
static inline void stac_thin_by_columns(stac_thin_fn add, const struct stac_thin *t, int n, const int8_t *w, int ldw,
                                        int32_t *y, int ldy) {
#pragma omp parallel if ((double)t->rows * n * t->n > 65536)
    {
        long pieces = (n + STAC_THIN_WIDE - 1) / STAC_THIN_WIDE, share = omp_get_thread_num(), shares = omp_get_num_threads();
        int begin = (int)(pieces * share / shares) * STAC_THIN_WIDE,
            end = (int)(pieces * (share + 1) / shares) * STAC_THIN_WIDE;
        if (end > n) end = n;
        for (int from = 0; from < t->n; from += STAC_THIN_GROUP) add(t, from, end - begin, w + begin, ldw, y + begin, ldy);
    }
}

/* Threads share the inputs, so that each reads its weights as one stream: shared columns of short rows are scraps, which memory
 * gives at two thirds of its speed. Each adds up by itself; the sums are integers and may be joined in any order. */
static inline void stac_thin_by_inputs(stac_thin_fn add, const struct stac_thin *t, int n, const int8_t *w, int ldw, int32_t *y,
                                       int ldy) {
    int32_t *sum[STAC_THIN_SHARES];
    const int groups = (t->n + STAC_THIN_GROUP - 1) / STAC_THIN_GROUP, most = omp_get_max_threads();
    int threads = most < STAC_THIN_SHARES ? most : STAC_THIN_SHARES;
    if (threads > groups) threads = groups > 0 ? groups : 1; /* each has a group: the first one begins y with its own */
#pragma omp parallel num_threads(threads) if ((double)t->rows * n * t->n > 65536)
    {
        int32_t own[STAC_THIN_ROWS * STAC_THIN_NARROW];
        long share = omp_get_thread_num(), shares = omp_get_num_threads();
        int end = (int)(groups * (share + 1) / shares) * STAC_THIN_GROUP, ld = share == 0 ? ldy : n;
        sum[share] = share == 0 ? y : own;
        if (share > 0) memset(own, 0, (size_t)t->rows * (size_t)n * sizeof *own);
        for (int from = (int)(groups * share / shares) * STAC_THIN_GROUP; from < end && from < t->n; from += STAC_THIN_GROUP)
            add(t, from, n, w, ldw, sum[share], ld);
#pragma omp barrier
        int first = (int)(n * share / shares), last = (int)(n * (share + 1) / shares);
        for (long other = 1; other < shares; other++)
            for (int i = 0; i < t->rows; i++)
                for (int c = first; c < last; c++) y[(size_t)i * ldy + c] += sum[other][(size_t)i * n + c];
#pragma omp barrier
    }
}

/* y[m][n] = x[m][k] w[k][n], m <= STAC_THIN_ROWS, k <= STAC_THIN_INPUTS. */
static inline void stac_thin_product(stac_thin_fn add, int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw,
                                     int32_t *y, int ldy) {
    struct stac_thin t;
    stac_thin_gather(&t, m, k, x, ldx);
    for (int i = 0; t.n == 0 && i < m; i++) memset(y + (size_t)i * ldy, 0, (size_t)n * sizeof *y);
    (n <= STAC_THIN_NARROW ? stac_thin_by_inputs : stac_thin_by_columns)(add, &t, n, w, ldw, y, ldy);
}

/* The same row by row, any m and k; threads share the rows. */
static inline void stac_sparse_product(stac_thin_fn add, int m, int n, int k, const int16_t *x, int ldx, const int8_t *w,
                                       int ldw, int32_t *y, int ldy) {
#pragma omp parallel for schedule(dynamic, 1) if ((double)m * n * k > 65536)
    for (int i = 0; i < m; i++) {
        struct stac_thin t;
        int32_t *sum = y + (size_t)i * ldy;
        stac_thin_gather(&t, 1, k, x + (size_t)i * ldx, ldx);
        if (t.n == 0) memset(sum, 0, (size_t)n * sizeof *sum);
        for (int from = 0; from < t.n; from += STAC_THIN_GROUP) add(&t, from, n, w, ldw, sum, ldy);
    }
}

#endif
