#include "convert/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/logits.h"
#include "net/placed.h"

#define LABELS (UINT64_C(1) << 48) /* first stream of random numbers for labels; rotations have those below */

int stac_calibration_place(struct stac_calibration *c, struct stac_error *err) {
    if (!c->device || c->grid->stage < 0) return STAC_OK;
    stac_network_clean(&c->placed);
    return stac_network_place(c->net, c->device, c->streams, &c->placed, err);
}

/* What is there beside the network when n windows are read together. */
static double bytes_beside(const struct stac_calibration *c, int n) {
    double runs = stac_run_bytes(c->net, STAC_MODE_DENSE, c->length, n * c->length) + stac_backward_bytes(c->net, c->length);
    return runs + 2.0 * n * c->length * c->hp->n_embd * sizeof(float); /* and residual streams */
}

/* Windows that make it worth while to bring a layer, as far as there is room for them. */
static int windows_together(const struct stac_calibration *c) {
    enum { MOST = 16 };
    size_t left = 0, all = 0;
    int n = 1;
    if (!c->streams || c->device->room(&left, &all)) return 1; /* a failure is told by what is reserved next */
    double weights = (double)stac_network_placed_bytes(c->net, true);
    while (n < MOST && n < c->n_windows && weights + bytes_beside(c, n + 1) <= 0.9 * (double)left) n++;
    return n;
}

/* Whether all of the network has room there, beside a run. */
static int prepare_device(struct stac_calibration *c, struct stac_error *err) {
    if (!c->device) return STAC_OK;
    c->streams = stac_network_must_stream(c->net, c->device, bytes_beside(c, 1), c->log);
    c->together = windows_together(c);
    if (c->together > 1) stac_log_info(c->log, "  %d windows are read together, layer by layer", c->together);
    return stac_calibration_place(c, err);
}

/* All ranks read as many windows together. */
static int agree_on_windows(struct stac_calibration *c, struct stac_error *err) {
    return stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &c->together, 1, MPI_INT, MPI_MIN, c->ranks->comm),
                          "ranks cannot agree on their windows", err);
}

static int make_index(struct stac_calibration *c, struct stac_error *err) {
    int rows = c->together * c->length;
    STAC_TRY(STAC_NEW(c->index, 2 * (size_t)rows, "positions", err));
    for (int i = 0; i < rows; i++) c->index[i] = i % c->length, c->index[rows + i] = i / c->length;
    return STAC_OK;
}

static int begin_runs(struct stac_calibration *c, struct stac_error *err) {
    struct stac_run *run = &c->run;
    STAC_TRY(stac_cache_init(&c->cache, c->net, c->together, c->length, err));
    STAC_TRY(stac_run_init(&c->run, c->device ? &c->placed : c->net, &c->cache, STAC_MODE_DENSE, c->together * c->length, err));
    return stac_pipeline_init(&c->pipeline, c->grid, 1, &run, err);
}

int stac_calibrate_begin(struct stac_calibration *c, struct stac_error *err) {
    int status = STAC_OK;
    STAC_TRY_DONE(stac_statistics_init(&c->stats, c->hp, err));
    c->stats.context = c->stats.longest = c->length;
    STAC_TRY_DONE(STAC_NEW(c->mean, c->stats.sums_at[c->stats.n_sites], "means", err));
    c->together = c->n_windows > 0 ? c->n_windows : 1;
    if (c->grid->stage >= 0) c->together = 1, status = prepare_device(c, err);
done:
    STAC_TRY(stac_agree(c->ranks, c->ranks->comm, status, err));
    STAC_TRY(agree_on_windows(c, err));
    status = make_index(c, err);
    if (status == STAC_OK && c->grid->stage >= 0) status = begin_runs(c, err);
    return stac_agree(c->ranks, c->ranks->comm, status, err);
}

