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

/* Inputs from the strongest to the weakest: what is rounded late can make up for little. *mean: their mean square. */
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
        for (; at > 0 && strength[order[at - 1]] < strength[i]; at--) order[at] = order[at - 1];
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
        for (int j = 0; j <= first + i; j++) h[(size_t)(first + i) * b->n_in + j] += (double)product[(size_t)i * n + j] / b->n_rows;
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

/* h, whose lower half is given, becomes its inverse's upper factor U, inverse = U^T U, column by column: LAPACK's own order, in
 * which it needs no copy. */
static int factor_of_inverse(int n, double *h, struct stac_error *err) {
    lapack_int info = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, h, n);
    if (info == 0) info = LAPACKE_dpotri(LAPACK_COL_MAJOR, 'U', n, h, n);
    if (info == 0) info = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, h, n);
    if (info == 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "the inputs of a product have no positive second moments (LAPACK %d)", (int)info);
}

/* *u: the factor h as floats, row by row. It lies where h lay, of which nothing is left, also on failure. */
static int factor_in_rows(int n_in, double *h, float **u, struct stac_error *err) {
    size_t n = (size_t)n_in;
    float *row = NULL;
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(row, n, "second moments", err));
#pragma omp parallel for schedule(dynamic, 64)
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) h[i * n + j] = h[j * n + i];
    for (size_t i = 0; i < n; i++) { /* row i of floats ends before row i of doubles does */
        for (size_t j = 0; j < n; j++) row[j] = (float)h[i * n + j];
        memcpy((char *)h + i * n * sizeof *row, row, n * sizeof *row);
    }
    *u = realloc(h, n * n * sizeof **u);
    if (*u)
        h = NULL;
    else
        status = stac_fail(err, STAC_ERR_MEMORY, "cannot allocate second moments of %d inputs", n_in);
done:
    free(row);
    free(h);
    return status;
}

/* Columns [from, to); u is in the order of rounding. */
static void round_columns(int n_in, int n_out, int from, int to, const int *order, const float *u, float *w, const float *scale,
                          float largest, int8_t *q) {
    float error[TILE];
    for (int i = 0; i < n_in; i++) {
        float *row = w + (size_t)order[i] * n_out;
        float inverse = 1.0f / u[(size_t)i * n_in + i];
        for (int c = from; c < to; c++) {
            float r = fminf(fmaxf(rintf(row[c] / scale[c]), -largest), largest);
            q[(size_t)order[i] * n_out + c] = (int8_t)r;
            error[c - from] = (row[c] - r * scale[c]) * inverse;
        }
        for (int j = i + 1; j < n_in; j++) {
            float *later = w + (size_t)order[j] * n_out + from, share = u[(size_t)i * n_in + j];
            for (int c = 0; c < to - from; c++) later[c] -= share * error[c];
        }
    }
}

/* Sorted inputs, order[n_in], and the factor u[n_in][n_in] of the inverse of their second moments. Of the widest products this
 * matrix is the peak of a conversion's memory. */
static int prepare(int n_in, int n_rows, const float *z, int *order, float **u, struct stac_error *err) {
    struct blocks b = {.n_in = n_in, .n_rows = n_rows, .z = z};
    size_t n = (size_t)n_in;
    double *h = NULL, mean;
    int status = STAC_OK;
    STAC_TRY_DONE(blocks_init(&b, err));
    STAC_TRY_DONE(sort_inputs(&b, order, &mean, err));
    STAC_TRY_DONE(STAC_NEW(h, n * n, "second moments", err));
    STAC_TRY_DONE(second_moments(&b, order, mean, h, err));
    STAC_TRY_DONE(factor_of_inverse(n_in, h, err));
    blocks_clean(&b);
    return factor_in_rows(n_in, h, u, err);
done:
    blocks_clean(&b);
    free(h);
    return status;
}

int stac_fit_weights(int n_in, int n_out, int n_rows, const float *z, float *w, const float *scale, int largest, int8_t *q,
                     struct stac_error *err) {
    float *u = NULL;
    int *order = NULL, status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(order, n_in, "second moments", err));
    STAC_TRY_DONE(prepare(n_in, n_rows, z, order, &u, err));
#pragma omp parallel for schedule(dynamic, 1)
    for (int from = 0; from < n_out; from += TILE)
        round_columns(n_in, n_out, from, from + TILE < n_out ? from + TILE : n_out, order, u, w, scale, (float)largest, q);
done:
    free(order);
    free(u);
    return status;
}
