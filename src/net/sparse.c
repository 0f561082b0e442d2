#include "net/sparse.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

enum { ROWS = 48, TRIES = 3, LARGEST = 2000 };

/* ---- measuring ---------------------------------------------------------------------------------------------------- */

/* One product in both ways. */
struct trial {
    int n_in, n_out;
    int16_t *x; /* [ROWS][n_in] */
    int8_t *w;  /* [n_in][n_out] */
    int32_t *y; /* [ROWS][n_out] */
};

static int trial_init(struct trial *t, const struct stac_linear *l, struct stac_error *err) {
    struct stac_random r = stac_random_seeded(1, 0);
    *t = (struct trial){.n_in = l->n_in, .n_out = l->n_out};
    STAC_TRY(STAC_NEW(t->x, (size_t)ROWS * t->n_in, "a trial product", err));
    STAC_TRY(STAC_NEW(t->w, (size_t)t->n_in * t->n_out, "a trial product", err));
    STAC_TRY(STAC_NEW(t->y, (size_t)ROWS * t->n_out, "a trial product", err));
    for (size_t i = 0; i < (size_t)t->n_in * t->n_out; i++) t->w[i] = (int8_t)(stac_random_u64(&r) % 255 - 127);
    return STAC_OK;
}

static void trial_clean(struct trial *t) {
    free(t->x);
    free(t->w);
    free(t->y);
}

/* Codes of that density, wide ones as those of many steps are. */
static void fill_codes(struct trial *t, double density) {
    struct stac_random r = stac_random_seeded(2, 0);
    for (int i = 0; i < ROWS * t->n_in; i++)
        t->x[i] = stac_random_uniform(&r) < density ? (int16_t)(1 + stac_random_u64(&r) % LARGEST) : 0;
}

/* Seconds of a row; the best of some tries. */
static double time_of(const struct trial *t, bool events) {
    const struct stac_kernels *k = stac_kernels_best();
    double best = 1e30;
    for (int i = 0; i < TRIES; i++) {
        double began = stac_clock_now();
        (events ? k->gemm_sparse : k->gemm_i16i8)(ROWS, t->n_out, t->n_in, t->x, t->n_in, t->w, t->n_out, t->y, t->n_out);
        double seconds = (stac_clock_now() - began) / ROWS;
        best = seconds < best ? seconds : best;
    }
    return best;
}

/* The time of events is a straight line of the density: through two points of it, to where it meets the packed product. */
static void measure(struct trial *t, struct stac_sparse_shape *s) {
    const double low = 0.1, high = 0.5;
    fill_codes(t, low);
    double at_low = time_of(t, true);
    fill_codes(t, high);
    double slope = (time_of(t, true) - at_low) / (high - low);
    s->packed = time_of(t, false);
    s->events = at_low + slope * (1 - low);
    double meet = slope > 0 ? low + (s->packed - at_low) / slope : s->packed > at_low;
    s->break_even = meet < 0 ? 0 : meet > 1 ? 1 : meet;
}

static const struct stac_sparse_shape *shape_of(const struct stac_sparse *s, const struct stac_linear *l) {
    for (int i = 0; i < s->n; i++)
        if (s->shape[i].n_in == l->n_in && s->shape[i].n_out == l->n_out) return &s->shape[i];
    return NULL;
}

static int add_shape(struct stac_sparse *s, const struct stac_linear *l, struct stac_error *err) {
    struct trial t;
    if (shape_of(s, l) || s->n == STAC_SPARSE_SHAPES) return STAC_OK;
    int status = trial_init(&t, l, err);
    if (status == STAC_OK) {
        struct stac_sparse_shape *shape = &s->shape[s->n++];
        *shape = (struct stac_sparse_shape){.n_in = l->n_in, .n_out = l->n_out};
        measure(&t, shape);
    }
    trial_clean(&t);
    return status;
}

int stac_sparse_measure(struct stac_sparse *s, const struct stac_network *net, struct stac_error *err) {
    *s = (struct stac_sparse){0};
    if (net->last > net->first) {
        const struct stac_block *b = &net->block[0];
        const struct stac_linear *all[] = {&b->qkv, &b->o, &b->up, &b->down};
        for (int i = 0; i < 4; i++) STAC_TRY(add_shape(s, all[i], err));
    }
    return net->has_head ? add_shape(s, &net->head, err) : STAC_OK;
}

bool stac_sparse_prefers_events(const struct stac_sparse *s, const struct stac_linear *l, int64_t active, int64_t all) {
    const struct stac_sparse_shape *shape = shape_of(s, l);
    return shape && (double)active < shape->break_even * (double)all;
}