void stac_calibrate_end(struct stac_calibration *c) {
    stac_pipeline_clean(&c->pipeline);
    stac_run_clean(&c->run);
    stac_cache_clean(&c->cache);
    stac_network_clean(&c->placed);
    stac_statistics_clean(&c->stats);
    free(c->index);
    free(c->mean);
    c->index = NULL;
    c->mean = NULL;
}

/* ---- a pass ------------------------------------------------------------------------------------------------------- */

/* One pass over the windows: what it shows, and what its probe and output work on. `error` holds the first trouble of
 * a probe, which cannot return one. */
struct pass {
    struct stac_calibration *c;
    void (*see)(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld);
    int (*output)(void *ctx, int item, const struct stac_batch *batch, float *const *x, struct stac_error *err);
    bool cached; /* look at keys and values after each window */
    struct stac_progress *progress;
    struct stac_error error;
    struct coded *coded; /* damage passes */
    int from, to;        /* windows that are worked at; an item is some of them together */
};

/* n <= c->together windows, in slots of their own. */
static struct stac_batch batch_of(const struct stac_calibration *c, int first, int n) {
    return (struct stac_batch){n * c->length, c->tokens + (size_t)first * c->length, c->index,
                               c->index + (size_t)c->together * c->length};
}

struct stac_batch stac_calibration_window(const struct stac_calibration *c, int window) {
    return batch_of(c, window, 1);
}

/* Windows between two chances to write a checkpoint. */
static int piece_of(const struct stac_calibration *c) {
    return stac_grid_piece(c->grid) * c->together;
}

static int first_window(const struct pass *p, int item) {
    return p->from + item * p->c->together;
}

static int windows_of(const struct pass *p, int item) {
    int left = p->to - first_window(p, item);
    return left < p->c->together ? left : p->c->together;
}

static int window_batch(void *ctx, int item, struct stac_batch *out, struct stac_error *err) {
    const struct pass *p = ctx;
    (void)err;
    *out = batch_of(p->c, first_window(p, item), windows_of(p, item));
    return STAC_OK;
}

/* What the cache holds of the last windows, one in each slot: what passed through this stage. */
static int add_cache(struct stac_calibration *c, int n, struct stac_error *err) {
    const struct stac_cache *cache = &c->cache;
    for (int l = 0; l < cache->n_layers; l++)
        for (int i = 0; i < n * cache->n_head_kv; i++) {
            int slot = i / cache->n_head_kv, head = i % cache->n_head_kv;
            size_t at = stac_cache_offset(cache, l, slot, head);
            STAC_TRY(stac_statistics_add_cache(&c->stats, c->net->first + l, head, cache->length[slot], cache->k + at,
                                               cache->capacity, cache->v + at, err));
        }
    return STAC_OK;
}

static void window_step(void *ctx, int item) {
    struct pass *p = ctx;
    if (p->cached && p->error.status == STAC_OK) add_cache(p->c, windows_of(p, item), &p->error);
    stac_progress_step(p->progress, p->c->grid->n_groups * windows_of(p, item));
}

/* Windows [from, to). */
static int pass_windows(void *ctx, int from, int to, struct stac_error *err) {
    struct pass *p = ctx;
    struct stac_calibration *c = p->c;
    struct stac_work work = {0, (to - from + c->together - 1) / c->together, window_batch, p->output, window_step, p};
    int status = STAC_OK;
    p->from = from, p->to = to;
    if (c->grid->stage >= 0) {
        c->run.probe = (struct stac_probe){p->see, p, p->coded != NULL};
        status = stac_pipeline_work(&c->pipeline, &work, err);
        c->run.probe = (struct stac_probe){0};
    }
    if (status == STAC_OK && p->error.status != STAC_OK) {
        *err = p->error;
        status = err->status;
    }
    return stac_agree(c->ranks, c->ranks->comm, status, err);
}

static void skip_windows(void *ctx, int n) {
    stac_progress_skip(((struct pass *)ctx)->progress, n);
}

