#include "convert/fit_weights.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/kernels.h"
#include "kernels/transpose.h"

enum {
    TILE = 64, /* columns that are rounded together */
    STEP = 64, /* inputs that are rounded before all others take their errors */
    BLOCK =
        256, /* rows that are summed up in float: inputs that are large at a few tokens would drown the damping in roundings */
    PANEL = 256, /* inputs whose moments are added up together */
};

#define DAMPING 0.01 /* of the mean diagonal, added to it: inputs that hardly vary stay harmless */

/* Blocks of rows of z, and the same turned. */
struct blocks {
    int n_in, n_rows;
    const float *z;
    float *block, *turned; /* [BLOCK][n_in], [n_in][BLOCK] */
};

static void blocks_clean(struct blocks *b) {
    free(b->block);
    free(b->turned);
}

static int blocks_init(struct blocks *b, struct stac_error *err) {
    STAC_TRY(STAC_NEW(b->block, (size_t)b->n_in * BLOCK, "second moments", err));
    return STAC_NEW(b->turned, (size_t)b->n_in * BLOCK, "second moments", err);
}

/* The rows from `row` on, inputs in the given order (NULL: as they are). Returns how many there are. */
static int take_block(struct blocks *b, int row, const int *order) {
    int rows = b->n_rows - row < BLOCK ? b->n_rows - row : BLOCK;
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++) {
        const float *from = b->z + (size_t)(row + r) * b->n_in;
        float *to = b->block + (size_t)r * b->n_in;
        for (int i = 0; i < b->n_in; i++) to[i] = from[order ? order[i] : i];
    }
    stac_transpose(rows, b->n_in, b->block, b->n_in, b->turned);
    return rows;
}

/* sum[m][n] of products of inputs [first, first + m) with inputs [from, from + n) over a block. */
static void multiply_block(const struct blocks *b, int rows, int first, int m, int from, int n, float *sum) {
    stac_kernels_best()->gemm_f32(m, n, rows, b->turned + (size_t)first * rows, rows, b->block + from, b->n_in, sum, n);
}

/* Inputs from the weakest to the strongest, which is rounded first: what is rounded late can make up for little. *mean: their
 * mean square. */
static int sort_inputs(struct blocks *b, int *order, double *mean, struct stac_error *err) {
    float square[TILE * TILE];
    double *strength;
    STAC_TRY(STAC_NEW(strength, b->n_in, "second moments", err));
    for (int row = 0; row < b->n_rows; row += BLOCK) {
        int rows = take_block(b, row, NULL);
        for (int i = 0; i < b->n_in; i += TILE) {
            int n = b->n_in - i < TILE ? b->n_in - i : TILE;
            multiply_block(b, rows, i, n, i, n, square);
            for (int k = 0; k < n; k++) strength[i + k] += (double)square[k * n + k] / b->n_rows;
        }
    }
    *mean = 0;
    for (int i = 0; i < b->n_in; i++) {
        int at = i;
        *mean += strength[i] / b->n_in;
        for (; at > 0 && strength[order[at - 1]] > strength[i]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
    free(strength);
    return STAC_OK;
}

/* Adds products of inputs [first, first + m) with those up to themselves over a block to h. */
static void add_panel(const struct blocks *b, int rows, int first, int m, float *product, double *h) {
    int n = first + m;
    multiply_block(b, rows, first, m, 0, n, product);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < m; i++)
        for (int j = 0; j <= first + i; j++)
            h[(size_t)(first + i) * b->n_in + j] += (double)product[(size_t)i * n + j] / b->n_rows;
}

/* h[n_in][n_in] = Z^T Z / n_rows in that order, damped; its lower half, the rest stays 0, as all of h is before. */
static int second_moments(struct blocks *b, const int *order, double mean, double *h, struct stac_error *err) {
    size_t n = (size_t)b->n_in;
    float *product;
    STAC_TRY(STAC_NEW(product, PANEL * n, "second moments", err));
    for (int row = 0; row < b->n_rows; row += BLOCK) {
        int rows = take_block(b, row, order);
        for (int i = 0; i < b->n_in; i += PANEL) add_panel(b, rows, i, b->n_in - i < PANEL ? b->n_in - i : PANEL, product, h);
    }
    free(product);
    for (size_t i = 0; i < n; i++) h[i * n + i] += mean > 0 ? DAMPING * mean : 1;
    return STAC_OK;
}

/* h, whose lower half is given, becomes M = L^-1, h = L L^T: then h^-1 = M^T M, and M backwards in rows and columns is the
 * upper factor of the inverse backwards. To LAPACK, column by column, the lower half is an upper one; it needs no copy. */
static int factor_of_inverse(int n, double *h, struct stac_error *err) {
    lapack_int info = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, h, n);
    if (info == 0) info = LAPACKE_dtrtri(LAPACK_COL_MAJOR, 'U', 'N', n, h, n);
    if (info == 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "the inputs of a product have no positive second moments (LAPACK %d)", (int)info);
}

/* n doubles as floats, in the same memory: each ends before the next double begins. h is gone. */
static float *narrow(size_t n, double *h) {
    for (size_t i = 0; i < n; i++) {
        float narrowed = (float)h[i];
        memcpy((char *)h + i * sizeof narrowed, &narrowed, sizeof narrowed);
    }
    return stac_shrink(h, n * sizeof(float));
}

