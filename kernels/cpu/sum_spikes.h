/* Spikes in time: the sums of some columns stay in registers while the spikes of a step pass. Before it is included:
 *
 *     VECTOR, GROUP           a register of 16-bit sums, and how many it holds
 *     ZERO, WIDEN(p)          one of zeros; GROUP bytes widened
 *     ADD(a, b), SUB(a, b)    of registers
 *     STORE(p, v) */
#ifndef STAC_KERNELS_CPU_SUM_SPIKES_H
#define STAC_KERNELS_CPU_SUM_SPIKES_H

#include <immintrin.h>

#include "kernels/operators.h"

enum { MOST = 8, AHEAD = 20, LINE = 64 }; /* registers; spikes whose rows are on their way; bytes that come at once */
_Static_assert((int)AHEAD <= STAC_SPIKES_AHEAD, "they may be read");

#define INLINE static inline __attribute__((always_inline))

/* How many groups of columns there are is known when this is compiled; so is `far`: rows lie apart, and are fetched ahead. */
INLINE void add(int groups, int far, VECTOR *sum, const struct stac_spikes *s, int place, const int8_t *w, int ldw, int minus) {
    for (int e = s->begin[place]; e < s->begin[place + 1]; e++) {
        const int8_t *row = w + (size_t)s->index[e] * ldw, *later = w + (size_t)s->index[e + AHEAD] * ldw;
        for (int at = 0; at < groups * GROUP && far; at += LINE) _mm_prefetch(later + at, _MM_HINT_T0);
        for (int g = 0; g < groups; g++) {
            VECTOR r = WIDEN(row + GROUP * g);
            sum[g] = minus ? SUB(sum[g], r) : ADD(sum[g], r);
        }
    }
}

INLINE void sum_groups(int groups, int far, const struct stac_spikes *s, int n, const int8_t *w, int ldw, int16_t *to) {
    for (int t = 0; t < s->timesteps; t++) {
        VECTOR sum[MOST];
        for (int g = 0; g < groups; g++) sum[g] = ZERO;
        add(groups, far, sum, s, 2 * t, w, ldw, 0);
        add(groups, far, sum, s, 2 * t + 1, w, ldw, 1);
        for (int g = 0; g < groups; g++) STORE(to + (size_t)t * n + GROUP * g, sum[g]);
    }
}

#endif
