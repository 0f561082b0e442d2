/* How an index is drawn from a row of logits: one source for processors and devices.
 *
 *     p_i = exp((logit_i - top) * colder),   colder = 1 / temperature
 *     the first i at which p_0 + .. + p_i exceeds u times the sum of all
 *
 * Sums are of doubles, piece by piece: STAC_DRAW_PIECE terms in a row, and the pieces in a row. Where rounding leaves none the
 * last index of the piece, or of the row, is drawn. */
#ifndef STAC_KERNELS_DRAW_H
#define STAC_KERNELS_DRAW_H

#include "kernels/scalar_math.h"

enum { STAC_DRAW_PIECE = 256 };

STAC_INLINE int stac_draw_pieces(int n) {
    return (n + STAC_DRAW_PIECE - 1) / STAC_DRAW_PIECE;
}

STAC_INLINE double stac_draw_weight(float logit, float top, double colder) {
    return stac_exp(((double)logit - (double)top) * colder);
}

/* Of the terms of a piece. */
STAC_INLINE double stac_draw_sum(int n, const float *logits, int piece, float top, double colder) {
    int from = piece * STAC_DRAW_PIECE, to = from + STAC_DRAW_PIECE < n ? from + STAC_DRAW_PIECE : n;
    double sum = 0;
    for (int i = from; i < to; i++) sum += stac_draw_weight(logits[i], top, colder);
    return sum;
}

/* The index of a piece at which the sum, which is `before` in front of it, exceeds `at`. */
STAC_INLINE int stac_draw_within(int n, const float *logits, int piece, float top, double colder, double before, double at) {
    int i = piece * STAC_DRAW_PIECE, last = i + STAC_DRAW_PIECE < n ? i + STAC_DRAW_PIECE - 1 : n - 1;
    double sum = before;
    for (; i < last; i++) {
        sum += stac_draw_weight(logits[i], top, colder);
        if (at < sum) break;
    }
    return i;
}

/* All of it, by one thread; u in [0, 1). */
STAC_INLINE int stac_draw(int n, const float *logits, double temperature, double u) {
    float top = -INFINITY;
    double total = 0, before = 0, colder = 1 / temperature;
    for (int i = 0; i < n; i++) top = logits[i] > top ? logits[i] : top;
    for (int p = 0; p < stac_draw_pieces(n); p++) total += stac_draw_sum(n, logits, p, top, colder);
    for (int p = 0; p < stac_draw_pieces(n); p++) {
        double sum = stac_draw_sum(n, logits, p, top, colder);
        if (u * total < before + sum) return stac_draw_within(n, logits, p, top, colder, before, u * total);
        before += sum;
    }
    return n - 1;
}

#endif
