#include "convert/fit_network.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/fit_record.h"

enum { DOWN = 3, PRODUCTS = 4, HEAD = PRODUCTS }; /* of a block; the head takes the place of one more */

/* What works on one layer at a time. */
struct fitting {
    struct stac_calibration *c;
    const struct stac_plan *plan;
    int timesteps, bits;
    struct stac_training *training;
    size_t n_x;
    float *before; /* [n_x] x in front of the layer that x is behind; when training */
    float *x;      /* [n_x: windows of this group][length][n_embd] residual stream in front of the layer */
    struct stac_code code[PRODUCTS + 1]; /* of the layer */
    float *z[PRODUCTS + 1];              /* [n_windows][length][inputs] decoded; from the pass to the fit */
    int window;
    size_t record_size;
};

static const enum stac_site_kind fed[PRODUCTS + 1] = {STAC_SITE_ATTN_IN, STAC_SITE_O_IN, STAC_SITE_MLP_IN, STAC_SITE_DOWN_IN,
                                                      STAC_SITE_HEAD_IN};

static void fitting_clean(struct fitting *f) {
    free(f->x);
    free(f->before);
    for (int k = 0; k <= PRODUCTS; k++) {
        free(f->z[k]);
        stac_code_clean(&f->code[k]);
    }
}

static int fitting_init(struct fitting *f, struct stac_error *err) {
    const struct stac_calibration *c = f->c;
    const struct stac_hparams *hp = c->hp;
    size_t mine = (size_t)(c->n_windows + c->grid->n_groups - 1) / (size_t)c->grid->n_groups;
    f->n_x = mine * (size_t)c->length * (size_t)hp->n_embd;
    STAC_TRY(STAC_NEW(f->x, f->n_x, "residual streams", err));
    return f->training->steps ? STAC_NEW(f->before, f->n_x, "residual streams", err) : STAC_OK;
}

/* Room for what is decoded at sites [from, to), for as long as it is needed: it is gigabytes. */
static int make_room(struct fitting *f, int from, int to, struct stac_error *err) {
    const struct stac_hparams *hp = f->c->hp;
    size_t rows = (size_t)f->c->n_windows * (size_t)f->c->length, d = (size_t)hp->n_embd;
    size_t width[PRODUCTS + 1] = {d, (size_t)stac_q_width(hp), d, (size_t)hp->n_ff, d};
    for (int k = from; k < to; k++) {
        free(f->z[k]); /* of a layer that was restored */
        STAC_TRY(STAC_NEW(f->z[k], rows * width[k], "coded activations", err));
    }
    return STAC_OK;
}

static void drop(struct fitting *f, int k) {
    free(f->z[k]);
    f->z[k] = NULL;
}

/* Where the rows of a window of this group begin in x and in before. */
static size_t rows_of(const struct fitting *f, int window) {
    return (size_t)(window / f->c->grid->n_groups) * (size_t)f->c->length * (size_t)f->c->hp->n_embd;
}

static float *stream_of(const struct fitting *f, int window) {
    return f->x + rows_of(f, window);
}

static struct stac_lone_rows lone_rows(void *ctx, int window) {
    const struct fitting *f = ctx;
    return (struct stac_lone_rows){f->before + rows_of(f, window), f->x + rows_of(f, window)};
}

/* Residual streams in front of the first layer of this stage. */
static int enter(struct fitting *f, struct stac_error *err) {
    struct stac_calibration *c = f->c;
    int status = STAC_OK;
    for (int w = c->grid->group; w < c->n_windows; w += c->grid->n_groups) {
        struct stac_batch batch = stac_calibration_window(c, w);
        status = stac_pipeline_enter(&c->pipeline, status, &batch, stream_of(f, w), err);
    }
    int settled = stac_pipeline_settle(&c->pipeline, err);
    return status != STAC_OK ? status : settled;
}

/* Keeps what is decoded at the sites of the layer; the forward pass goes on with what it had. */
static void keep_decoded(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    struct fitting *f = ctx;
    (void)head;
    for (int k = 0; k <= PRODUCTS; k++) {
        if (fed[k] != site->kind) continue;
        float *out = f->z[k] + ((size_t)f->window * (size_t)f->c->length + (size_t)first) * (size_t)n;
#pragma omp parallel for schedule(static)
        for (int i = 0; i < n_rows; i++)
            stac_calibration_code_row(f->c, site, &f->code[k], n, x + (size_t)i * ld, out + (size_t)i * n);
    }
}

