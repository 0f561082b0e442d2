/* Spikes in time: each adds one row of weights to the sums of its step. */
#include <string.h>

#include "kernels/operators.h"
#include "kernels/set.h"

void K(sum_spikes)(const struct stac_spikes *s, int n, const int8_t *w, int ldw, int16_t *sum) {
    memset(sum, 0, (size_t)s->timesteps * (size_t)n * sizeof *sum);
    for (int place = 0; place < 2 * s->timesteps; place++) {
        int16_t *to = sum + (size_t)(place / 2) * n;
        for (int e = s->begin[place]; e < s->begin[place + 1]; e++) {
            const int8_t *row = w + (size_t)s->index[e] * ldw;
            int sign = place % 2 ? -1 : 1;
            for (int j = 0; j < n; j++) to[j] = (int16_t)(to[j] + sign * row[j]);
        }
    }
}
