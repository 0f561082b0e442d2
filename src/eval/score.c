#include "eval/score.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "net/logits.h"

enum { ROWS = 64 }; /* rows of logits at a time */

/* What every window adds; one entry a window, so that sums are taken in the order of the text on any number of ranks. */
struct tally {
    double nll[STAC_SIDES], kl;
    double agree, tokens; /* whole numbers */
};

struct scoring {
    struct stac_stand *stand;
    const int32_t *tokens;
    const struct stac_window *window;
    size_t n_windows;
    int32_t *index;            /* positions, then slots */
    struct tally *tally;       /* [n_windows] */
    uint8_t *seen[STAC_SIDES]; /* [n_vocab] was once the most likely token */
    float *logits[STAC_SIDES], *scratch;
    struct stac_progress progress;
};

static int window_batch(void *ctx, int item, struct stac_batch *out, struct stac_error *err) {
    struct scoring *g = ctx;
    const struct stac_window *w = &g->window[item];
    (void)err;
    *out = (struct stac_batch){(int)w->size, g->tokens + w->begin, g->index, g->index + g->window[0].size};
    return STAC_OK;
}

/* The rows of one piece, `from` the first of them in the window; row i predicts token i + 1. */
static void tally_rows(struct scoring *g, const struct stac_window *w, size_t from, size_t n, struct tally *t) {
    const struct stac_kernels *k = stac_kernels_best();
    int vocab = g->stand->subject->hp.n_vocab;
    for (size_t i = 0; i < n; i++) {
        int32_t next = g->tokens[w->begin + from + i + 1], best[STAC_SIDES] = {0};
        double partition[STAC_SIDES];
        for (int p = 0; p < g->stand->n_sides; p++) {
            const float *row = g->logits[p] + i * (size_t)vocab;
            partition[p] = stac_log_partition(k, vocab, row, g->scratch);
            t->nll[g->stand->side[p]] += partition[p] - (double)row[next];
            best[p] = stac_most_likely(vocab, row);
            g->seen[g->stand->side[p]][best[p]] = 1;
        }
        t->tokens++;
        if (g->stand->n_sides < 2) continue;
        t->agree += best[0] == best[1];
        t->kl += stac_divergence(k, vocab, g->logits[0] + i * (size_t)vocab, partition[0], g->logits[1] + i * (size_t)vocab,
                                 partition[1], g->scratch);
    }
}

static int window_output(void *ctx, int item, const struct stac_batch *batch, float *const *x, struct stac_error *err) {
    struct scoring *g = ctx;
    const struct stac_window *w = &g->window[item];
    size_t width = (size_t)g->stand->subject->hp.n_embd, first = w->skip > 0 ? w->skip - 1 : 0;
    for (size_t from = first; from + 1 < (size_t)batch->n; from += ROWS) {
        size_t left = (size_t)batch->n - 1 - from, n = left < ROWS ? left : ROWS;
        for (int p = 0; p < g->stand->n_sides; p++)
            STAC_TRY(stac_run_head(&g->stand->run[p], (int)from, (int)n, x[p] + from * width, g->logits[p], err));
        tally_rows(g, w, from, n, &g->tally[item]);
    }
    return STAC_OK;
}

static void window_step(void *ctx, int item) {
    struct scoring *g = ctx;
    stac_progress_step(&g->progress, (double)g->window[item].size * g->stand->subject->grid.n_groups);
}

/* ---- totals ------------------------------------------------------------------------------------------------------- */

