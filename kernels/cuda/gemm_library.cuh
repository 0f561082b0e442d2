/* Dense products of many rows by cuBLASLt, on tensor cores: within a bound of the exact ones, where a job wants speed. Weights in
 * bfloat16 are multiplied by one or two bfloat16 numbers for every activation, the nearest one and the nearest one to what is
 * left; sums are of floats, in an order that the library chooses. */
#ifndef STAC_KERNELS_CUDA_GEMM_LIBRARY_CUH
#define STAC_KERNELS_CUDA_GEMM_LIBRARY_CUH

#include <stdint.h>

/* Load the library and reserve its workspace, unless that is done; from now on `parts` numbers, 1 or 2, for every activation. The
 * reason of a failure, or NULL. */
const char *stac_library_open(int parts);
void stac_library_close(void);

/* What went wrong in a product since it was opened, or NULL. */
const char *stac_library_failure(void);

/* y[m][n] = x[m][k] w[k][n], as gemm_f32 and gemm_bf16 (kernels.h), of as many of the first rows as are for it: their number. */
int stac_library_f32(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy);
int stac_library_bf16(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy);

#endif
