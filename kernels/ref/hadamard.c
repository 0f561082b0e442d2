/* Walsh-Hadamard transform, as its definition. */
#include <math.h>

#include "kernels/operators.h"
#include "kernels/set.h"

static void hadamard_group(int order, float *x) {
    for (int half = 1; half < order; half *= 2)
        for (int base = 0; base < order; base += 2 * half)
            for (int i = base; i < base + half; i++) {
                float a = x[i], b = x[i + half];
                x[i] = a + b;
                x[i + half] = a - b;
            }
    float factor = 1.0f / sqrtf((float)order);
    for (int i = 0; i < order; i++) x[i] *= factor;
}

void K(hadamard)(int m, int n, int order, float *x) {
#pragma omp parallel for schedule(static) if (m > 1)
    for (int i = 0; i < m; i++)
        for (int g = 0; g < n; g += order) hadamard_group(order, x + (size_t)i * n + g);
}
