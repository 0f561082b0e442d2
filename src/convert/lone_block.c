#include "convert/lone_block.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dist/merge.h"

enum { CHUNK = 32 }; /* rows that one thread adds up before the exact sums take them */

/* ---- beginning and end -------------------------------------------------------------------------------------------- */

/* Float weights of the integer ones. */
static int unfold(const struct stac_linear *from, struct stac_linear *to, struct stac_error *err) {
    *to = (struct stac_linear){.n_in = from->n_in, .n_out = from->n_out};
    STAC_TRY(STAC_NEW(to->w, (size_t)from->n_in * from->n_out, "weights of a block", err));
    STAC_TRY(STAC_NEW(to->bias, from->n_out, "weights of a block", err));
    memcpy(to->bias, from->bias, (size_t)from->n_out * sizeof *to->bias);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < from->n_in; i++)
        for (int j = 0; j < from->n_out; j++) {
            size_t at = (size_t)i * from->n_out + j;
            to->w[at] = from->scale[j] * (float)from->q[at];
        }
    return STAC_OK;
}

static int make_copy(struct stac_lone_block *l, struct stac_error *err) {
    const struct stac_block *b = l->block;
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
        l->copy.site[k] = b->site[k];
        l->copy.site[k].spiking = false;
        l->copy.site[k].mean = NULL;
        l->copy.site[k].code = (struct stac_code){0};
    }
    STAC_TRY(unfold(&b->qkv, &l->copy.qkv, err));
    STAC_TRY(unfold(&b->o, &l->copy.o, err));
    STAC_TRY(unfold(&b->up, &l->copy.up, err));
    return unfold(&b->down, &l->copy.down, err);
}

int stac_lone_block_init(struct stac_lone_block *l, struct stac_calibration *c, struct stac_block *block, int layer,
                         struct stac_error *err) {
    size_t rows = (size_t)c->length * (size_t)c->hp->n_embd;
    int status = STAC_OK;
    *l = (struct stac_lone_block){.c = c, .block = block};
    l->spiking = (struct stac_network){
        .hp = c->net->hp, .first = layer, .last = layer + 1, .block = block, .hadamard = c->net->hadamard};
    l->floats = l->spiking;
    l->floats.block = &l->copy;
    STAC_TRY_DONE(make_copy(l, err));
    STAC_TRY_DONE(stac_cache_init(&l->spiking_cache, &l->spiking, 1, c->length, err));
    STAC_TRY_DONE(stac_cache_init(&l->float_cache, &l->floats, 1, c->length, err));
    STAC_TRY_DONE(stac_run_init(&l->spiking_run, &l->spiking, &l->spiking_cache, STAC_MODE_COUNT, c->length, err));
    STAC_TRY_DONE(stac_run_init(&l->float_run, &l->floats, &l->float_cache, STAC_MODE_DENSE, c->length, err));
    STAC_TRY_DONE(stac_backward_init(&l->backward, &l->float_run, err));
    STAC_TRY_DONE(STAC_NEW(l->x, rows, "a residual stream", err));
    STAC_TRY_DONE(STAC_NEW(l->gradient, rows, "gradients", err));
done:
    if (status != STAC_OK) stac_lone_block_clean(l);
    return status;
}

static void sums_clean(struct stac_lone_block *l) {
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
        stac_exact_sums_clean(&l->site[k].sums);
        free(l->site[k].count);
        free(l->site[k].pull);
        l->site[k] = (struct stac_lone_site){0};
    }
    free(l->lane);
    l->lane = NULL;
    l->lane_cells = 0;
}

void stac_lone_block_clean(struct stac_lone_block *l) {
    stac_backward_clean(&l->backward);
    stac_run_clean(&l->spiking_run);
    stac_run_clean(&l->float_run);
    stac_cache_clean(&l->spiking_cache);
    stac_cache_clean(&l->float_cache);
    stac_linear_clean(&l->copy.qkv);
    stac_linear_clean(&l->copy.o);
    stac_linear_clean(&l->copy.up);
    stac_linear_clean(&l->copy.down);
    sums_clean(l);
    free(l->x);
    free(l->gradient);
    *l = (struct stac_lone_block){0};
}

