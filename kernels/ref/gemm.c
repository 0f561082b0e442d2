/* Matrix products, written as their definition. */
#include <math.h>
#include <string.h>

#include "kernels/operators.h"
#include "kernels/set.h"

void K(gemm_f32)(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int l = 0; l < k; l++) sum = fmaf(x[(size_t)i * ldx + l], w[(size_t)l * ldw + j], sum);
            y[(size_t)i * ldy + j] = sum;
        }
}

void K(gemm_bf16)(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0, widened;
            for (int l = 0; l < k; l++) {
                uint32_t bits = (uint32_t)w[(size_t)l * ldw + j] << 16;
                memcpy(&widened, &bits, sizeof widened);
                sum = fmaf(x[(size_t)i * ldx + l], widened, sum);
            }
            y[(size_t)i * ldy + j] = sum;
        }
}

void K(gemm_i16i8)(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            int32_t sum = 0;
            for (int l = 0; l < k; l++) sum += (int32_t)x[(size_t)i * ldx + l] * w[(size_t)l * ldw + j];
            y[(size_t)i * ldy + j] = sum;
        }
}

void K(gemm_sparse)(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    for (int i = 0; i < m; i++) {
        int32_t *sum = y + (size_t)i * ldy;
        memset(sum, 0, (size_t)n * sizeof *sum);
        for (int l = 0; l < k; l++)
            for (int j = 0; j < n && x[(size_t)i * ldx + l]; j++)
                sum[j] += (int32_t)x[(size_t)i * ldx + l] * w[(size_t)l * ldw + j];
    }
}
