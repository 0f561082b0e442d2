/* What the sums of all steps are worth together, as their weights are made (spike/step_weights.h). Sums may overflow on the
 * way: what overflows cancels. */
#include <string.h>

#include "kernels/operators.h"
#include "kernels/set.h"

/* Columns that go through time together: some vectors of the compiler, of eight each. */
enum { EIGHT = 8, ABREAST = 4, COLUMNS = EIGHT * ABREAST };
typedef uint32_t vector __attribute__((vector_size(4 * EIGHT)));
typedef int16_t halves __attribute__((vector_size(2 * EIGHT)));
typedef int32_t whole __attribute__((vector_size(4 * EIGHT)));
struct columns {
    vector v[ABREAST];
};

#define EACH(k) for (int k = 0; k < ABREAST; k++)

/* y += sum * factor; by reference, for by value vectors are no part of every processor's calling convention. */
static inline void add(const int16_t *sum, uint32_t factor, struct columns *y) {
    halves h;
    EACH(k) {
        memcpy(&h, sum + k * EIGHT, sizeof h);
        y->v[k] += (vector) __builtin_convertvector(h, whole) * factor;
    }
}

/* Accumulators of classes are shifted between rounds and meet at the end. */
static inline void weigh_classes(const struct stac_steps *s, int ld, const int16_t *sum, struct columns *y) {
    int last_round = (s->timesteps - 1) / s->n_classes;
    for (int c = 0; c < s->n_classes && c < s->timesteps; c++) {
        int rounds = (s->timesteps - 1 - c) / s->n_classes;
        struct columns acc = {0};
        for (int t = c; t < s->timesteps; t += s->n_classes) {
            EACH(k) acc.v[k] <<= (uint32_t)s->shift;
            add(sum + (size_t)t * ld, 1, &acc);
        }
        EACH(k) y->v[k] += acc.v[k] * ((uint32_t)s->factor[c] << (s->shift * (last_round - rounds)));
    }
}

/* On a ramp the running sum is summed twice, behind heavy steps with factors of their own. */
static inline void weigh_ramp(const struct stac_steps *s, int ld, const int16_t *sum, struct columns *y) {
    struct columns once = {0}, twice = {0}, thrice = {0};
    for (int t = 0; t < s->heavy; t++) add(sum + (size_t)t * ld, (uint32_t)s->factor[t], y);
    for (int t = s->heavy; t < s->timesteps; t++) {
        add(sum + (size_t)t * ld, 1, &once);
        EACH(k) twice.v[k] += once.v[k];
        EACH(k) thrice.v[k] += twice.v[k];
    }
    EACH(k) y->v[k] += twice.v[k] * (uint32_t)s->factor[s->heavy] + thrice.v[k] * (uint32_t)s->factor[s->heavy + 1];
}

/* Weights without a law multiply the sums of their steps. */
static inline void weigh_each(const struct stac_steps *s, int ld, const int16_t *sum, struct columns *y) {
    for (int t = 0; t < s->timesteps; t++) add(sum + (size_t)t * ld, (uint32_t)s->weight[t], y);
}

/* y[COLUMNS] += their worth. */
static inline void weigh(const struct stac_steps *s, int ld, const int16_t *sum, int32_t *y) {
    struct columns all;
    memcpy(&all, y, sizeof all);
    if (s->curve > 0)
        weigh_ramp(s, ld, sum, &all);
    else if (s->n_classes)
        weigh_classes(s, ld, sum, &all);
    else
        weigh_each(s, ld, sum, &all);
    memcpy(y, &all, sizeof all);
}

void K(weigh_steps)(const struct stac_steps *s, int n, const int16_t *sum, int32_t *y) {
    int16_t last[STAC_MAX_TIMESTEPS * COLUMNS];
    int32_t out[COLUMNS];
    int j = 0;
    for (; j + COLUMNS <= n; j += COLUMNS) weigh(s, n, sum + j, y + j);
    if (j == n) return;
    size_t left = (size_t)(n - j);
    for (int t = 0; t < s->timesteps; t++) {
        memset(last + t * COLUMNS, 0, COLUMNS * sizeof *last);
        memcpy(last + t * COLUMNS, sum + (size_t)t * n + j, left * sizeof *sum);
    }
    memset(out, 0, sizeof out);
    memcpy(out, y + j, left * sizeof *y);
    weigh(s, COLUMNS, last, out);
    memcpy(y + j, out, left * sizeof *y);
}
