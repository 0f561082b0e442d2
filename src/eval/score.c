#include "eval/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "eval/execution.h"
#include "net/logits.h"

enum { ROWS = 64 }; /* rows of logits at a time */

struct scoring {
    struct stac_stand *stand; /* what runs */
    const struct stac_reading *text;
    struct stac_window *window; /* [n_windows], owned */
    size_t n_windows;
    int32_t *index;                         /* positions, then slots */
    const struct stac_kept *kept;           /* instead of running the baseline, or NULL */
    struct stac_run *run[STAC_SIDES];       /* whose head predicts; NULL: the side has no part */
    struct stac_window_score *tally;        /* [n_windows], of the score. Sums over it are taken in the order of the text */
    uint8_t *seen[STAC_SIDES];              /* [n_vocab] was once the most likely token */
    struct stac_counts *counts[STAC_SIDES]; /* by site, of the score; NULL where the predictions are kept for later */
    int64_t *channels;                      /* of the score, or NULL */
    int (*output)(void *, int, const struct stac_batch *, float *const *, struct stac_error *);
    float *logits[STAC_SIDES], *scratch;
    int found; /* windows that a checkpoint had */
    struct stac_progress progress;
};

static int window_batch(void *ctx, int item, struct stac_batch *out, struct stac_error *err) {
    struct scoring *g = ctx;
    const struct stac_window *w = &g->window[item];
    (void)err;
    *out = (struct stac_batch){(int)w->size, g->text->tokens + w->begin, g->index, g->index + g->window[0].size};
    return STAC_OK;
}

static bool has_both(const struct scoring *g) {
    return g->run[STAC_BASELINE] && g->run[STAC_SNN];
}

/* The rows of one piece, `from` the first of them in the window; row i predicts token i + 1. */
static void tally_rows(struct scoring *g, const struct stac_window *w, size_t from, size_t n, struct stac_window_score *t) {
    const struct stac_kernels *k = stac_kernels_best();
    int vocab = g->stand->subject->hp.n_vocab;
    for (size_t i = 0; i < n; i++) {
        int32_t next = g->text->tokens[w->begin + from + i + 1], best[STAC_SIDES] = {0};
        double partition[STAC_SIDES];
        for (int side = 0; side < STAC_SIDES; side++) {
            if (!g->run[side]) continue;
            const float *row = g->logits[side] + i * (size_t)vocab;
            partition[side] = stac_log_partition(k, vocab, row, g->scratch);
            t->nll[side] += partition[side] - (double)row[next];
            best[side] = stac_most_likely(vocab, row);
            g->seen[side][best[side]] = 1;
        }
        t->tokens++;
        if (!has_both(g)) continue;
        t->agree += best[0] == best[1];
        t->kl += stac_divergence(k, vocab, g->logits[0] + i * (size_t)vocab, partition[0], g->logits[1] + i * (size_t)vocab,
                                 partition[1], g->scratch);
    }
}

static int window_output(void *ctx, int item, const struct stac_batch *batch, float *const *x, struct stac_error *err) {
    struct scoring *g = ctx;
    const struct stac_window *w = &g->window[item];
    const float *rows[STAC_SIDES] = {g->kept ? g->kept->x[item] : NULL};
    size_t width = (size_t)g->stand->subject->hp.n_embd, first = w->skip > 0 ? w->skip - 1 : 0;
    for (int p = 0; p < g->stand->n_sides; p++) rows[g->stand->side[p]] = x[p];
    for (size_t from = first; from + 1 < (size_t)batch->n; from += ROWS) {
        size_t left = (size_t)batch->n - 1 - from, n = left < ROWS ? left : ROWS;
        for (int side = 0; side < STAC_SIDES; side++)
            if (g->run[side])
                STAC_TRY(stac_run_head(g->run[side], (int)from, (int)n, rows[side] + from * width, g->logits[side], err));
        tally_rows(g, w, from, n, &g->tally[item]);
    }
    return STAC_OK;
}

