/* Activation functions, alone and as the gate of a gated feed-forward part. */
#include "kernels/operators.h"
#include "kernels/scalar_math.h"
#include "kernels/set.h"

/* The choice of the function is taken outside the loop, so that each loop becomes vector code. */
static void activate_row(int n, int act, const float *x, float *y) {
    switch (act) {
    case STAC_KERNEL_SILU:
        for (int i = 0; i < n; i++) y[i] = stac_siluf(x[i]);
        break;
    case STAC_KERNEL_GELU_TANH:
        for (int i = 0; i < n; i++) y[i] = stac_gelu_tanhf(x[i]);
        break;
    case STAC_KERNEL_GELU_ERF:
        for (int i = 0; i < n; i++) y[i] = stac_gelu_erff(x[i]);
        break;
    default:
        for (int i = 0; i < n; i++) y[i] = stac_reluf(x[i]);
    }
}

void K(activate)(int m, int n, int act, float *x, int ldx) {
#pragma omp parallel for schedule(static) if (m > 1)
    for (int i = 0; i < m; i++) activate_row(n, act, x + (size_t)i * ldx, x + (size_t)i * ldx);
}

void K(gate)(int m, int n, int act, const float *x, int ldx, float *y) {
#pragma omp parallel for schedule(static) if (m > 1)
    for (int i = 0; i < m; i++) {
        const float *row = x + (size_t)i * ldx;
        float *out = y + (size_t)i * n;
        activate_row(n, act, row, out);
        for (int j = 0; j < n; j++) out[j] *= row[n + j];
    }
}
