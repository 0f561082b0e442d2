/* Elementary functions as polynomials in fused multiply-adds: the same bits wherever they are compiled, and free of
 * branches so that a compiler turns a loop over them into vector code. Errors were measured over all floats of the
 * stated range against double precision (tests/unit/test_kernels.c repeats the measurement on a sample). */
#ifndef STAC_KERNELS_SCALAR_MATH_H
#define STAC_KERNELS_SCALAR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernels.h"

/* exp(x), relative error below 2^-22; x is clamped to [-87, 88], so the result is a normal number.
 * x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) by the Taylor polynomial of degree 7. */
STAC_INLINE float stac_expf(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float n = rintf(x * 1.44269504f);
    float r = fmaf(n, -0.693359375f, x); /* ln 2 in two parts (Cody and Waite) */
    r = fmaf(n, 2.12194440e-4f, r);
    float p = 1.98412698e-4f;
    p = fmaf(p, r, 1.38888889e-3f);
    p = fmaf(p, r, 8.33333333e-3f);
    p = fmaf(p, r, 4.16666667e-2f);
    p = fmaf(p, r, 1.66666667e-1f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    int32_t bits = ((int32_t)(n == n ? n : 0.0f) + 127) * (1 << 23); /* p is NaN already if x is */
    float two_n;
    memcpy(&two_n, &bits, sizeof two_n);
    return p * two_n;
}

/* exp(x) in double precision, relative error below 2^-51; 0 below -708, x is clamped to 709. ln 2 in two parts as in fdlibm;
 * the Taylor polynomial of degree 13. */
STAC_INLINE double stac_exp(double x) {
    x = x > 709.0 ? 709.0 : x;
    if (x < -708.0) return 0.0;
    double n = rint(x * 1.4426950408889634);
    double r = fma(n, -6.93147180369123816490e-01, x);
    r = fma(n, -1.90821492927058770002e-10, r);
    double p = 1.0 / 6227020800.0;
    p = fma(p, r, 1.0 / 479001600.0);
    p = fma(p, r, 1.0 / 39916800.0);
    p = fma(p, r, 1.0 / 3628800.0);
    p = fma(p, r, 1.0 / 362880.0);
    p = fma(p, r, 1.0 / 40320.0);
    p = fma(p, r, 1.0 / 5040.0);
    p = fma(p, r, 1.0 / 720.0);
    p = fma(p, r, 1.0 / 120.0);
    p = fma(p, r, 1.0 / 24.0);
    p = fma(p, r, 1.0 / 6.0);
    p = fma(p, r, 0.5);
    p = fma(p, r, 1.0);
    p = fma(p, r, 1.0);
    int64_t bits = ((int64_t)(n == n ? n : 0.0) + 1023) * (INT64_C(1) << 52); /* p is NaN already if x is */
    double two_n;
    memcpy(&two_n, &bits, sizeof two_n);
    return p * two_n;
}

/* x / (1 + exp(-x)) */
STAC_INLINE float stac_siluf(float x) {
    return x / (1.0f + stac_expf(-x));
}

/* 0.5 x (1 + tanh(u)) = x (1 - 1 / (exp(2u) + 1)), u = sqrt(2/pi) (x + 0.044715 x^3) */
STAC_INLINE float stac_gelu_tanhf(float x) {
    float u = 0.797884561f * fmaf(0.044715f * x * x, x, x);
    return x * (1.0f - 1.0f / (stac_expf(2.0f * u) + 1.0f));
}

/* erf(x), absolute error below 3e-7: a rational function of x clamped to +-3.92, the coefficients of Eigen's
 * generic_fast_erf (Eigen/src/SpecialFunctions). */
STAC_INLINE float stac_erff(float x) {
    x = x < -3.925724783138660f ? -3.925724783138660f : x;
    x = x > 3.925724783138660f ? 3.925724783138660f : x;
    float s = x * x;
    float a = -2.72614225801306e-10f;
    a = fmaf(a, s, 2.77068142495902e-08f);
    a = fmaf(a, s, -2.10102402082508e-06f);
    a = fmaf(a, s, -5.69250639462346e-05f);
    a = fmaf(a, s, -7.34990630326855e-04f);
    a = fmaf(a, s, -2.95459980854025e-03f);
    a = fmaf(a, s, -1.60960333262415e-02f);
    float b = -1.45660718464996e-05f;
    b = fmaf(b, s, -2.13374055278905e-04f);
    b = fmaf(b, s, -1.68282697438203e-03f);
    b = fmaf(b, s, -7.37332916720468e-03f);
    b = fmaf(b, s, -1.42647390514189e-02f);
    return x * a / b;
}

STAC_INLINE float stac_gelu_erff(float x) {
    return 0.5f * x * (1.0f + stac_erff(0.707106781f * x));
}

STAC_INLINE float stac_reluf(float x) {
    return x > 0.0f ? x : 0.0f;
}

#endif