/* ---- error -------------------------------------------------------------------------------------------------------- */

/* |x - wanted|^2 / |wanted|^2 of a row; with `gradient` its derivative with respect to x. */
static double row_error(int d, const float *x, const float *wanted, float *gradient) {
    double off = 0, square = 0;
    for (int j = 0; j < d; j++) {
        double gap = (double)x[j] - (double)wanted[j];
        off += gap * gap;
        square += (double)wanted[j] * (double)wanted[j];
    }
    double weight = square > 1e-30 ? 1 / square : 0;
    for (int j = 0; gradient && j < d; j++) gradient[j] = (float)(2 * weight * ((double)x[j] - (double)wanted[j]));
    return off * weight;
}

/* One window in count mode; its rows' errors are added up. */
static int score_window(struct stac_lone_block *l, int window, struct stac_lone_rows rows, struct stac_exact_sums *sum,
                        struct stac_error *err) {
    struct stac_calibration *c = l->c;
    struct stac_batch batch = stac_calibration_window(c, window);
    size_t d = (size_t)c->hp->n_embd;
    stac_cache_reset(&l->spiking_cache, -1);
    memcpy(l->x, rows.entered, (size_t)batch.n * d * sizeof *l->x);
    STAC_TRY(stac_run_begin(&l->spiking_run, &batch, err));
    STAC_TRY(stac_run_block(&l->spiking_run, 0, l->x, err));
    for (int i = 0; i < batch.n; i++) stac_exact_sums_add(sum, 0, row_error((int)d, l->x + i * d, rows.left + i * d, NULL));
    return STAC_OK;
}

int stac_lone_block_score(struct stac_lone_block *l, int first, int last, stac_lone_source rows, void *ctx,
                          struct stac_lone_score *score, struct stac_error *err) {
    const struct stac_grid *g = l->c->grid;
    struct stac_exact_sums sum = {0};
    int64_t spikes[STAC_SITE_HEAD_IN];
    double n = (double)(last - first) * l->c->length;
    int status = stac_exact_sums_init(&sum, 1, err);
    stac_run_clear_counts(&l->spiking_run);
    for (int w = first; w < last && status == STAC_OK; w++)
        if (w % g->n_groups == g->group) status = score_window(l, w, rows(ctx, w), &sum, err);
    STAC_TRY_DONE(stac_agree(l->c->ranks, g->stage_comm, status, err));
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) spikes[k] = stac_run_counts(&l->spiking_run, &l->block->site[k])->spikes;
    STAC_TRY_DONE(stac_exact_sums_merge(&sum, g->stage_comm, "the output of a block", err));
    STAC_TRY_DONE(stac_merge_among(g->stage_comm, &(struct stac_partial){STAC_ADD_I64, spikes, STAC_SITE_HEAD_IN}, 1, err));
    score->error = stac_exact_sums_value(&sum, 0) / n;
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) score->spikes[k] = (double)spikes[k] / n;
done:
    stac_exact_sums_clean(&sum);
    return status;
}

/* ---- gradients ---------------------------------------------------------------------------------------------------- */

/* What is decoded takes the place of what enters a site; its mean is in the bias. */
static void code_rows(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    const struct stac_lone_block *l = ctx;
    (void)head, (void)first;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n_rows; i++) {
        float *row = x + (size_t)i * ld;
        stac_calibration_code_row(l->c, site, &l->block->site[site->kind].code, n, row, row);
    }
}

