/* Walsh-Hadamard transform for AVX-512. */
#include "kernels/cpu/hadamard.h"

void stac_hadamard_avx512(int m, int n, int order, float *x) {
    hadamard_rows(m, n, order, x);
}