/* All windows once, as pieces of a record that `part` is what is found of. */
static int run_pass(struct pass *p, const char *phase, const char *record, const struct stac_partial *part, int n_parts,
                    struct stac_error *err) {
    struct stac_calibration *c = p->c;
    struct stac_progress progress;
    struct stac_pieces work = {c->ranks,     c->checkpoint, record,       part,         n_parts,
                               c->n_windows, piece_of(c),   pass_windows, skip_windows, p};
    p->progress = &progress;
    STAC_TRY(stac_agree(c->ranks, c->ranks->comm, stac_calibration_place(c, err), err));
    stac_progress_begin(&progress, c->log, phase, c->n_windows, "windows");
    STAC_TRY(stac_work_in_pieces(&work, err));
    stac_progress_end(&progress);
    return STAC_OK;
}

/* The head's input passes the probe only when the head is run. */
static int show_head_input(void *ctx, int item, const struct stac_batch *batch, float *const *x, struct stac_error *err) {
    struct pass *p = ctx;
    (void)item;
    return stac_run_head(&p->c->run, 0, batch->n, x[0], NULL, err);
}

/* ---- means -------------------------------------------------------------------------------------------------------- */

static void add_rows(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    struct pass *p = ctx;
    int length = p->c->length;
    (void)first, (void)ld;
    if (head >= 0) return;
    for (int i = 0; i < n_rows && p->error.status == STAC_OK; i += length) /* each window's sum is rounded */
        stac_statistics_add_rows(&p->c->stats, stac_site_index(&p->c->stats.hp, site),
                                 n_rows - i < length ? n_rows - i : length, x + (size_t)i * n, &p->error);
}

int stac_calibrate_means(struct stac_calibration *c, struct stac_error *err) {
    struct pass p = {.c = c, .see = add_rows, .output = show_head_input, .cached = true};
    struct stac_partial part[STAC_MEANS_PARTS];
    stac_statistics_means(&c->stats, part);
    return run_pass(&p, "calibrate: means", "means", part, STAC_MEANS_PARTS, err);
}

/* ---- histograms --------------------------------------------------------------------------------------------------- */

const float *stac_calibration_mean(const struct stac_calibration *c, int site) {
    return c->stats.sums_at[site + 1] > c->stats.sums_at[site] ? c->mean + c->stats.sums_at[site] : NULL;
}

float stac_calibration_inverse_scale(const struct stac_calibration *c, const struct stac_site *site, int n, const float *x,
                                     const float *mean) {
    if (site->scaling == STAC_SCALE_STATIC) return 1.0f;
    float rms = sqrtf(c->run.kernels_here->sum_squares(n, x, mean) / (float)n);
    return rms > 1e-20f ? 1.0f / rms : 1.0f;
}

static void add_magnitudes(const struct stac_calibration *c, const struct stac_site *site, int n, const float *x,
                           const float *mean, struct stac_histogram *h) {
    float magnitude[64];
    float inverse = stac_calibration_inverse_scale(c, site, n, x, mean);
    for (int at = 0; at < n; at += 64) {
        int piece = n - at < 64 ? n - at : 64, kept = 0;
        for (int i = at; i < at + piece; i++) {
            if (site->kind == STAC_SITE_P && x[i] == 0) continue; /* a key that is not seen */
            magnitude[kept++] = fabsf(mean ? x[i] - mean[i] : x[i]) * inverse;
        }
        stac_histogram_add(h, magnitude, kept);
    }
}

static void add_histogram(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    struct pass *p = ctx;
    int index = stac_site_index(&p->c->stats.hp, site);
    struct stac_histogram *total = &p->c->stats.histogram[index];
    const float *mean = stac_calibration_mean(p->c, index);
    (void)head, (void)first;
#pragma omp parallel
    {
        struct stac_histogram local = {.logarithmic = total->logarithmic, .range = total->range};
#pragma omp for schedule(static)
        for (int i = 0; i < n_rows; i++) add_magnitudes(p->c, site, n, x + (size_t)i * ld, mean, &local);
#pragma omp critical(stac_histograms)
        stac_histogram_merge(total, &local);
    }
}

