#include "products.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "kernels/kernels.h"

enum { ROWS = 512, TRIES = 8 };
static const double at_least = 1; /* second: small products are done before a busy neighbour is */

/* Of OpenBLAS, whose headers have different places on different systems. */
void cblas_sgemm(int order, int a, int b, int m, int n, int k, float alpha, const float *x, int ldx, const float *w, int ldw,
                 float beta, float *y, int ldy);
void openblas_set_num_threads(int n);
enum { ROW_MAJOR = 101, AS_IT_IS = 111 };

static double best_of(double best, double began, double operations) {
    double rate = operations / (stac_clock_now() - began);
    return rate > best ? rate : best;
}

/* Integers as the codes of an SNN: of 8 bits, and of 16. */
static int bench_codes(int k, int n, struct stac_error *err) {
    int16_t *x = NULL;
    int8_t *w = NULL;
    int32_t *y = NULL;
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(x, (size_t)ROWS * k, "inputs", err));
    STAC_TRY_DONE(STAC_NEW(w, (size_t)k * n, "weights", err));
    STAC_TRY_DONE(STAC_NEW(y, (size_t)ROWS * n, "outputs", err));
    for (size_t i = 0; i < (size_t)k * n; i++) w[i] = (int8_t)(i % 255 - 127);
    for (int bits = 8; bits <= 16; bits += 8) {
        double best = 0, start = stac_clock_now();
        for (int i = 0; i < ROWS * k; i++) x[i] = (int16_t)((i % 201 - 100) * (bits == 16 ? 7 : 1));
        for (int t = 0; t < TRIES || stac_clock_now() - start < at_least; t++) {
            double began = stac_clock_now();
            stac_kernels_best()->gemm_i16i8(ROWS, n, k, x, k, w, n, y, n);
            best = best_of(best, began, 2.0 * ROWS * k * n);
        }
        printf("int%d_%dx%d,%.4g,operations/s\n", bits, k, n, best);
    }
done:
    free(x);
    free(w);
    free(y);
    return status;
}

static int bench_shape(int k, int n, struct stac_error *err) {
    float *x = NULL, *w = NULL, *y = NULL;
    double operations = 2.0 * ROWS * k * n, ours = 0, openblas = 0;
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(x, (size_t)ROWS * k, "inputs", err));
    STAC_TRY_DONE(STAC_NEW(w, (size_t)k * n, "weights", err));
    STAC_TRY_DONE(STAC_NEW(y, (size_t)ROWS * n, "outputs", err));
    for (int i = 0; i < ROWS * k; i++) x[i] = (float)(i % 13 - 6);
    for (size_t i = 0; i < (size_t)k * n; i++) w[i] = (float)(i % 17) - 8;
    double start = stac_clock_now();
    for (int t = 0; t < TRIES || stac_clock_now() - start < at_least; t++) {
        double began = stac_clock_now();
        stac_kernels_best()->gemm_f32(ROWS, n, k, x, k, w, n, y, n);
        ours = best_of(ours, began, operations);
        began = stac_clock_now();
        cblas_sgemm(ROW_MAJOR, AS_IT_IS, AS_IT_IS, ROWS, n, k, 1, x, k, w, n, 0, y, n);
        openblas = best_of(openblas, began, operations);
    }
    printf("float_%dx%d,%.4g,operations/s\nopenblas_%dx%d,%.4g,operations/s\n", k, n, ours, k, n, openblas);
done:
    free(x);
    free(w);
    free(y);
    return status;
}

int products_bench(struct stac_error *err) {
    openblas_set_num_threads(omp_get_max_threads());
    STAC_TRY(bench_shape(576, 3072, err));
    STAC_TRY(bench_codes(576, 3072, err));
    STAC_TRY(bench_shape(2048, 16384, err));
    return bench_codes(2048, 16384, err);
}