/* Columns of w that are rounded together, by one thread. */
struct tile {
    int n_in, columns;
    const float *factor;
    float *v;      /* [TILE][n_in] what is left of the columns, inputs in their order */
    float *change; /* [TILE][n_in] of v, by a step */
    float *error;  /* [TILE][STEP] what rounding leaves of the inputs of a step, over their diagonal */
};

static int tile_init(struct tile *t, int n_in, const float *factor, struct stac_error *err) {
    *t = (struct tile){.n_in = n_in, .factor = factor};
    STAC_TRY(STAC_NEW(t->v, (size_t)n_in * TILE, "weights", err));
    STAC_TRY(STAC_NEW(t->change, (size_t)n_in * TILE, "weights", err));
    return STAC_NEW(t->error, STEP * TILE, "weights", err);
}

static void tile_clean(struct tile *t) {
    free(t->v);
    free(t->change);
    free(t->error);
}

/* Inputs [first, first + n) of the order, the last of them first: rounded, and their errors made up for by those that are left
 * of them. q[i][column]. */
static void round_step(struct tile *t, int first, int n, const int *order, const float *scale, float largest, int8_t *q,
                       int n_out) {
    float left[STEP][TILE];
    for (int i = 0; i < n; i++)
        for (int c = 0; c < t->columns; c++) left[i][c] = t->v[(size_t)c * t->n_in + first + i];
    for (int i = n - 1; i >= 0; i--) {
        const float *share = t->factor + (size_t)(first + i) * t->n_in + first;
        float inverse = 1.0f / share[i], error[TILE];
        for (int c = 0; c < t->columns; c++) {
            float r = fminf(fmaxf(rintf(left[i][c] / scale[c]), -largest), largest);
            q[(size_t)order[first + i] * n_out + c] = (int8_t)r;
            error[c] = (left[i][c] - r * scale[c]) * inverse;
            t->error[c * STEP + i] = error[c];
        }
        for (int j = 0; j < i; j++)
            for (int c = 0; c < t->columns; c++) left[j][c] -= share[j] * error[c];
    }
}

/* Columns [from, from + t->columns) of w, in steps: all inputs behind a step take its errors at once, as one product. */
static void round_columns(struct tile *t, int n_out, int from, const int *order, const float *w, const float *scale,
                          float largest, int8_t *q) {
    for (int i = 0; i < t->n_in; i++)
        for (int c = 0; c < t->columns; c++) t->v[(size_t)c * t->n_in + i] = w[(size_t)order[i] * n_out + from + c];
    for (int end = t->n_in; end > 0; end -= STEP) {
        int first = end > STEP ? end - STEP : 0, n = end - first;
        round_step(t, first, n, order, scale + from, largest, q + from, n_out);
        if (first == 0) break;
        stac_kernels_best()->gemm_f32(t->columns, first, n, t->error, STEP, t->factor + (size_t)first * t->n_in, t->n_in,
                                      t->change, t->n_in);
        for (int c = 0; c < t->columns; c++)
            for (int i = 0; i < first; i++) t->v[(size_t)c * t->n_in + i] -= t->change[(size_t)c * t->n_in + i];
    }
}

/* All columns; threads share the tiles. w[n_in][n_out] to q. */
static int round_all(int n_in, int n_out, const int *order, const float *factor, const float *w, const float *scale,
                     int largest, int8_t *q, struct stac_error *err) {
    int status = STAC_OK;
#pragma omp parallel
    {
        struct tile t;
        struct stac_error own = {0};
        int ready = tile_init(&t, n_in, factor, &own);
#pragma omp critical(stac_fit_weights)
        if (ready != STAC_OK) {
            *err = own;
            status = ready;
        }
#pragma omp barrier
#pragma omp for schedule(dynamic, 1)
        for (int from = 0; from < n_out; from += TILE) {
            t.columns = n_out - from < TILE ? n_out - from : TILE;
            if (status == STAC_OK) round_columns(&t, n_out, from, order, w, scale, (float)largest, q);
        }
        tile_clean(&t);
    }
    return status;
}

/* Sorted inputs, order[n_in], and the factor[n_in][n_in] of the inverse of their second moments. Of the widest products this
 * matrix is the peak of a conversion's memory. */
static int prepare(int n_in, int n_rows, const float *z, int *order, float **factor, struct stac_error *err) {
    struct blocks b = {.n_in = n_in, .n_rows = n_rows, .z = z};
    size_t n = (size_t)n_in;
    double *h = NULL, mean;
    int status = STAC_OK;
    STAC_TRY_DONE(blocks_init(&b, err));
    STAC_TRY_DONE(sort_inputs(&b, order, &mean, err));
    STAC_TRY_DONE(STAC_NEW(h, n * n, "second moments", err));
    STAC_TRY_DONE(second_moments(&b, order, mean, h, err));
    STAC_TRY_DONE(factor_of_inverse(n_in, h, err));
    *factor = narrow(n * n, h);
    h = NULL;
done:
    blocks_clean(&b);
    free(h);
    return status;
}

int stac_fit_weights(int n_in, int n_out, int n_rows, const float *z, const float *w, const float *scale, int largest,
                     int8_t *q, struct stac_error *err) {
    float *factor = NULL;
    int *order = NULL, status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(order, n_in, "second moments", err));
    STAC_TRY_DONE(prepare(n_in, n_rows, z, order, &factor, err));
    STAC_TRY_DONE(round_all(n_in, n_out, order, factor, w, scale, largest, q, err));
done:
    free(order);
    free(factor);
    return status;
}