/* What the windows of this rank say until now: the losses where its heads predict, the spikes of its part. */
static void tell(struct scoring *g) {
    static const char *const losses[STAC_SIDES] = {"loss of the original", "loss of the SNN"};
    struct stac_window_score sum = {0};
    struct stac_counts counts = {0};
    for (size_t i = 0; g->tally && i < g->n_windows; i++) { /* none where the predictions are kept for later */
        sum.tokens += g->tally[i].tokens;
        for (int side = 0; side < STAC_SIDES; side++) sum.nll[side] += g->tally[i].nll[side];
    }
    for (int side = 0; side < STAC_SIDES; side++)
        if (sum.tokens > 0 && sum.nll[side] > 0) stac_progress_fact(&g->progress, losses[side], sum.nll[side] / sum.tokens);
    for (int p = 0; p < g->stand->n_sides; p++)
        for (int i = 0; i < g->stand->run[p].n_sites && g->stand->side[p] == STAC_SNN; i++)
            stac_counts_add(&counts, &g->stand->run[p].counts[i]);
    for (int i = 0; g->counts[STAC_SNN] && i < stac_site_count(&g->stand->subject->hp); i++)
        stac_counts_add(&counts, &g->counts[STAC_SNN][i]);
    if (counts.values == 0) return;
    stac_progress_fact(&g->progress, "spikes", (double)counts.spikes);
    stac_progress_fact(&g->progress, "spikes per activation", stac_spikes_per_activation(&counts));
}

static void window_step(void *ctx, int item) {
    struct scoring *g = ctx;
    const struct stac_log *log = g->stand->subject->log;
    if (log && log->live && stac_live_is_due(log->live)) tell(g);
    stac_progress_step(&g->progress, (double)g->window[item].size * g->stand->subject->grid.n_groups);
}

/* ---- totals ------------------------------------------------------------------------------------------------------- */

/* What all ranks found of a side, put together. */
static int sum_up_side(struct scoring *g, enum stac_side side, double nll, struct stac_score *out, struct stac_error *err) {
    struct stac_subject *s = g->stand->subject;
    out->nll[side] = nll / (double)out->tokens;
    out->perplexity[side] = exp(out->nll[side]);
    for (int v = 0; v < s->hp.n_vocab; v++) out->distinct[side] += g->seen[side][v];
    for (int p = 0; p < g->stand->n_sides; p++) {
        if (g->stand->side[p] != side || side != STAC_SNN) continue;
        if (s->job->use_sparse) stac_execution_tell(s, out->counts);
        if (s->job->neurobench[0])
            STAC_TRY(stac_neurobench_gather(s, g->stand->run[p].net, out->counts, out->channels, &out->neurobench, err));
    }
    return STAC_OK;
}

