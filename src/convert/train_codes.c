#include "convert/train_codes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define FIRST_RATE 0.05 /* of a dial's step, falling linearly to nothing */
#define KEPT_MEAN 0.9   /* Adam's beta 1 and 2 */
#define KEPT_SQUARE 0.99
#define RESTORE 10.0 /* the error of a code falls about as fast as the tenth power of its spikes grows */
#define FLOOR 0.1    /* of the gradients of a site: dials that hardly matter follow slowly */

/* ---- results ------------------------------------------------------------------------------------------------------ */

int stac_training_init(struct stac_training *t, int n_layer, struct stac_error *err) {
    t->n_layer = n_layer;
    int status = STAC_NEW(t->loss, (size_t)n_layer * (size_t)(t->steps + 1), "losses", err);
    if (status == STAC_OK) status = STAC_NEW(t->note, (size_t)n_layer * STAC_TRAINING_NOTES, "losses", err);
    if (status != STAC_OK) stac_training_clean(t);
    return status;
}

void stac_training_clean(struct stac_training *t) {
    free(t->loss);
    free(t->note);
    t->loss = t->note = NULL;
}

/* Each block belongs to one stage, and its results are the same in all groups: those of the first count. */
static int merge(double *values, size_t n, const struct stac_calibration *c, struct stac_error *err) {
    if (c->grid->group != 0 || c->grid->stage < 0) memset(values, 0, n * sizeof *values);
    return stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, values, (int)n, MPI_DOUBLE, MPI_SUM, c->ranks->comm), "merging losses",
                          err);
}

int stac_training_merge(struct stac_training *t, const struct stac_calibration *c, struct stac_error *err) {
    STAC_TRY(merge(t->loss, (size_t)t->n_layer * (size_t)(t->steps + 1), c, err));
    return merge(t->note, (size_t)t->n_layer * STAC_TRAINING_NOTES, c, err);
}

/* ---- one site ----------------------------------------------------------------------------------------------------- */

/* The code of a site on its way. */
struct trained_site {
    struct stac_code *code; /* of the block */
    int n;
    double spent, spent_first;                  /* spikes over the training windows, now and at first */
    double price;                               /* of a spike, in errors of a row; below 0: not known yet */
    double *dial, *best, *step, *loss, *spikes; /* [n] */
    double *mean, *square;                      /* [n] of Adam */
};

static int site_init(struct trained_site *s, struct stac_code *code, struct stac_error *err) {
    double **all[] = {&s->dial, &s->best, &s->step, &s->loss, &s->spikes, &s->mean, &s->square};
    *s = (struct trained_site){.code = code, .n = stac_tuning_dials(code), .price = -1};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) STAC_TRY(STAC_NEW(*all[i], s->n, "dials of a code", err));
    stac_tuning_read(code, s->dial, s->step);
    memcpy(s->best, s->dial, (size_t)s->n * sizeof *s->best);
    return STAC_OK;
}