int stac_calibrate_histograms(struct stac_calibration *c, struct stac_error *err) {
    struct pass p = {.c = c, .see = add_histogram, .output = show_head_input};
    struct stac_partial *part = NULL;
    for (int i = 0; i < c->stats.n_sites; i++)
        if (stac_calibration_mean(c, i)) stac_statistics_mean(&c->stats, i, c->mean + c->stats.sums_at[i]);
    int status = STAC_NEW(part, c->stats.n_sites, "histograms", err);
    STAC_TRY_DONE(stac_agree(c->ranks, c->ranks->comm, status, err));
    stac_statistics_histograms(&c->stats, part);
    status = run_pass(&p, "calibrate: distributions", "histograms", part, c->stats.n_sites, err);
done:
    free(part);
    return status;
}

/* ---- gradients ---------------------------------------------------------------------------------------------------- */

struct gradients {
    struct stac_calibration *c;
    const struct stac_gradients *what;
    struct stac_backward b;
    float *gradient; /* [length][n_embd], where the run is */
    struct stac_progress progress;
};

/* The windows of this group in [from, to), there and back. */
static int gradients_of_windows(void *ctx, int from, int to, struct stac_error *err) {
    struct gradients *g = ctx;
    struct stac_calibration *c = g->c;
    int status = STAC_OK;
    for (int item = from + c->grid->group; c->grid->stage >= 0 && item < to; item += c->grid->n_groups) {
        struct stac_batch batch = stac_calibration_window(c, item);
        status = stac_pipeline_gradient(&c->pipeline, &g->b, status, &batch, g->what->seed, LABELS + (uint64_t)item,
                                        g->gradient, err);
        stac_progress_step(&g->progress, c->grid->n_groups);
    }
    int settled = c->grid->stage >= 0 ? stac_pipeline_settle(&c->pipeline, err) : STAC_OK;
    if (status == STAC_OK) status = settled;
    if (status == STAC_OK) status = g->what->check(g->what->probe.ctx, err);
    return stac_agree(c->ranks, c->ranks->comm, status, err);
}

static void skip_gradients(void *ctx, int n) {
    stac_progress_skip(&((struct gradients *)ctx)->progress, n);
}

int stac_calibrate_gradients(struct stac_calibration *c, const struct stac_gradients *what, struct stac_error *err) {
    struct gradients g = {.c = c, .what = what};
    struct stac_pieces work = {c->ranks,
                               c->checkpoint,
                               what->record,
                               what->part,
                               what->n_parts,
                               what->n_windows,
                               stac_grid_piece(c->grid),
                               gradients_of_windows,
                               skip_gradients,
                               &g};
    int status = stac_calibration_place(c, err);
    if (status == STAC_OK && c->grid->stage >= 0) status = stac_backward_init(&g.b, &c->run, err);
    if (status == STAC_OK && c->grid->stage >= 0) status = stac_run_activations(&c->run, &g.gradient, err);
    g.b.probe = what->probe;
    STAC_TRY_DONE(stac_agree(c->ranks, c->ranks->comm, status, err));
    stac_progress_begin(&g.progress, c->log, what->phase, what->n_windows, "windows");
    STAC_TRY_DONE(stac_work_in_pieces(&work, err));
    stac_progress_end(&g.progress);
done:
    stac_backward_clean(&g.b);
    stac_device_release(c->device, g.gradient);
    return status;
}

/* ---- damage ------------------------------------------------------------------------------------------------------- */

enum { EVERY = 4 }; /* one row in four is compared */