/* A window through one layer, or, behind the last one, to the head. */
static int pass_window(struct fitting *f, int layer, bool head, int window, struct stac_error *err) {
    struct stac_calibration *c = f->c;
    struct stac_run *run = &c->run;
    struct stac_batch batch = stac_calibration_window(c, window);
    float *x = c->pipeline.x[0], *stream = stream_of(f, window);
    size_t bytes = (size_t)batch.n * (size_t)c->hp->n_embd * sizeof *x;
    f->window = window;
    stac_cache_reset(run->cache, -1);
    STAC_TRY(stac_run_begin(run, &batch, err));
    STAC_TRY(stac_device_put(run->device, x, stream, bytes, err));
    if (head) return stac_run_head(run, 0, batch.n, x, NULL, err);
    STAC_TRY(stac_run_block(run, layer, x, err));
    return stac_device_get(run->device, stream, x, bytes, err);
}

/* The windows of this group. */
static int pass_layer(struct fitting *f, int layer, bool head, struct stac_error *err) {
    struct stac_calibration *c = f->c;
    struct stac_run *run = &c->run;
    int status = STAC_OK;
    run->probe = (struct stac_probe){keep_decoded, f, false};
    for (int w = c->grid->group; w < c->n_windows && status == STAC_OK; w += c->grid->n_groups)
        status = pass_window(f, layer, head, w, err);
    run->probe = (struct stac_probe){0};
    return status;
}

/* Every rank of the stage gets the rows of all windows. */
static int share_rows(struct fitting *f, int k, int n_in, struct stac_error *err) {
    const struct stac_calibration *c = f->c;
    size_t n = (size_t)c->length * (size_t)n_in;
    for (int w = 0; w < c->n_windows; w++)
        STAC_TRY(stac_broadcast(c->grid->stage_comm, f->z[k] + (size_t)w * n, n * sizeof(float), w % c->grid->n_groups, err));
    return STAC_OK;
}

/* The fitted product goes from its owner to the other groups. */
static int share_product(struct fitting *f, struct stac_linear *l, int owner, struct stac_error *err) {
    const struct stac_grid *g = f->c->grid;
    int status = STAC_OK;
    if (g->group != owner) {
        STAC_TRY_DONE(STAC_NEW(l->q, (size_t)l->n_in * l->n_out, "integer weights", err));
        STAC_TRY_DONE(STAC_NEW(l->scale, l->n_out, "weight scales", err));
        if (!l->bias) STAC_TRY_DONE(STAC_NEW(l->bias, l->n_out, "a bias", err));
        free(l->w);
        l->w = NULL;
    }
done:
    STAC_TRY(stac_agree(f->c->ranks, g->stage_comm, status, err));
    STAC_TRY(stac_broadcast(g->stage_comm, l->q, (size_t)l->n_in * l->n_out, owner, err));
    STAC_TRY(stac_broadcast(g->stage_comm, l->scale, (size_t)l->n_out * sizeof(float), owner, err));
    return stac_broadcast(g->stage_comm, l->bias, (size_t)l->n_out * sizeof(float), owner, err);
}

/* The group that fits product k of a layer: the widest one, down, is as much work as the others together. */
static int owner_of(const struct fitting *f, int k) {
    return k == DOWN ? 0 : (k + 1) % f->c->grid->n_groups;
}

/* Products [from, to) of a layer: their rows are known. */
static int fit_products(struct fitting *f, struct stac_linear *const *linear, const struct stac_site *const *site, int from,
                        int to, struct stac_error *err) {
    const struct stac_calibration *c = f->c;
    int status = STAC_OK;
    for (int k = from; k < to; k++) {
        STAC_TRY(share_rows(f, k, linear[k]->n_in, err));
        if (c->grid->group != owner_of(f, k)) drop(f, k);
    }
    for (int k = from; k < to && status == STAC_OK; k++) { /* the widest one last, when the rows of the others are gone */
        if (c->grid->group != owner_of(f, k)) continue;
        struct stac_inputs inputs = {c->n_windows * c->length, f->z[k], !c->stats.means_cleared};
        status =
            stac_quantise_linear(linear[k], stac_calibration_mean(c, stac_site_index(c->hp, site[k])), f->bits, &inputs, err);
        drop(f, k);
    }
    STAC_TRY(stac_agree(c->ranks, c->grid->stage_comm, status, err));
    for (int k = from; k < to; k++) STAC_TRY(share_product(f, linear[k], owner_of(f, k), err));
    return STAC_OK;
}