static void site_clean(struct trained_site *s) {
    double *all[] = {s->dial, s->best, s->step, s->loss, s->spikes, s->mean, s->square};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* The price at which loss and spikes balance best over all thresholds: the least squares of loss' + price * spikes'. */
static double price_of(const struct trained_site *s) {
    double product = 0, square = 0;
    for (int i = 1; i < s->n; i++) {
        product += s->loss[i] * s->spikes[i] * s->step[i] * s->step[i];
        square += s->spikes[i] * s->spikes[i] * s->step[i] * s->step[i];
    }
    return square > 0 && product < 0 ? -product / square : 0;
}

/* One step of Adam; `time` counts from 1. A site that spends more than at first pays more. */
static void move_dials(struct trained_site *s, int time, double rate) {
    double price = s->spent_first > 0 ? s->price * pow(s->spent / s->spent_first, RESTORE) : s->price;
    double total = 0, unbiased_mean = 1 - pow(KEPT_MEAN, time), unbiased_square = 1 - pow(KEPT_SQUARE, time);
    for (int i = 0; i < s->n; i++) {
        double g = (s->loss[i] + price * s->spikes[i]) * s->step[i];
        s->mean[i] += (1 - KEPT_MEAN) * (g - s->mean[i]);
        s->square[i] += (1 - KEPT_SQUARE) * (g * g - s->square[i]);
        total += s->square[i] / unbiased_square;
    }
    double floor = FLOOR * sqrt(total / s->n);
    for (int i = 0; i < s->n && floor > 0; i++)
        if (s->step[i] > 0)
            s->dial[i] -= rate * s->step[i] * s->mean[i] / unbiased_mean / (sqrt(s->square[i] / unbiased_square) + floor);
}

/* The code of some dials takes the place of the present one; dials that make none are given up for it. */
static int set_code(struct trained_site *s, const double *dial, struct stac_error *err) {
    struct stac_code code = {0};
    double *steps = s->spikes; /* free between gradients */
    int status = stac_tuning_build(s->code, dial, &code, err);
    if (status == STAC_ERR_INPUT) {
        *err = (struct stac_error){0};
        stac_tuning_read(s->code, s->dial, steps);
        return STAC_OK;
    }
    STAC_TRY(status);
    stac_code_clean(s->code);
    *s->code = code;
    return STAC_OK;
}

/* ---- a block ------------------------------------------------------------------------------------------------------ */

struct trained_block {
    struct stac_training *t;
    const struct stac_plan *plan; /* borrowed */
    struct stac_lone_block lone;
    struct trained_site site[STAC_SITE_HEAD_IN];
    int train, last; /* windows [0, train) to learn from, [train, last) to judge by */
    stac_lone_source rows;
    void *ctx;
};

static int differentiate(struct trained_block *b, struct stac_error *err) {
    STAC_TRY(stac_lone_block_gradient(&b->lone, 0, b->train, b->rows, b->ctx, err));
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
        struct trained_site *s = &b->site[k];
        struct stac_tuning_sums sums = {b->lone.site[k].count, b->lone.site[k].pull};
        stac_tuning_slopes(s->code, &b->t->surrogate, &sums, s->loss, s->spikes);
        s->spent = stac_tuning_spikes(s->code, &sums);
        if (s->price >= 0) continue;
        s->price = price_of(s);
        s->spent_first = s->spent;
    }
    return STAC_OK;
}

/* Dials of the first group go to all: other machines may round their exponentials otherwise. */
static int share(struct trained_block *b, struct stac_error *err) {
    MPI_Comm comm = b->lone.c->grid->stage_comm;
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
        struct trained_site *s = &b->site[k];
        STAC_TRY(stac_broadcast(comm, s->dial, (size_t)s->n * sizeof *s->dial, 0, err));
        STAC_TRY(stac_broadcast(comm, &s->price, sizeof s->price, 0, err));
    }
    return STAC_OK;
}

static double loss_of(const struct trained_block *b, const struct stac_lone_score *score) {
    double loss = score->error;
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) loss += b->site[k].price * score->spikes[k];
    return loss;
}

static double all_spikes(const struct stac_lone_score *score) {
    double sum = 0;
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) sum += score->spikes[k];
    return sum;
}

static void keep_score(const struct trained_block *b, const struct stac_lone_score *score, double *note) {
    note[STAC_TRAINING_LOSS_KEPT] = loss_of(b, score);
    note[STAC_TRAINING_ERROR_KEPT] = score->error;
    note[STAC_TRAINING_SPIKES_KEPT] = all_spikes(score);
}

/* Judges the codes as they are at a step, and remembers them if they are the best so far. */
static int judge(struct trained_block *b, int step, double *loss, double *note, struct stac_error *err) {
    struct stac_lone_score score;
    STAC_TRY(stac_lone_block_score(&b->lone, b->train, b->last, b->rows, b->ctx, &score, err));
    loss[step] = loss_of(b, &score);
    if (step == 0) {
        note[STAC_TRAINING_ERROR] = score.error;
        note[STAC_TRAINING_SPIKES] = all_spikes(&score);
    } else if (!(loss[step] < loss[(int)note[STAC_TRAINING_BEST]])) {
        return STAC_OK;
    }
    note[STAC_TRAINING_BEST] = step;
    keep_score(b, &score, note);
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++)
        memcpy(b->site[k].best, b->site[k].dial, (size_t)b->site[k].n * sizeof *b->site[k].best);
    return STAC_OK;
}

static void swap_codes(struct stac_code *a, struct stac_code *b) {
    struct stac_code held = *a;
    *a = *b;
    *b = held;
}