/* What the damage passes share on this rank. */
struct coded {
    const struct stac_code *codes;
    enum stac_site_kind kind; /* coded in this pass; STAC_SITE_KINDS: none, the pass keeps the reference */
    int rows;                 /* compared in each window */
    int32_t *row;             /* [rows] which ones; this and x are where the run is */
    float *x, *logits, *scratch;
    float *reference;   /* [windows of this rank in a piece][rows][n_vocab] */
    double *divergence; /* [STAC_SITE_KINDS + 1][n_windows] mean of each window; of the reference 0 */
    int n_windows;
};

void stac_calibration_code_row(const struct stac_calibration *c, const struct stac_site *site, const struct stac_code *code,
                               int n, const float *x, float *out) {
    const float *mean = stac_calibration_mean(c, stac_site_index(c->hp, site));
    float inverse = stac_calibration_inverse_scale(c, site, n, x, mean), unit = code->unit / inverse;
    int16_t integer[64];
    for (int at = 0; at < n; at += 64) {
        int piece = n - at < 64 ? n - at : 64;
        c->run.kernels_here->encode(&code->levels, piece, x + at, mean ? mean + at : NULL, inverse / code->unit, integer);
        for (int j = 0; j < piece; j++) out[at + j] = (float)integer[j] * unit;
    }
}

/* Put what would be decoded in place of what enters a site. */
static void code_rows(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    struct pass *p = ctx;
    const struct stac_calibration *c = p->c;
    (void)head, (void)first;
    if (site->kind != p->coded->kind) return;
    int index = stac_site_index(&c->stats.hp, site);
    const float *mean = stac_calibration_mean(c, index);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n_rows; i++) {
        float *row = x + (size_t)i * ld;
        stac_calibration_code_row(c, site, &p->coded->codes[index], n, row, row);
        if (mean) c->run.kernels_here->add(n, mean, row);
    }
}

/* A window whose residual stream is x; `reference` is its. */
static int compare_window(struct pass *p, int window, const float *x, float *reference, struct stac_error *err) {
    struct coded *d = p->coded;
    struct stac_calibration *c = p->c;
    size_t vocab = (size_t)c->stats.hp.n_vocab;
    bool keep = d->kind == STAC_SITE_KINDS;
    double sum = 0;
    c->run.kernels->gather(d->rows, c->stats.hp.n_embd, d->row, x, 0, d->x);
    STAC_TRY(stac_run_head(&c->run, 0, d->rows, d->x, keep ? reference : d->logits, err));
    for (int i = 0; i < d->rows && !keep; i++) {
        const float *a = reference + i * vocab, *b = d->logits + i * vocab;
        double za = stac_log_partition(c->run.kernels_here, (int)vocab, a, d->scratch);
        double zb = stac_log_partition(c->run.kernels_here, (int)vocab, b, d->scratch);
        sum += stac_divergence(c->run.kernels_here, (int)vocab, a, za, b, zb, d->scratch);
    }
    d->divergence[(size_t)d->kind * d->n_windows + window] = sum / d->rows;
    return STAC_OK;
}

static int compare_windows(void *ctx, int item, const struct stac_batch *batch, float *const *x, struct stac_error *err) {
    struct pass *p = ctx;
    const struct stac_calibration *c = p->c;
    size_t first = (size_t)(item / c->grid->n_groups) * (size_t)c->together; /* of this group's in the piece */
    size_t stream = (size_t)c->length * (size_t)c->hp->n_embd, logits = (size_t)p->coded->rows * (size_t)c->hp->n_vocab;
    (void)batch;
    for (int w = 0; w < windows_of(p, item); w++)
        STAC_TRY(compare_window(p, first_window(p, item) + w, x[0] + (size_t)w * stream,
                                p->coded->reference + (first + (size_t)w) * logits, err));
    return STAC_OK;
}

