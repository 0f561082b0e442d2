/* Operators on rows: norms, soft-max, rotary positions, Hadamard. Sums use STAC_LANES interleaved partial sums. */
#include <math.h>

#include "kernels/operators.h"
#include "kernels/scalar_math.h"
#include "kernels/set.h"

static inline float add_lanes(float *lane) {
    for (int width = STAC_LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) lane[i] += lane[i + width];
    return lane[0];
}

static inline float sum_of(int n, const float *x) {
    float lane[STAC_LANES] = {0};
    int i = 0;
    for (; i + STAC_LANES <= n; i += STAC_LANES)
        for (int l = 0; l < STAC_LANES; l++) lane[l] += x[i + l];
    for (int l = 0; i + l < n; l++) lane[l] += x[i + l];
    return add_lanes(lane);
}

/* sum (x - centre)^2 */
static inline float squares_about(int n, const float *x, float centre) {
    float lane[STAC_LANES] = {0};
    int i = 0;
    for (; i + STAC_LANES <= n; i += STAC_LANES)
        for (int l = 0; l < STAC_LANES; l++) lane[l] = fmaf(x[i + l] - centre, x[i + l] - centre, lane[l]);
    for (int l = 0; i + l < n; l++) lane[l] = fmaf(x[i + l] - centre, x[i + l] - centre, lane[l]);
    return add_lanes(lane);
}

float K(sum_squares)(int n, const float *x, const float *mean) {
    if (!mean) return squares_about(n, x, 0);
    float lane[STAC_LANES] = {0};
    int i = 0;
    for (; i + STAC_LANES <= n; i += STAC_LANES)
        for (int l = 0; l < STAC_LANES; l++) {
            float d = x[i + l] - mean[i + l];
            lane[l] = fmaf(d, d, lane[l]);
        }
    for (int l = 0; i + l < n; l++) {
        float d = x[i + l] - mean[i + l];
        lane[l] = fmaf(d, d, lane[l]);
    }
    return add_lanes(lane);
}

static void norm_row(int n, const float *x, const float *gain, const float *bias, float eps, int centred, float *y) {
    float centre = centred ? sum_of(n, x) / (float)n : 0.0f;
    float factor = 1.0f / sqrtf(squares_about(n, x, centre) / (float)n + eps);
    if (gain)
        for (int i = 0; i < n; i++) y[i] = (x[i] - centre) * factor * gain[i];
    else
        for (int i = 0; i < n; i++) y[i] = (x[i] - centre) * factor;
    if (bias)
        for (int i = 0; i < n; i++) y[i] += bias[i];
}

void K(norm)(int m, int n, const float *x, const float *gain, const float *bias, float eps, int centred, float *y) {
#pragma omp parallel for schedule(static) if (m > 1)
    for (int i = 0; i < m; i++) norm_row(n, x + (size_t)i * n, gain, bias, eps, centred, y + (size_t)i * n);
}

float K(softmax_exp)(int n, const float *s, float scale, float *e) {
    float largest = n > 0 ? s[0] * scale : 0;
    for (int i = 0; i < n; i++) largest = s[i] * scale > largest ? s[i] * scale : largest;
    for (int i = 0; i < n; i++) e[i] = stac_expf(s[i] * scale - largest);
    return sum_of(n, e);
}

void K(decode)(int n, const int32_t *acc, float factor, const float *scale, const float *bias, float *y) {
    if (bias)
        for (int i = 0; i < n; i++) y[i] = fmaf((float)acc[i], factor * scale[i], bias[i]);
    else
        for (int i = 0; i < n; i++) y[i] = (float)acc[i] * (factor * scale[i]);
}

void K(add)(int n, const float *x, float *y) {
    for (int i = 0; i < n; i++) y[i] += x[i];
}

void K(scale)(int n, float *x, float a) {
    for (int i = 0; i < n; i++) x[i] *= a;
}

void K(rope)(int n_heads, int dim, const float *cosine, const float *sine, float *x) {
    int half = dim / 2;
    for (int h = 0; h < n_heads; h++) {
        float *head = x + (size_t)h * dim;
        for (int i = 0; i < half; i++) {
            float a = head[i], b = head[i + half];
            head[i] = a * cosine[i] - b * sine[i];
            head[i + half] = b * cosine[i] + a * sine[i];
        }
    }
}