static int merge(struct scoring *g, struct stac_score *out, struct stac_error *err) {
    struct stac_subject *s = g->stand->subject;
    MPI_Comm comm = s->ranks->comm;
    size_t numbers = sizeof *g->tally / sizeof(double) * g->n_windows;
    struct tally sum = {0};
    /* every entry is non-zero on one rank only, so the sum over ranks is exact */
    STAC_TRY(
        stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, g->tally, (int)numbers, MPI_DOUBLE, MPI_SUM, comm), "cannot add up", err));
    for (size_t i = 0; i < g->n_windows; i++) {
        for (int side = 0; side < STAC_SIDES; side++) sum.nll[side] += g->tally[i].nll[side];
        sum.kl += g->tally[i].kl;
        sum.agree += g->tally[i].agree;
        sum.tokens += g->tally[i].tokens;
    }
    out->tokens = (size_t)sum.tokens;
    for (int p = 0; p < g->stand->n_sides; p++) {
        enum stac_side side = g->stand->side[p];
        out->nll[side] = sum.nll[side] / sum.tokens;
        out->perplexity[side] = exp(out->nll[side]);
        STAC_TRY(stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, g->seen[side], s->hp.n_vocab, MPI_BYTE, MPI_BOR, comm),
                                "cannot merge", err));
        for (int v = 0; v < s->hp.n_vocab; v++) out->distinct[side] += g->seen[side][v];
        if (side == STAC_SNN) STAC_TRY(stac_stand_counts(g->stand, p, out->counts, err));
    }
    for (int i = 0; i < stac_site_count(&s->hp); i++) stac_counts_add(&out->total, &out->counts[i]);
    if (g->stand->n_sides < 2) return STAC_OK;
    out->ratio = exp(out->nll[STAC_SNN] - out->nll[STAC_BASELINE]);
    out->kl = sum.kl / sum.tokens;
    out->top1 = sum.agree / sum.tokens;
    return STAC_OK;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

static int prepare(struct scoring *g, struct stac_score *out, struct stac_error *err) {
    struct stac_subject *s = g->stand->subject;
    size_t context = g->window[0].size, vocab = (size_t)s->hp.n_vocab;
    STAC_TRY(STAC_NEW(out->counts, stac_site_count(&s->hp), "counts", err));
    STAC_TRY(STAC_NEW(g->index, 2 * context, "positions", err));
    for (size_t i = 0; i < context; i++) g->index[i] = (int32_t)i;
    STAC_TRY(STAC_NEW(g->tally, g->n_windows, "results", err));
    STAC_TRY(STAC_NEW(g->scratch, vocab, "logits", err));
    for (int p = 0; p < STAC_SIDES; p++) {
        STAC_TRY(STAC_NEW(g->seen[p], vocab, "predictions", err));
        STAC_TRY(STAC_NEW(g->logits[p], ROWS * vocab, "logits", err));
    }
    return STAC_OK;
}

static void scoring_clean(struct scoring *g) {
    free(g->index);
    free(g->tally);
    free(g->scratch);
    for (int p = 0; p < STAC_SIDES; p++) {
        free(g->seen[p]);
        free(g->logits[p]);
    }
}

int stac_score_text(struct stac_subject *s, const int32_t *tokens, size_t n, size_t context, size_t stride,
                    struct stac_score *out, struct stac_error *err) {
    struct stac_stand stand;
    struct stac_window *window = NULL;
    struct scoring g = {.stand = &stand, .tokens = tokens};
    size_t n_windows;
    *out = (struct stac_score){.context = context, .stride = stride};
    if (n < 2) return stac_fail(err, STAC_ERR_USAGE, "a text of %zu tokens has nothing to predict", n);
    STAC_TRY(stac_windows_cut(n, context, stride, &window, &n_windows, err));
    g.window = window;
    g.n_windows = out->windows = n_windows;
    int status = stac_stand_init(&stand, s, STAC_SIDES, 1, (int)window[0].size, (int)window[0].size, err);
    if (status != STAC_OK) {
        free(window);
        return status;
    }
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, prepare(&g, out, err), err));
    struct stac_work work = {(int)n_windows, window_batch, window_output, window_step, &g};
    stac_progress_begin(&g.progress, s->log, stand.n_sides > 1 ? "evaluate: both sides" : "evaluate", (double)n);
    if (s->grid.stage >= 0) status = stac_pipeline_work(&stand.pipeline, &work, err);
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, status, err));
    stac_progress_end(&g.progress);
    STAC_TRY_DONE(merge(&g, out, err));
done:
    scoring_clean(&g);
    free(window);
    stac_stand_clean(&stand);
    if (status != STAC_OK) stac_score_clean(out);
    return status;
}

void stac_score_clean(struct stac_score *score) {
    free(score->counts);
    score->counts = NULL;
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

double stac_energy_ratio(const struct stac_counts *total, double mac, double ac) {
    return total->acs > 0 ? (double)total->macs * mac / ((double)total->acs * ac) : 0;
}

double stac_coverage(const struct stac_counts *total) {
    return total->macs > 0 ? (double)total->covered / (double)total->macs : 0;
}