/* Some rows of a site, added up one after the other and then as exact sums, so that their order is always the same. */
static void add_rows(struct stac_lone_block *l, const struct stac_site *site, int n_rows, int n, const float *x, int ldx,
                     const float *gradient, int ldg) {
    struct stac_lone_site *s = &l->site[site->kind];
    const struct stac_code *code = &l->block->site[site->kind].code;
    const float *mean = stac_calibration_mean(l->c, stac_site_index(l->c->hp, site));
    double *count = l->lane + 2 * (size_t)l->lane_cells * (size_t)omp_get_thread_num(), *pull = count + l->lane_cells;
    memset(count, 0, 2 * (size_t)l->lane_cells * sizeof *count);
    for (int i = 0; i < n_rows; i++) {
        const float *row = x + (size_t)i * ldx, *g = gradient + (size_t)i * ldg;
        float inverse = stac_calibration_inverse_scale(l->c, site, n, row, mean), to_integers = inverse / code->unit;
        double scale = 1 / (double)inverse;
        for (int j = 0; j < n; j++) {
            float centred = mean ? row[j] - mean[j] : row[j];
            int cell = stac_tuning_cell(code, fabsf(centred) * to_integers);
            count[cell]++;
            pull[cell] += (centred < 0 ? -scale : scale) * (double)g[j];
        }
    }
    for (int cell = 0; cell < s->n_cells; cell++) {
        if (!(count[cell] > 0)) continue;
        stac_exact_sums_add(&s->sums, 2 * (size_t)cell, count[cell]);
        stac_exact_sums_add(&s->sums, 2 * (size_t)cell + 1, pull[cell]);
    }
}

/* At q and p the heads are threads already. */
static void gather(void *ctx, const struct stac_site *site, int head, int n_rows, int n, const float *x, int ldx,
                   const float *gradient, int ldg) {
    struct stac_lone_block *l = ctx;
    if (head >= 0) {
        add_rows(l, site, n_rows, n, x, ldx, gradient, ldg);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n_rows; i += CHUNK)
        add_rows(l, site, n_rows - i < CHUNK ? n_rows - i : CHUNK, n, x + (size_t)i * ldx, ldx, gradient + (size_t)i * ldg,
                 ldg);
}

/* Sums for the codes as they are now: a causal neuron has another number of levels with every change of its thresholds. */
static int sums_init(struct stac_lone_block *l, struct stac_error *err) {
    sums_clean(l);
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
        struct stac_lone_site *s = &l->site[k];
        s->n_cells = stac_tuning_cells(&l->block->site[k].code);
        if (s->n_cells > l->lane_cells) l->lane_cells = s->n_cells;
        STAC_TRY(stac_exact_sums_init(&s->sums, 2 * (size_t)s->n_cells, err));
        STAC_TRY(STAC_NEW(s->count, s->n_cells, "sums of gradients", err));
        STAC_TRY(STAC_NEW(s->pull, s->n_cells, "sums of gradients", err));
    }
    return STAC_NEW(l->lane, 2 * (size_t)l->lane_cells * (size_t)omp_get_max_threads(), "sums of gradients", err);
}

static int differentiate_window(struct stac_lone_block *l, int window, struct stac_lone_rows rows, struct stac_error *err) {
    struct stac_batch batch = stac_calibration_window(l->c, window);
    size_t d = (size_t)l->c->hp->n_embd;
    l->backward.change = (struct stac_probe){code_rows, l, true};
    l->backward.probe = (struct stac_gradient_probe){gather, l};
    memcpy(l->x, rows.entered, (size_t)batch.n * d * sizeof *l->x);
    STAC_TRY(stac_backward_begin(&l->backward, &batch, l->x, err));
    for (int i = 0; i < batch.n; i++) row_error((int)d, l->x + i * d, rows.left + i * d, l->gradient + i * d);
    return stac_backward_blocks(&l->backward, l->gradient, err);
}

int stac_lone_block_gradient(struct stac_lone_block *l, int first, int last, stac_lone_source rows, void *ctx,
                             struct stac_error *err) {
    const struct stac_grid *g = l->c->grid;
    int status = sums_init(l, err);
    for (int w = first; w < last && status == STAC_OK; w++)
        if (w % g->n_groups == g->group) status = differentiate_window(l, w, rows(ctx, w), err);
    STAC_TRY(stac_agree(l->c->ranks, g->stage_comm, status, err));
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
        struct stac_lone_site *s = &l->site[k];
        STAC_TRY(stac_exact_sums_merge(&s->sums, g->stage_comm, "a gradient", err));
        for (int cell = 0; cell < s->n_cells; cell++) {
            s->count[cell] = stac_exact_sums_value(&s->sums, 2 * (size_t)cell);
            s->pull[cell] = stac_exact_sums_value(&s->sums, 2 * (size_t)cell + 1);
        }
    }
    return STAC_OK;
}
