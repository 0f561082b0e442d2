/* The integer product where all of x lies in [-128, 127]: an inner path of gemm_i16i8, same arguments and bits. */
#ifndef STAC_KERNELS_CPU_GEMM_I8_H
#define STAC_KERNELS_CPU_GEMM_I8_H

#include <stdbool.h>
#include <stdint.h>

bool stac_fits_i8_avx512(int m, int k, const int16_t *x, int ldx);
void stac_gemm_i8_avx512(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy);

#endif
