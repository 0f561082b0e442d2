#include "convert/shape.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/exact_sums.h"
#include "convert/fold.h"

#define HIDDEN_POWER 0.125 /* measured: 0.25 overshoots, rare large channels then clip */
#define LARGEST_SCALE 16.0 /* of a hidden channel, and its inverse */

/* Sums over the rows of all windows, of all layers of the model. */
enum { A, MEAN, HIDDEN_G, HIDDEN_X, HIDDEN_MEAN, SUMS };

struct shape {
    const struct stac_calibration *c;
    struct stac_shaping what;
    /* [n_layer][kv heads][dim][dim], [n_layer][kv heads][dim], and three times [n_layer][n_ff] */
    struct stac_exact_sums sums[SUMS];
    double *square; /* [dim][dim] workspace */
    int64_t rows;   /* of a window times windows */
};

static void shape_clean(struct shape *s) {
    for (int i = 0; i < SUMS; i++) stac_exact_sums_clean(&s->sums[i]);
    free(s->square);
}

static int shape_init(struct shape *s, struct stac_error *err) {
    const struct stac_hparams *hp = s->c->hp;
    size_t layers = (size_t)hp->n_layer, dim = (size_t)hp->head_dim;
    size_t heads = layers * (size_t)hp->n_head_kv, hidden = layers * (size_t)(hp->gated ? hp->n_ff : 1);
    STAC_TRY(stac_exact_sums_init(&s->sums[A], heads * dim * dim, err));
    STAC_TRY(stac_exact_sums_init(&s->sums[MEAN], heads * dim, err));
    for (int i = HIDDEN_G; i < SUMS; i++) STAC_TRY(stac_exact_sums_init(&s->sums[i], hidden, err));
    return STAC_NEW(s->square, dim * dim, "second moments", err);
}

/* ---- looking ------------------------------------------------------------------------------------------------------ */

/* sums += x x^T over n_rows rows of `dim` values. */
static void add_products(struct stac_exact_sums *sums, size_t at, int n_rows, int dim, const float *x, int ld, double *square) {
    memset(square, 0, (size_t)dim * dim * sizeof *square);
    for (int r = 0; r < n_rows; r++)
        for (int i = 0; i < dim; i++)
            for (int j = 0; j < dim; j++) square[i * dim + j] += (double)x[(size_t)r * ld + i] * x[(size_t)r * ld + j];
    for (int i = 0; i < dim * dim; i++) stac_exact_sums_add(sums, at + (size_t)i, square[i]);
}

static void look_at_values(struct shape *s, int layer, int n_rows, const float *x, int ld) {
    const struct stac_hparams *hp = s->c->hp;
    int dim = hp->head_dim, per_kv = hp->n_head / hp->n_head_kv;
    for (int h = 0; h < hp->n_head; h++) {
        size_t head = (size_t)layer * hp->n_head_kv + h / per_kv;
        add_products(&s->sums[A], head * dim * dim, n_rows, dim, x + h * dim, ld, s->square);
        for (int i = 0; i < dim; i++) {
            double sum = 0;
            for (int r = 0; r < n_rows; r++) sum += x[(size_t)r * ld + h * dim + i];
            stac_exact_sums_add(&s->sums[MEAN], head * dim + (size_t)i, sum);
        }
    }
}

static void look_at_hidden(struct shape *s, int layer, int n_rows, int n, const float *x, const float *gradient) {
#pragma omp parallel for schedule(static)
    for (int j = 0; j < n; j++) {
        double g = 0, square = 0, sum = 0;
        for (int r = 0; r < n_rows; r++) {
            size_t at = (size_t)r * n + j;
            g += (double)gradient[at] * gradient[at], square += (double)x[at] * x[at], sum += x[at];
        }
        stac_exact_sums_add(&s->sums[HIDDEN_G], (size_t)layer * n + j, g);
        stac_exact_sums_add(&s->sums[HIDDEN_X], (size_t)layer * n + j, square);
        stac_exact_sums_add(&s->sums[HIDDEN_MEAN], (size_t)layer * n + j, sum);
    }
}

static void look(void *ctx, const struct stac_site *site, int head, int n_rows, int n, const float *x, int ldx,
                 const float *gradient, int ldg) {
    struct shape *s = ctx;
    (void)head, (void)ldg;
    if (site->kind == STAC_SITE_O_IN) look_at_values(s, site->layer, n_rows, x, ldx);
    if (site->kind == STAC_SITE_DOWN_IN && s->c->hp->gated) look_at_hidden(s, site->layer, n_rows, n, x, gradient);
}

static int check(void *ctx, struct stac_error *err) {
    struct shape *s = ctx;
    for (int i = 0; i < SUMS; i++) STAC_TRY(stac_exact_sums_check(&s->sums[i], "what shapes the activations", err));
    return STAC_OK;
}

/* ---- shaping ------------------------------------------------------------------------------------------------------ */

