/* Event-driven accumulation: a spike adds one row of weights. */
#include "kernels/operators.h"
#include "kernels/set.h"

void K(add_rows)(int n, int32_t *acc, const int8_t *w, int ldw, struct stac_events events) {
    for (int e = 0; e < events.n_plus + events.n_minus; e++) {
        const int8_t *row = w + (size_t)events.index[e] * ldw;
        int sign = e < events.n_plus ? 1 : -1;
        for (int j = 0; j < n; j++) acc[j] += sign * row[j];
    }
}
