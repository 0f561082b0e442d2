#include "convert/fit_weights.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "kernels/kernels.h"
#include "kernels/transpose.h"

enum {
    TILE = 64, /* columns that are rounded together */
    BLOCK =
        256, /* rows that are summed up in float: inputs that are large at a few tokens would drown the damping in roundings */
};

#define DAMPING 0.01 /* of the mean diagonal, added to it: inputs that hardly vary stay harmless */

/* h[n_in][n_in] = Z^T Z / n_rows, damped; h is zero before */
static int second_moments(int n_in, int n_rows, const float *z, double *h, struct stac_error *err) {
    float *turned = NULL, *product = NULL;
    double mean = 0;
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(turned, (size_t)n_in * BLOCK, "second moments", err));
    STAC_TRY_DONE(STAC_NEW(product, (size_t)n_in * n_in, "second moments", err));
    for (int row = 0; row < n_rows; row += BLOCK) {
        int rows = n_rows - row < BLOCK ? n_rows - row : BLOCK;
        const float *block = z + (size_t)row * n_in;
        stac_transpose(rows, n_in, block, n_in, turned);
        stac_kernels_best()->gemm_f32(n_in, n_in, rows, turned, rows, block, n_in, product, n_in);
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < (size_t)n_in * n_in; i++) h[i] += (double)product[i] / n_rows;
    }
    for (int i = 0; i < n_in; i++) mean += h[(size_t)i * n_in + i] / n_in;
    for (int i = 0; i < n_in; i++) h[(size_t)i * n_in + i] += mean > 0 ? DAMPING * mean : 1;
done:
    free(turned);
    free(product);
    return status;
}

/* h becomes its inverse's upper factor U, inverse = U^T U, in row-major order. */
static int factor_of_inverse(int n, double *h, struct stac_error *err) {
    lapack_int info = LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'U', n, h, n);
    if (info == 0) info = LAPACKE_dpotri(LAPACK_ROW_MAJOR, 'U', n, h, n);
    if (info == 0) info = LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'U', n, h, n);
    if (info == 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "the inputs of a product have no positive second moments (LAPACK %d)", (int)info);
}

/* Inputs from the strongest to the weakest: what is rounded late can make up for little. */
static void sort_inputs(int n, const double *h, int *order) {
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && h[(size_t)order[at - 1] * n + order[at - 1]] < h[(size_t)i * n + i]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
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

/* Sorted inputs, order[n_in], and the factor u[n_in][n_in] of the inverse of their second moments. What is wide is not kept
 * longer than it takes: of the widest products these matrices are the peak of a conversion's memory. */
static int prepare(int n_in, int n_rows, const float *z, int *order, float **u, struct stac_error *err) {
    size_t n = (size_t)n_in;
    double *h = NULL, *sorted = NULL;
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(h, n * n, "second moments", err));
    STAC_TRY_DONE(second_moments(n_in, n_rows, z, h, err));
    sort_inputs(n_in, h, order);
    STAC_TRY_DONE(STAC_NEW(sorted, n * n, "second moments", err));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) sorted[i * n + j] = h[(size_t)order[i] * n + (size_t)order[j]];
    free(h);
    h = NULL;
    STAC_TRY_DONE(factor_of_inverse(n_in, sorted, err));
    STAC_TRY_DONE(STAC_NEW(*u, n * n, "second moments", err));
    for (size_t i = 0; i < n * n; i++) (*u)[i] = (float)sorted[i];
done:
    free(h);
    free(sorted);
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
