#include "net/pipeline.h"

#include <stdlib.h>

#include "base/memory.h"

int stac_pipeline_init(struct stac_pipeline *p, const struct stac_grid *grid, int n_runs, struct stac_run *const *run,
                       struct stac_error *err) {
    int status = STAC_OK;
    *p = (struct stac_pipeline){.grid = grid, .n_runs = n_runs};
    if (grid->stage < 0) return STAC_OK;
    size_t n = (size_t)run[0]->max_rows * (size_t)run[0]->net->hp.n_embd;
    for (int r = 0; r < n_runs; r++) p->run[r] = run[r];
    for (int r = 0; r < n_runs; r++) STAC_TRY_DONE(stac_run_activations(run[r], &p->x[r], err));
    STAC_TRY_DONE(run[0]->device && grid->nccl ? stac_link_open_nccl(grid, run[0]->device, &p->link, err)
                                               : stac_link_open_mpi(grid, run[0]->device, n, &p->link, err));
done:
    if (status != STAC_OK) stac_pipeline_clean(p);
    return status;
}

void stac_pipeline_clean(struct stac_pipeline *p) {
    for (int r = 0; r < p->n_runs && p->run[r]; r++)
        stac_device_release(p->run[r]->device, p->x[r]); /* none on ranks left over */
    if (p->link) p->link->ops->close(p->link);
    *p = (struct stac_pipeline){0};
}

bool stac_pipeline_is_first(const struct stac_pipeline *p) {
    return p->grid->stage == 0;
}

bool stac_pipeline_is_last(const struct stac_pipeline *p) {
    return p->grid->stage == p->grid->n_stages - 1;
}

/* The computation of one step of a run on this stage; what enters its blocks is copied to `entered` if that is not NULL. */
static int compute(struct stac_pipeline *p, int r, int step, const struct stac_batch *batch, float *entered,
                   struct stac_error *err) {
    struct stac_run *run = p->run[r];
    if (step == 0) STAC_TRY(stac_run_begin(run, batch, err));
    if (stac_pipeline_is_first(p)) stac_run_embed(run, p->x[r]);
    size_t bytes = (size_t)batch->n * (size_t)run->net->hp.n_embd * sizeof *entered;
    if (entered) STAC_TRY(stac_device_get(run->device, entered, p->x[r], bytes, err));
    if (!entered || !stac_pipeline_is_last(p)) STAC_TRY(stac_run_blocks(run, p->x[r], err)); /* somebody wants what comes out */
    return step == run->steps - 1 ? stac_run_end(run, err) : STAC_OK;
}

/* Messages keep their number whatever fails here: a neighbour waits for each. What failed first is told. */
static int receive(struct stac_pipeline *p, enum stac_neighbour from, int status, float *x, size_t n, struct stac_error *err) {
    struct stac_error later = {0};
    int sent = STAC_OK, got = p->link->ops->receive(p->link, from, &sent, x, n, status == STAC_OK ? err : &later);
    if (status != STAC_OK || got != STAC_OK) return status != STAC_OK ? status : got;
    return sent == STAC_OK ? STAC_OK
                           : stac_fail(err, sent, from == STAC_PREVIOUS ? "an earlier stage failed" : "a later stage failed");
}

static int send(struct stac_pipeline *p, enum stac_neighbour to, int status, const float *x, size_t n, struct stac_error *err) {
    struct stac_error later = {0};
    int sent = p->link->ops->send(p->link, to, status, x, n, status == STAC_OK ? err : &later);
    return status != STAC_OK ? status : sent;
}

/* All steps of all runs: with ST-BIF+ neurons the stages take the steps of a batch one after the other. */
static int pass(struct stac_pipeline *p, int ahead, const struct stac_batch *batch, float *entered, struct stac_error *err) {
    int status = ahead;
    size_t n = (size_t)batch->n * (size_t)p->run[0]->net->hp.n_embd;
    for (int r = 0; r < p->n_runs; r++)
        for (int step = 0; step < p->run[r]->steps; step++) {
            if (!stac_pipeline_is_first(p)) status = receive(p, STAC_PREVIOUS, status, p->x[r], n, err);
            if (status == STAC_OK) status = compute(p, r, step, batch, entered, err);
            if (!stac_pipeline_is_last(p)) status = send(p, STAC_NEXT, status, p->x[r], n, err);
        }
    return status;
}

int stac_pipeline_pass(struct stac_pipeline *p, int ahead, const struct stac_batch *batch, struct stac_error *err) {
    return pass(p, ahead, batch, NULL, err);
}

int stac_pipeline_enter(struct stac_pipeline *p, int ahead, const struct stac_batch *batch, float *entered,
                        struct stac_error *err) {
    stac_cache_reset(p->run[0]->cache, -1);
    return pass(p, ahead, batch, entered, err);
}

int stac_pipeline_gradient(struct stac_pipeline *p, struct stac_backward *b, int ahead, const struct stac_batch *batch,
                           uint64_t seed, uint64_t stream, float *gradient, struct stac_error *err) {
    int status = ahead;
    size_t n = (size_t)batch->n * (size_t)b->run->net->hp.n_embd;
    bool first = stac_pipeline_is_first(p), last = stac_pipeline_is_last(p);
    if (!first) status = receive(p, STAC_PREVIOUS, status, p->x[0], n, err);
    if (status == STAC_OK) status = stac_backward_begin(b, batch, p->x[0], err);
    if (!last) status = send(p, STAC_NEXT, status, p->x[0], n, err);
    if (!last) status = receive(p, STAC_NEXT, status, gradient, n, err);
    if (last && status == STAC_OK) status = stac_backward_head(b, p->x[0], NULL, seed, stream, gradient, err);
    if (status == STAC_OK) status = stac_backward_blocks(b, gradient, err);
    if (!first) status = send(p, STAC_PREVIOUS, status, gradient, n, err);
    return status;
}

int stac_pipeline_settle(struct stac_pipeline *p, struct stac_error *err) {
    return p->link->ops->flush(p->link, err);
}

int stac_pipeline_work(struct stac_pipeline *p, const struct stac_work *work, struct stac_error *err) {
    int status = STAC_OK;
    if (p->grid->stage < 0) return STAC_OK;
    for (int item = work->first + p->grid->group; item < work->n_items; item += p->grid->n_groups) {
        struct stac_batch batch = {0};
        int mine = work->batch(work->ctx, item, &batch, err);
        if (status == STAC_OK) status = mine;
        for (int r = 0; r < p->n_runs; r++) stac_cache_reset(p->run[r]->cache, -1);
        status = stac_pipeline_pass(p, status, &batch, err);
        if (status == STAC_OK && stac_pipeline_is_last(p) && work->output)
            status = work->output(work->ctx, item, &batch, p->x, err);
        if (work->step) work->step(work->ctx, item);
    }
    int settled = stac_pipeline_settle(p, err); /* on failure too: the first one is the one that is told */
    return status != STAC_OK ? status : settled;
}