static int sum_up(struct scoring *g, struct stac_score *out, struct stac_error *err) {
    struct stac_subject *s = g->stand->subject;
    struct stac_window_score sum = {0};
    for (size_t i = 0; i < g->n_windows; i++) {
        for (int side = 0; side < STAC_SIDES; side++) sum.nll[side] += g->tally[i].nll[side];
        sum.kl += g->tally[i].kl;
        sum.agree += g->tally[i].agree;
        sum.tokens += g->tally[i].tokens;
    }
    out->tokens = (size_t)sum.tokens;
    for (int side = 0; side < STAC_SIDES; side++)
        if (s->side[side]) STAC_TRY(sum_up_side(g, (enum stac_side)side, sum.nll[side], out, err));
    for (int i = 0; i < stac_site_count(&s->hp); i++) stac_counts_add(&out->total, &out->counts[i]);
    if (!s->side[STAC_BASELINE] || !s->side[STAC_SNN]) return STAC_OK;
    out->ratio = exp(out->nll[STAC_SNN] - out->nll[STAC_BASELINE]);
    out->kl = sum.kl / sum.tokens;
    out->top1 = sum.agree / sum.tokens;
    return STAC_OK;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

/* Cut the text; the same on every rank. */
static int scoring_begin(struct scoring *g, struct stac_error *err) {
    const struct stac_reading *text = g->text;
    if (text->n < 2) return stac_fail(err, STAC_ERR_USAGE, "a text of %zu tokens has nothing to predict", text->n);
    STAC_TRY(stac_windows_cut(text->n, text->context, text->stride, &g->window, &g->n_windows, err));
    size_t context = g->window[0].size;
    STAC_TRY(STAC_NEW(g->index, 2 * context, "positions", err));
    for (size_t i = 0; i < context; i++) g->index[i] = (int32_t)i;
    return STAC_OK;
}

static int prepare(struct scoring *g, struct stac_score *out, struct stac_error *err) {
    struct stac_subject *s = g->stand->subject;
    size_t vocab = (size_t)s->hp.n_vocab;
    STAC_TRY(STAC_NEW(out->counts, stac_site_count(&s->hp), "counts", err));
    STAC_TRY(STAC_NEW(out->dense, stac_site_count(&s->hp), "counts", err));
    STAC_TRY(STAC_NEW(out->window, g->n_windows, "results", err));
    g->tally = out->window;
    g->counts[STAC_SNN] = out->counts, g->counts[STAC_BASELINE] = out->dense;
    STAC_TRY(STAC_NEW(g->scratch, vocab, "logits", err));
    for (int p = 0; p < STAC_SIDES; p++) {
        STAC_TRY(STAC_NEW(g->seen[p], vocab, "predictions", err));
        STAC_TRY(STAC_NEW(g->logits[p], ROWS * vocab, "logits", err));
    }
    if (!s->job->neurobench[0]) return STAC_OK;
    STAC_TRY(STAC_NEW(out->channels, stac_channels_size(&s->hp), "counters of inputs", err));
    g->channels = out->channels;
    return s->grid.stage >= 0 ? stac_channels_begin(g->run[STAC_SNN], err) : STAC_OK;
}

static void scoring_clean(struct scoring *g) {
    free(g->window);
    free(g->index);
    free(g->scratch);
    for (int p = 0; p < STAC_SIDES; p++) {
        free(g->seen[p]);
        free(g->logits[p]);
    }
}

/* Windows [from, to) through the stand. */
static int read_piece(void *ctx, int from, int to, struct stac_error *err) {
    struct scoring *g = ctx;
    struct stac_subject *s = g->stand->subject;
    struct stac_work work = {from, to, window_batch, g->output, window_step, g};
    int status = s->grid.stage >= 0 ? stac_pipeline_work(&g->stand->pipeline, &work, err) : STAC_OK;
    for (int p = 0; p < g->stand->n_sides; p++)
        if (g->counts[g->stand->side[p]]) stac_stand_take_counts(g->stand, p, g->counts[g->stand->side[p]]);
    if (g->channels && s->grid.stage >= 0) stac_channels_take(g->run[STAC_SNN], g->channels);
    return stac_agree(s->ranks, s->ranks->comm, status, err);
}

static void skip_windows(void *ctx, int n) {
    struct scoring *g = ctx;
    for (int i = 0; i < n; i++) stac_progress_skip(&g->progress, (double)g->window[i].size);
    g->found = n;
}

/* Every window, as the pieces of a record of `part`. Collective; ends with an agreement. */
static int read_windows(struct scoring *g, const char *phase, struct stac_checkpoint *checkpoint,
                        const struct stac_partial *part, int n_parts, struct stac_error *err) {
    struct stac_subject *s = g->stand->subject;
    int all = (int)g->n_windows, step = stac_grid_piece(&s->grid);
    struct stac_pieces work = {s->ranks,   checkpoint,   "text", part, n_parts, all, checkpoint ? step : all,
                               read_piece, skip_windows, g};
    double tokens = 0; /* more than the text has where windows overlap */
    for (size_t i = 0; i < g->n_windows; i++) tokens += (double)g->window[i].size;
    stac_progress_begin(&g->progress, s->log, phase, tokens, "tokens");
    STAC_TRY(stac_work_in_pieces(&work, err));
    stac_progress_end(&g->progress);
    return STAC_OK;
}

/* What is found of the windows: every entry of the tally is non-zero on one rank only, so its sum is exact. */
static int score_windows(struct scoring *g, struct stac_score *out, struct stac_error *err) {
    const struct stac_subject *s = g->stand->subject;
    size_t vocab = (size_t)s->hp.n_vocab, counts = STAC_COUNT_FIELDS * (size_t)stac_site_count(&s->hp);
    struct stac_partial part[] = {{STAC_ADD_F64, g->tally, sizeof *g->tally / sizeof(double) * g->n_windows},
                                  {STAC_MAX_U8, g->seen[0], vocab},
                                  {STAC_MAX_U8, g->seen[1], vocab},
                                  {STAC_ADD_I64, out->counts, counts},
                                  {STAC_ADD_I64, out->dense, counts},
                                  {STAC_ADD_I64, out->channels, stac_channels_size(&s->hp)}};
    int n_parts = (int)(sizeof part / sizeof *part) - !out->channels;
    g->output = window_output;
    return read_windows(g, g->stand->n_sides > 1 ? "evaluate: both sides" : "evaluate", g->kept ? NULL : s->checkpoint, part,
                        n_parts, err); /* a point of a frontier is short */
}

int stac_score_text(struct stac_subject *s, const struct stac_reading *text, const struct stac_kept *kept,
                    struct stac_score *out, struct stac_error *err) {
    struct stac_stand stand = {0}, heads = {0}; /* the second one for the baseline's head alone, where the rest is kept */
    struct scoring g = {.stand = &stand, .text = text, .kept = kept};
    int status = STAC_OK;
    *out = (struct stac_score){.context = text->context, .stride = text->stride};
    STAC_TRY_DONE(scoring_begin(&g, err));
    int size = (int)g.window[0].size;
    out->windows = g.n_windows;
    STAC_TRY_DONE(stac_stand_init(&stand, s, kept ? STAC_SNN : STAC_SIDES, 1, size, size, err));
    if (kept) STAC_TRY_DONE(stac_stand_init_on_processors(&heads, s, STAC_BASELINE, 1, ROWS, ROWS, err));
    for (int p = 0; p < stand.n_sides; p++) g.run[stand.side[p]] = &stand.run[p];
    if (kept) g.run[STAC_BASELINE] = &heads.run[0];
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, prepare(&g, out, err), err));
    STAC_TRY_DONE(score_windows(&g, out, err));
    STAC_TRY_DONE(sum_up(&g, out, err));
    out->found = (size_t)g.found;
