/* Walsh-Hadamard transform for AVX2. */
#include "kernels/cpu/hadamard.h"

void stac_hadamard_avx2(int m, int n, int order, float *x) {
    hadamard_rows(m, n, order, x);
}