/* Codes of sites [from, to) of the layer. Not collective, as what makes room and passes windows: an agreement follows on all.
 */
static int build_codes(struct fitting *f, const struct stac_site *const *site, int from, int to, struct stac_error *err) {
    for (int k = from; k < to; k++) {
        stac_code_clean(&f->code[k]);
        STAC_TRY(stac_plan_build(&f->plan[stac_site_index(f->c->hp, site[k])], f->timesteps, &f->code[k], err));
    }
    return STAC_OK;
}

/* ---- a layer ------------------------------------------------------------------------------------------------------ */

static int prepare(struct fitting *f, struct stac_network *net, int l, struct stac_error *err) {
    struct stac_calibration *c = f->c;
    int status = stac_prepare_block(&net->block[l], net->first + l, &c->stats, f->plan, f->timesteps, err);
    return stac_agree(c->ranks, c->grid->stage_comm, status, err);
}

/* What training made of the loss of a layer, for whoever looks on. */
static void tell_training(const struct stac_training *t, int layer, struct stac_progress *progress) {
    double first = t->loss[(size_t)layer * (size_t)(t->steps + 1)];
    double kept = t->note[layer * STAC_TRAINING_NOTES + STAC_TRAINING_LOSS_KEPT];
    stac_progress_fact(progress, "loss of trained over closed-form", first > 0 ? kept / first : 1);
}

/* What the checkpoint holds of a layer, which the first group reads for all. *restored: it is in place. */
static int restore(struct fitting *f, const struct stac_fitted *fitted, bool *restored, struct stac_error *err) {
    const struct stac_grid *g = f->c->grid;
    char *bytes = g->group == 0 ? stac_fit_find(f->c->checkpoint, fitted->layer, &f->record_size) : NULL;
    uint64_t size = bytes ? f->record_size : 0;
    int status = STAC_OK;
    *restored = false;
    STAC_TRY_DONE(stac_broadcast(g->stage_comm, &size, sizeof size, 0, err));
    if (size == 0) goto done;
    if (!bytes) status = STAC_NEW(bytes, size, "a checkpoint", err);
    STAC_TRY_DONE(stac_agree(f->c->ranks, g->stage_comm, status, err));
    STAC_TRY_DONE(stac_broadcast(g->stage_comm, bytes, size, 0, err));
    STAC_TRY_DONE(stac_agree(f->c->ranks, g->stage_comm, stac_fit_restore(bytes, size, fitted, err), err));
    *restored = true;
done:
    free(bytes);
    return status;
}

static struct stac_fitted fitted_layer(const struct fitting *f, struct stac_network *net, int l,
                                       struct stac_linear *linear[PRODUCTS]) {
    struct stac_block *b = &net->block[l];
    struct stac_linear *products[PRODUCTS] = {&b->qkv, &b->o, &b->up, &b->down};
    memcpy(linear, products, sizeof products);
    return (struct stac_fitted){net->first + l, linear, PRODUCTS, f->training->steps ? b : NULL, f->training};
}

/* Layer l of this stage: its windows pass, its products are fitted, its codes trained; or (*restored) both were done before. */
static int fit_layer(struct fitting *f, struct stac_network *net, int l, bool *restored, struct stac_progress *progress,
                     struct stac_error *err) {
    const struct stac_site *site[PRODUCTS + 1];
    struct stac_linear *linear[PRODUCTS];
    struct stac_fitted fitted = fitted_layer(f, net, l, linear);
    for (int k = 0; k < PRODUCTS; k++) site[k] = &net->block[l].site[fed[k]];
    stac_progress_fact(progress, "layer", net->first + l);
    if (f->before) memcpy(f->before, f->x, f->n_x * sizeof *f->x);
    int status = build_codes(f, site, 0, PRODUCTS, err);
    if (status == STAC_OK) status = make_room(f, 0, PRODUCTS, err);
    if (status == STAC_OK) status = pass_layer(f, l, false, err);
    STAC_TRY(stac_agree(f->c->ranks, f->c->grid->stage_comm, status, err));
    STAC_TRY(prepare(f, net, l, err));
    STAC_TRY(restore(f, &fitted, restored, err));
    if (*restored) {
        stac_progress_skip(progress, f->c->grid->n_stages);
        return STAC_OK;
    }
    STAC_TRY(fit_products(f, linear, site, 0, PRODUCTS, err));
    if (f->training->steps) {
        STAC_TRY(stac_train_codes(f->training, f->c, &net->block[l], net->first + l, f->plan, lone_rows, f, err));
        tell_training(f->training, net->first + l, progress);
    }
    stac_progress_step(progress, f->c->grid->n_stages);
    return STAC_OK;
}

