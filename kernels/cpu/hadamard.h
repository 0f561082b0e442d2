/* Walsh-Hadamard transform vector by vector: inside of them by shuffles, then between them; the butterflies of the definition,
 * in its order. Written in GNU C's vectors, for each processor's instructions. */
#ifndef STAC_KERNELS_CPU_HADAMARD_H
#define STAC_KERNELS_CPU_HADAMARD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/operators.h"

#ifdef __AVX512F__
enum { STAC_HADAMARD_LANES = 16 };
typedef float stac_floats __attribute__((vector_size(64)));
typedef int32_t stac_lanes __attribute__((vector_size(64)));
static const stac_lanes stac_lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#else
enum { STAC_HADAMARD_LANES = 8 };
typedef float stac_floats __attribute__((vector_size(32)));
typedef int32_t stac_lanes __attribute__((vector_size(32)));
static const stac_lanes stac_lane = {0, 1, 2, 3, 4, 5, 6, 7};
#endif

/* Butterflies of lanes i and i + half, half = 1, 2, 4, ... inside of a vector. */
static inline void hadamard_inside(float *x) {
    stac_floats v;
    memcpy(&v, x, sizeof v);
#pragma GCC unroll 4
    for (int half = 1; half < STAC_HADAMARD_LANES; half *= 2) {
        stac_floats other = __builtin_shuffle(v, stac_lane ^ half), sum = v + other, difference = other - v;
        stac_lanes upper = (stac_lane & half) != 0;
        v = __builtin_shuffle(sum, difference, stac_lane + (upper & STAC_HADAMARD_LANES));
    }
    memcpy(x, &v, sizeof v);
}

/* Butterflies of the vectors at x and y. */
static inline void hadamard_between(float *x, float *y) {
    stac_floats a, b, sum, difference;
    memcpy(&a, x, sizeof a);
    memcpy(&b, y, sizeof b);
    sum = a + b, difference = a - b;
    memcpy(x, &sum, sizeof sum);
    memcpy(y, &difference, sizeof difference);
}

static inline void hadamard_group(int order, float *x) {
    float factor = 1.0f / sqrtf((float)order);
    for (int i = 0; i < order; i += STAC_HADAMARD_LANES) hadamard_inside(x + i);
    for (int half = STAC_HADAMARD_LANES; half < order; half *= 2)
        for (int base = 0; base < order; base += 2 * half)
            for (int i = base; i < base + half; i += STAC_HADAMARD_LANES) hadamard_between(x + i, x + i + half);
    for (int i = 0; i < order; i++) x[i] *= factor;
}

static inline void hadamard_rows(int m, int n, int order, float *x) {
    if (order < STAC_HADAMARD_LANES) {
        stac_hadamard_ref(m, n, order, x);
        return;
    }
#pragma omp parallel for schedule(static) if (m > 1)
    for (int i = 0; i < m; i++)
        for (int g = 0; g < n; g += order) hadamard_group(order, x + (size_t)i * n + g);
}

#endif
