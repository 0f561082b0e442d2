#include "convert/sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/sampling.h"

enum { AT_ONCE = 32 }; /* most texts that a group writes side by side */

/* The texts that a group writes together: text i of the job is in slot i / n_groups, counted from the first of them. */
struct writing {
    const struct stac_grid *grid;
    struct stac_pipeline *pipeline;
    struct stac_random random[AT_ONCE];
    int text[AT_ONCE];
    int n, n_vocab;
    float *logits;    /* [texts at once][n_vocab], last stage */
    int32_t *scratch; /* [n_vocab] */
};

/* What the last stage tells the others after each step. */
struct step {
    int32_t status;
    int32_t token[AT_ONCE];
};

/* One step: every text grows by one token. Returns the agreed status of the group. */
static int grow(struct writing *w, int t, struct step *step, struct stac_error *err) {
    static const struct stac_sampling plain = {.temperature = 1, .top_p = 1};
    int32_t position[AT_ONCE], slot[AT_ONCE];
    for (int i = 0; i < w->n; i++) position[i] = t, slot[i] = i;
    struct stac_batch batch = {w->n, step->token, position, slot};
    int status = stac_pipeline_pass(w->pipeline, STAC_OK, &batch, err);
    if (stac_pipeline_is_last(w->pipeline)) {
        struct stac_run *run = w->pipeline->run[0];
        if (status == STAC_OK) status = stac_run_head(run, 0, w->n, w->pipeline->x[0], w->logits, err);
        for (int i = 0; status == STAC_OK && i < w->n; i++)
            step->token[i] = stac_sample(&plain, &w->random[i], w->n_vocab, w->logits + (size_t)i * w->n_vocab, w->scratch);
        step->status = status;
    }
    STAC_TRY(stac_broadcast(w->grid->group_comm, step, sizeof *step, w->grid->n_stages - 1, err));
    if (status == STAC_OK && step->status != STAC_OK) status = stac_fail(err, step->status, "another stage failed");
    return status;
}

static int write_texts(struct writing *w, int32_t first, int length, int32_t *tokens, struct stac_progress *progress,
                       struct stac_error *err) {
    struct step step = {0};
    stac_cache_reset(w->pipeline->run[0]->cache, -1);
    for (int i = 0; i < w->n; i++) step.token[i] = first;
    for (int t = 0; t < length; t++) {
        for (int i = 0; i < w->n; i++) tokens[(size_t)w->text[i] * length + t] = step.token[i];
        if (t + 1 < length) STAC_TRY(grow(w, t, &step, err));
        stac_progress_step(progress, w->n * w->grid->n_groups);
    }
    return stac_pipeline_settle(w->pipeline, err);
}

/* All texts of this group. */
static int write_share(struct writing *w, const struct stac_network *net, uint64_t seed, int32_t first, int n_windows,
                       int length, int32_t *tokens, struct stac_progress *progress, struct stac_error *err) {
    struct stac_cache cache = {0};
    struct stac_run run = {0};
    struct stac_run *runs = &run;
    struct stac_pipeline pipeline = {0};
    int status = STAC_OK, groups = w->grid->n_groups, share = (n_windows + groups - 1) / groups;
    int at_once = share < AT_ONCE ? share : AT_ONCE;
    STAC_TRY_DONE(stac_cache_init(&cache, net, at_once, length, err));
    STAC_TRY_DONE(stac_run_init(&run, net, &cache, STAC_MODE_DENSE, at_once, err));
    STAC_TRY_DONE(stac_pipeline_init(&pipeline, w->grid, 1, &runs, err));
    STAC_TRY_DONE(STAC_NEW(w->logits, (size_t)at_once * w->n_vocab, "logits", err));
    STAC_TRY_DONE(STAC_NEW(w->scratch, w->n_vocab, "candidates", err));
    w->pipeline = &pipeline;
    for (int begin = w->grid->group; begin < n_windows; begin += at_once * groups) {
        w->n = 0;
        for (int i = begin; i < n_windows && w->n < at_once; i += groups) {
            w->random[w->n] = stac_random_seeded(seed, (uint64_t)i);
            w->text[w->n++] = i;
        }
        STAC_TRY_DONE(write_texts(w, first, length, tokens, progress, err));
    }
done:
    free(w->logits);
    free(w->scratch);
    stac_pipeline_clean(&pipeline);
    stac_run_clean(&run);
    stac_cache_clean(&cache);
    return status;
}

int32_t stac_sample_start(const struct stac_hparams *hp) {
    return hp->n_eos > 0 ? hp->eos[0] : hp->bos >= 0 ? hp->bos : 0;
}

int stac_sample_windows(const struct stac_ranks *ranks, const struct stac_grid *grid, const struct stac_log *log,
                        const struct stac_network *net, int n_vocab, int32_t first, uint64_t seed, int n_windows, int length,
                        int32_t *tokens, struct stac_error *err) {
    struct writing w = {.grid = grid, .n_vocab = n_vocab};
    struct stac_progress progress;
    size_t n = (size_t)n_windows * (size_t)length;
    int status = STAC_OK;
    memset(tokens, 0, n * sizeof *tokens);
    stac_progress_begin(&progress, log, "calibrate: texts", (double)n, "tokens");
    if (grid->stage >= 0) status = write_share(&w, net, seed, first, n_windows, length, tokens, &progress, err);
    STAC_TRY(stac_agree(ranks, ranks->comm, status, err));
    stac_progress_end(&progress);
    if (grid->stage != 0) memset(tokens, 0, n * sizeof *tokens); /* each text is contributed once */
    return stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, tokens, (int)n, MPI_INT32_T, MPI_SUM, ranks->comm),
                          "cannot share the texts", err);
}