/* Eigenvectors of the covariance of what a head gives to o: the columns of t[dim][dim]; `inverse` is its transpose. */
static int basis_of_head(struct shape *s, size_t head, float *t, float *inverse, struct stac_error *err) {
    int n = s->c->hp->head_dim, per_kv = s->c->hp->n_head / s->c->hp->n_head_kv;
    double *c = s->square, values[1024], count = (double)s->rows * per_kv;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double at_i = stac_exact_sums_value(&s->sums[MEAN], head * n + (size_t)i) / count;
            double at_j = stac_exact_sums_value(&s->sums[MEAN], head * n + (size_t)j) / count;
            c[i * n + j] = stac_exact_sums_value(&s->sums[A], (head * n + (size_t)i) * n + (size_t)j) / count - at_i * at_j;
        }
    lapack_int info = LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', n, c, n, values);
    if (info != 0)
        return stac_fail(err, STAC_ERR_INPUT, "the covariance of %d channels has no eigenvectors (LAPACK %d)", n, (int)info);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) inverse[j * n + i] = t[i * n + j] = (float)c[i * n + j];
    return STAC_OK;
}

/* Scales of the hidden channels of a layer, their geometric mean 1. */
static void scales_of_layer(const struct shape *s, int layer, float *scale) {
    int n = s->c->hp->n_ff;
    double rows = (double)s->rows, mean = 0;
    for (int j = 0; j < n; j++) {
        size_t at = (size_t)layer * n + j;
        double x = stac_exact_sums_value(&s->sums[HIDDEN_MEAN], at) / rows;
        double power = stac_exact_sums_value(&s->sums[HIDDEN_X], at) / rows - x * x;
        double g = stac_exact_sums_value(&s->sums[HIDDEN_G], at) / rows;
        double wanted = power > 0 && g > 0 ? pow(g / power, HIDDEN_POWER) : 1;
        scale[j] = (float)log(wanted);
        mean += scale[j] / (double)n;
    }
    for (int j = 0; j < n; j++) scale[j] = (float)fmin(fmax(exp(scale[j] - mean), 1 / LARGEST_SCALE), LARGEST_SCALE);
}

/* What changes a layer: the bases of its heads and their inverses, [kv heads][2][dim][dim], and the scales [n_ff]. */
struct change {
    float *basis, *scale;
    size_t n_basis, n_scale;
};

static int change_init(struct change *change, const struct shape *s, struct stac_error *err) {
    const struct stac_hparams *hp = s->c->hp;
    *change = (struct change){.n_basis = s->what.values ? 2 * (size_t)hp->n_head_kv * hp->head_dim * hp->head_dim : 0,
                              .n_scale = hp->gated && s->what.hidden ? (size_t)hp->n_ff : 0};
    STAC_TRY(STAC_NEW(change->basis, change->n_basis, "changes of basis", err));
    return STAC_NEW(change->scale, change->n_scale, "scales", err);
}

static int find_change(struct shape *s, int layer, struct change *change, struct stac_error *err) {
    const struct stac_hparams *hp = s->c->hp;
    size_t area = (size_t)hp->head_dim * hp->head_dim, head = (size_t)layer * hp->n_head_kv;
    for (float *t = change->basis; t < change->basis + change->n_basis; t += 2 * area)
        STAC_TRY(basis_of_head(s, head++, t, t + area, err));
    if (change->n_scale) scales_of_layer(s, layer, change->scale);
    return STAC_OK;
}

static int make_change(const struct stac_hparams *hp, const struct change *change, struct stac_block *b,
                       struct stac_error *err) {
    size_t area = (size_t)hp->head_dim * hp->head_dim;
    for (int h = 0; h < hp->n_head_kv && change->n_basis; h++) {
        const float *t = change->basis + 2 * (size_t)h * area;
        STAC_TRY(stac_turn_values(hp, b, h, t, t + area, err));
    }
    if (change->n_scale) stac_scale_hidden(b, change->scale);
    return STAC_OK;
}

/* The first group finds what changes a layer, for all: other machines may round otherwise. Collective over the ranks of a
 * stage. */
static int change_weights(struct shape *s, struct stac_network *net, struct stac_error *err) {
    const struct stac_grid *g = s->c->grid;
    struct change change;
    int status = change_init(&change, s, err);
    for (int l = 0; l < net->last - net->first; l++) {
        if (status == STAC_OK && g->group == 0) status = find_change(s, net->first + l, &change, err);
        STAC_TRY_DONE(stac_agree(s->c->ranks, g->stage_comm, status, err));
        STAC_TRY_DONE(stac_broadcast(g->stage_comm, change.basis, change.n_basis * sizeof *change.basis, 0, err));
        STAC_TRY_DONE(stac_broadcast(g->stage_comm, change.scale, change.n_scale * sizeof *change.scale, 0, err));
        status = make_change(s->c->hp, &change, &net->block[l], err);
    }
done:
    free(change.basis);
    free(change.scale);
    return status;
}

int stac_shape_network(struct stac_calibration *c, struct stac_shaping what, uint64_t seed, int n_windows,
                       struct stac_network *net, struct stac_error *err) {
    struct shape s = {.c = c, .what = what, .rows = (int64_t)n_windows * c->length};
    struct stac_partial part[SUMS];
    struct stac_gradients gradients = {"calibrate: shapes", "shapes", seed, n_windows, {look, &s}, part, SUMS, check};
    int status = shape_init(&s, err);
    STAC_TRY_DONE(stac_agree(c->ranks, c->ranks->comm, status, err));
    for (int i = 0; i < SUMS; i++) part[i] = stac_exact_sums_partial(&s.sums[i]);
    STAC_TRY_DONE(stac_calibrate_gradients(c, &gradients, err));
    if (c->grid->stage >= 0) status = change_weights(&s, net, err);
    STAC_TRY_DONE(stac_agree(c->ranks, c->ranks->comm, status, err));
done:
    shape_clean(&s);
    return status;
}