static int choose_rows(struct coded *d, const struct stac_run *run, struct stac_error *err) {
    int32_t *row;
    STAC_TRY(STAC_NEW(row, d->rows, "compared rows", err));
    for (int i = 0; i < d->rows; i++) row[i] = (i + 1) * EVERY - 1;
    int status = STAC_DEVICE_NEW(run->device, d->row, d->rows, "compared rows", err);
    if (status == STAC_OK) status = stac_device_put(run->device, d->row, row, (size_t)d->rows * sizeof *row, err);
    free(row);
    return status;
}

static int coded_init(struct coded *d, const struct stac_calibration *c, int n_windows, struct stac_error *err) {
    size_t vocab = (size_t)c->stats.hp.n_vocab, width = (size_t)c->stats.hp.n_embd;
    size_t mine = (size_t)(piece_of(c) / c->grid->n_groups);
    d->rows = c->length / EVERY;
    d->n_windows = n_windows;
    STAC_TRY(STAC_NEW(d->divergence, (STAC_SITE_KINDS + 1) * n_windows, "divergences", err));
    if (c->grid->stage < 0 || !stac_pipeline_is_last(&c->pipeline)) return STAC_OK;
    STAC_TRY(STAC_DEVICE_NEW(c->run.device, d->x, (size_t)d->rows * width, "compared rows", err));
    STAC_TRY(choose_rows(d, &c->run, err));
    STAC_TRY(STAC_NEW(d->logits, (size_t)d->rows * vocab, "compared logits", err));
    STAC_TRY(STAC_NEW(d->scratch, vocab, "compared logits", err));
    return STAC_NEW(d->reference, mine * (size_t)d->rows * vocab, "reference logits", err);
}

static void coded_clean(struct coded *d, const struct stac_device *device) {
    stac_device_release(device, d->x);
    stac_device_release(device, d->row);
    free(d->logits);
    free(d->scratch);
    free(d->reference);
    free(d->divergence);
}

/* Windows [from, to): as they are, then with each kind of site coded. */
static int damage_of_windows(void *ctx, int from, int to, struct stac_error *err) {
    struct pass *p = ctx;
    for (int pass = 0; pass <= STAC_SITE_KINDS; pass++) {
        p->coded->kind = pass == 0 ? STAC_SITE_KINDS : (enum stac_site_kind)(pass - 1);
        STAC_TRY(pass_windows(p, from, to, err));
    }
    return STAC_OK;
}

static void skip_damage(void *ctx, int n) {
    stac_progress_skip(((struct pass *)ctx)->progress, n * (STAC_SITE_KINDS + 1));
}

int stac_calibrate_damage(struct stac_calibration *c, const struct stac_code *codes, int n_windows, double *damage,
                          struct stac_error *err) {
    struct coded d = {.codes = codes};
    struct stac_progress progress;
    struct pass p = {.c = c, .see = code_rows, .output = compare_windows, .coded = &d, .progress = &progress};
    int status = stac_calibration_place(c, err);
    if (status == STAC_OK) status = coded_init(&d, c, n_windows, err);
    STAC_TRY_DONE(stac_agree(c->ranks, c->ranks->comm, status, err));
    struct stac_partial part = {STAC_ADD_F64, d.divergence, (size_t)(STAC_SITE_KINDS + 1) * (size_t)n_windows};
    struct stac_pieces work = {c->ranks,  c->checkpoint, "damage",          &part,       1,
                               n_windows, piece_of(c),   damage_of_windows, skip_damage, &p};
    stac_progress_begin(&progress, c->log, "calibrate: sensitivity", (double)n_windows * (STAC_SITE_KINDS + 1), "windows");
    STAC_TRY_DONE(stac_work_in_pieces(&work, err));
    stac_progress_end(&progress);
    for (int k = 0; k < STAC_SITE_KINDS; k++) {
        double sum = 0;
        for (int i = 0; i < n_windows; i++) sum += d.divergence[k * n_windows + i];
        damage[k] = sum / n_windows;
    }
done:
    coded_clean(&d, c->device);
    return status;
}