/* The most promising mantissa of a site takes another value if that is better. */
static int reweigh_site(struct trained_block *b, int kind, double *note, struct stac_error *err) {
    struct stac_lone_block *l = &b->lone;
    struct trained_site *s = &b->site[kind];
    struct stac_tuning_sums sums = {l->site[kind].count, l->site[kind].pull};
    struct stac_code other = {0};
    struct stac_lone_score score;
    int choice[2]; /* mantissa, by */
    choice[0] = stac_tuning_mantissa(s->code, &sums, &choice[1]);
    STAC_TRY(stac_broadcast(l->c->grid->stage_comm, choice, sizeof choice, 0, err));
    int status = choice[1] ? stac_tuning_reweigh(s->code, choice[0], choice[1], &other, err) : STAC_OK;
    int most = b->plan[stac_site_index(l->c->hp, &l->block->site[kind])].max_integer;
    bool fits = status == STAC_OK && choice[1] && stac_code_reach(&other) <= most;
    if (status == STAC_ERR_INPUT) *err = (struct stac_error){0}, status = STAC_OK; /* makes no code */
    STAC_TRY_DONE(stac_agree(l->c->ranks, l->c->grid->stage_comm, status, err));
    if (!fits) goto done;
    swap_codes(s->code, &other);
    STAC_TRY_DONE(stac_lone_block_score(l, b->train, b->last, b->rows, b->ctx, &score, err));
    if (loss_of(b, &score) < note[STAC_TRAINING_LOSS_KEPT]) {
        keep_score(b, &score, note);
        note[STAC_TRAINING_REWEIGHED]++;
    } else {
        swap_codes(s->code, &other);
    }
done:
    stac_code_clean(&other);
    return status;
}

/* The codes of the dials as they are, or of the best ones, on all ranks of the stage or on none. Collective. */
static int set_codes(struct trained_block *b, bool best, struct stac_error *err) {
    const struct stac_calibration *c = b->lone.c;
    int status = STAC_OK;
    for (int k = 0; k < STAC_SITE_HEAD_IN && status == STAC_OK; k++)
        status = set_code(&b->site[k], best ? b->site[k].best : b->site[k].dial, err);
    return stac_agree(c->ranks, c->grid->stage_comm, status, err);
}

static int train(struct trained_block *b, double *loss, double *note, struct stac_error *err) {
    int steps = b->t->steps;
    for (int step = 0; step <= steps; step++) {
        if (step < steps) STAC_TRY(differentiate(b, err));
        if (step == 0) STAC_TRY(share(b, err));
        STAC_TRY(judge(b, step, loss, note, err));
        if (step == steps) break;
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++) move_dials(&b->site[k], step + 1, FIRST_RATE * (steps - step) / steps);
        STAC_TRY(share(b, err));
        STAC_TRY(set_codes(b, false, err));
    }
    STAC_TRY(set_codes(b, true, err));
    STAC_TRY(stac_lone_block_gradient(&b->lone, 0, b->train, b->rows, b->ctx, err));
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) STAC_TRY(reweigh_site(b, k, note, err));
    return STAC_OK;
}

int stac_train_codes(struct stac_training *t, struct stac_calibration *c, struct stac_block *block, int layer,
                     const struct stac_plan *plan, stac_lone_source rows, void *ctx, struct stac_error *err) {
    struct trained_block b = {.t = t, .plan = plan, .rows = rows, .ctx = ctx};
    int held = c->n_windows < 4 ? 1 : c->n_windows / 4;
    b.train = c->n_windows - held, b.last = c->n_windows;
    int status = stac_lone_block_init(&b.lone, c, block, layer, err);
    for (int k = 0; k < STAC_SITE_HEAD_IN && status == STAC_OK; k++) status = site_init(&b.site[k], &block->site[k].code, err);
    status = stac_agree(c->ranks, c->grid->stage_comm, status, err);
    if (status == STAC_OK)
        status =
            train(&b, t->loss + (size_t)layer * (size_t)(t->steps + 1), t->note + (size_t)layer * STAC_TRAINING_NOTES, err);
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) site_clean(&b.site[k]);
    stac_lone_block_clean(&b.lone);
    return status;
}
