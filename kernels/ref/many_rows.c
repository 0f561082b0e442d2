/* Operators of many rows, made of those of one: threads take rows. */
#include <string.h>

#include "kernels/draw.h"
#include "kernels/operators.h"
#include "kernels/set.h"

void K(gather)(int m, int n, const int32_t *index, const float *table, int onto, float *x) {
#pragma omp parallel for schedule(static) if (m > 1)
    for (int i = 0; i < m; i++) {
        const float *from = table + (size_t)index[i] * (size_t)n;
        float *to = x + (size_t)i * (size_t)n;
        if (onto)
            K(add)(n, from, to);
        else
            memcpy(to, from, (size_t)n * sizeof *to);
    }
}

void K(add_to_rows)(int m, int n, const float *x, int ldx, float *y) {
#pragma omp parallel for schedule(static) if (m > 1)
    for (int i = 0; i < m; i++) K(add)(n, x + (size_t)i * (size_t)ldx, y + (size_t)i * (size_t)n);
}

void K(encode_rows)(const struct stac_encoding *e, int m, int n, const float *x, float *factor, int16_t *code,
                    struct stac_tally *tally) {
    int64_t spikes = 0, active = 0;
#pragma omp parallel for schedule(static) reduction(+ : spikes, active) if (m > 1)
    for (int i = 0; i < m; i++) {
        const float *row = x + (size_t)i * (size_t)n;
        int16_t *to = code + (size_t)i * (size_t)n;
        factor[i] = e->scaled ? stac_scaled_unit(e->unit, n, K(sum_squares)(n, row, e->mean)) : e->unit;
        spikes += K(encode)(&e->levels, n, row, e->mean, 1.0f / factor[i], to);
        active += stac_active_codes(n, to);
    }
    tally->spikes += spikes;
    tally->active += active;
}

void K(decode_rows)(int m, int n, const int32_t *acc, const float *factor, const float *scale, const float *bias, float *y) {
#pragma omp parallel for schedule(static) if (m > 1)
    for (int i = 0; i < m; i++) K(decode)(n, acc + (size_t)i * (size_t)n, factor[i], scale, bias, y + (size_t)i * (size_t)n);
}

void K(turn)(int m, int n_heads, int dim, const int32_t *position, const float *cosine, const float *sine, float *x, int ldx) {
#pragma omp parallel for schedule(static) if (m > 1)
    for (int i = 0; i < m; i++) {
        size_t at = (size_t)position[i] * (size_t)(dim / 2);
        K(rope)(n_heads, dim, cosine + at, sine + at, x + (size_t)i * (size_t)ldx);
    }
}

void K(draw)(int m, int n, const float *logits, double temperature, const double *u, int32_t *token) {
#pragma omp parallel for schedule(static) if (m > 1)
    for (int i = 0; i < m; i++) token[i] = stac_draw(n, logits + (size_t)i * (size_t)n, temperature, u[i]);
}