done:
    scoring_clean(&g);
    stac_stand_clean(&heads);
    stac_stand_clean(&stand);
    if (status != STAC_OK) stac_score_clean(out);
    return status;
}

/* ---- keeping the baseline ----------------------------------------------------------------------------------------- */

struct keeping {
    struct scoring g; /* first, so that both kinds of work share window_batch and window_step */
    struct stac_kept *out;
};

static int keep_window(void *ctx, int item, const struct stac_batch *batch, float *const *x, struct stac_error *err) {
    struct keeping *k = ctx;
    size_t n = (size_t)batch->n * (size_t)k->g.stand->subject->hp.n_embd;
    STAC_TRY(STAC_NEW(k->out->x[item], n, "what the original makes of the text", err));
    memcpy(k->out->x[item], x[0], n * sizeof *x[0]);
    return STAC_OK;
}

int stac_score_keep(struct stac_subject *s, const struct stac_reading *text, struct stac_kept *out, struct stac_error *err) {
    struct stac_stand stand = {0};
    struct keeping k = {.g = {.stand = &stand, .text = text}, .out = out};
    int status = STAC_OK;
    *out = (struct stac_kept){0};
    STAC_TRY_DONE(scoring_begin(&k.g, err));
    int size = (int)k.g.window[0].size;
    out->n_windows = k.g.n_windows;
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm,
                             STAC_NEW(out->x, out->n_windows, "what the original makes of the text", err), err));
    STAC_TRY_DONE(stac_stand_init_on_processors(&stand, s, STAC_BASELINE, 1, size, size, err)); /* kept by the host */
    k.g.output = keep_window;
    STAC_TRY_DONE(read_windows(&k.g, "evaluate: original", NULL, NULL, 0, err));
done:
    scoring_clean(&k.g);
    stac_stand_clean(&stand);
    if (status != STAC_OK) stac_kept_clean(out);
    return status;
}

void stac_kept_clean(struct stac_kept *kept) {
    for (size_t i = 0; kept->x && i < kept->n_windows; i++) free(kept->x[i]);
    free(kept->x);
    *kept = (struct stac_kept){0};
}

/* ---- figures ------------------------------------------------------------------------------------------------------ */

void stac_score_clean(struct stac_score *score) {
    free(score->counts);
    free(score->dense);
    free(score->window);
    free(score->channels);
    score->channels = NULL;
    score->counts = score->dense = NULL;
    score->window = NULL;
}

double stac_ac_per_mac(const struct stac_counts *total) {
    return total->macs > 0 ? (double)total->acs / (double)total->macs : 0;
}

double stac_multiplies_per_mac(const struct stac_counts *total) {
    return total->macs > 0 ? (double)total->multiplies / (double)total->macs : 0;
}

double stac_spikes_per_activation(const struct stac_counts *total) {
    return total->values > 0 ? (double)total->spikes / (double)total->values : 0;
}

double stac_energy_ratio(const struct stac_counts *total) {
    return total->acs > 0 ? (double)total->macs * 4.6 / ((double)total->acs * 0.9) : 0;
}

double stac_coverage(const struct stac_counts *total) {
    return total->macs > 0 ? (double)total->covered / (double)total->macs : 0;
}