static int fit_head(struct fitting *f, struct stac_network *net, struct stac_error *err) {
    const struct stac_site *site[PRODUCTS + 1] = {[HEAD] = &net->head_in};
    struct stac_linear *linear[PRODUCTS + 1] = {[HEAD] = &net->head};
    int status = build_codes(f, site, HEAD, HEAD + 1, err);
    if (status == STAC_OK) status = make_room(f, HEAD, HEAD + 1, err);
    if (status == STAC_OK) status = pass_layer(f, 0, true, err);
    STAC_TRY(stac_agree(f->c->ranks, f->c->grid->stage_comm, status, err));
    STAC_TRY(fit_products(f, linear, site, HEAD, HEAD + 1, err));
    return stac_prepare_head(net, &f->c->stats, f->plan, f->timesteps, err);
}

/* ---- all of them -------------------------------------------------------------------------------------------------- */

/* Layers [*kept, done) of this stage, by its first group, if it is time. Collective over all ranks. */
static int keep(struct fitting *f, struct stac_network *net, int *kept, int done, struct stac_error *err) {
    struct stac_checkpoint *c = f->c->checkpoint;
    bool due;
    STAC_TRY(stac_checkpoint_ask(c, &due, err));
    for (; due && f->c->grid->stage >= 0 && *kept < done; ++*kept) {
        struct stac_linear *linear[PRODUCTS];
        struct stac_fitted fitted = fitted_layer(f, net, *kept, linear);
        if (f->c->grid->group == 0) stac_fit_keep(c, &fitted);
    }
    if (due) STAC_TRY(stac_agree(f->c->ranks, f->c->ranks->comm, STAC_OK, err)); /* all is written */
    return stac_checkpoint_leave(c, err);
}

/* Layer by layer, all stages at once, so that all can stop together. */
static int fit_layers(struct fitting *f, struct stac_network *net, struct stac_progress *progress, struct stac_error *err) {
    const struct stac_calibration *c = f->c;
    int mine = c->grid->stage < 0 ? 0 : net->last - net->first, most = mine, kept = 0, fresh;
    bool restored = false;
    STAC_TRY(
        stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT, MPI_MAX, c->ranks->comm), "ranks cannot agree", err));
    for (int l = 0; l < most; l++) {
        int status = l < mine ? fit_layer(f, net, l, &restored, progress, err) : STAC_OK;
        STAC_TRY(stac_agree(c->ranks, c->ranks->comm, status, err));
        fresh = l < mine && !restored;
        if (l < mine && restored && kept == l) kept++;
        STAC_TRY(stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &fresh, 1, MPI_INT, MPI_MAX, c->ranks->comm), "ranks cannot agree",
                                err));
        if (fresh) STAC_TRY(keep(f, net, &kept, l < mine ? l + 1 : mine, err));
    }
    int status = c->grid->stage >= 0 && net->has_head ? fit_head(f, net, err) : STAC_OK;
    return stac_agree(c->ranks, c->ranks->comm, status, err);
}

int stac_fit_network(struct stac_calibration *c, struct stac_network *net, const struct stac_plan *plan, int timesteps,
                     int bits, struct stac_training *training, struct stac_error *err) {
    struct fitting f = {.c = c, .plan = plan, .timesteps = timesteps, .bits = bits, .training = training};
    struct stac_progress progress;
    int status = c->grid->stage < 0 ? STAC_OK : fitting_init(&f, err);
    if (status == STAC_OK) status = stac_calibration_place(c, err);
    STAC_TRY_DONE(stac_agree(c->ranks, c->ranks->comm, status, err));
    stac_progress_begin(&progress, c->log, "fit weights", c->hp->n_layer, "layers");
    if (c->grid->stage >= 0) status = enter(&f, err);
    STAC_TRY_DONE(stac_agree(c->ranks, c->ranks->comm, status, err));
    stac_network_drop_embedding(net);
    STAC_TRY_DONE(fit_layers(&f, net, &progress, err));
    if (training->steps) STAC_TRY_DONE(stac_training_merge(training, c, err));
    stac_progress_end(&progress);
done:
    fitting_clean(&f);
    return status;
}
