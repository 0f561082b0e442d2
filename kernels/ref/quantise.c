/* Keys into int8. */
#include <math.h>

#include "kernels/operators.h"
#include "kernels/set.h"

float K(quantise)(int n, const float *x, int8_t *q) {
    float largest = 0;
    for (int i = 0; i < n; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    for (int i = 0; i < n; i++) {
        float r = rintf(x[i] * inverse);
        q[i] = (int8_t)(fabsf(r) <= 127.0f ? r : 0.0f);
    }
    return largest > 0 ? largest / 127.0f : 1.0f;
}
