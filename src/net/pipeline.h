/* Work through the stages of a group: items flow from the first stage to the last while the stages before them already
 * take the next ones. Groups take the items in turn, from the first one that is asked for on, so what an item computes
 * depends on nothing but the item.
 *
 * A pipeline may carry two runs (the original and its conversion) that read the same batches side by side. */
#ifndef STAC_NET_PIPELINE_H
#define STAC_NET_PIPELINE_H

#include "dist/grid.h"
#include "dist/link.h"
#include "net/backward.h"

enum { STAC_MAX_RUNS = 2 };

struct stac_pipeline {
    const struct stac_grid *grid; /* borrowed */
    struct stac_link *link;       /* owned */
    int n_runs;
    struct stac_run *run[STAC_MAX_RUNS]; /* borrowed; all with the same parts and room for max_rows */
    float *x[STAC_MAX_RUNS];             /* [max_rows][n_embd] residual stream, owned */
};

int stac_pipeline_init(struct stac_pipeline *p, const struct stac_grid *grid, int n_runs, struct stac_run *const *run,
                       struct stac_error *err);
void stac_pipeline_clean(struct stac_pipeline *p);

bool stac_pipeline_is_first(const struct stac_pipeline *p);
bool stac_pipeline_is_last(const struct stac_pipeline *p);

/* One batch through all runs: receive or embed, compute, send on. On the last stage x[r] then holds the residual stream
 * of run r. `ahead` is the status of earlier work: a stage that failed passes its failure on instead of computing.
 * Every stage of the group calls it with the same batch. */
int stac_pipeline_pass(struct stac_pipeline *p, int ahead, const struct stac_batch *batch, struct stac_error *err);

/* The same from empty caches, for a pipeline of one run; entered[batch->n][n_embd] receives what enters this stage. The last
 * one computes nothing. */
int stac_pipeline_enter(struct stac_pipeline *p, int ahead, const struct stac_batch *batch, float *entered,
                        struct stac_error *err);

/* One text through the first run and back: the loss is that of labels drawn from the prediction (stac_backward_head), and
 * gradient[batch->n][n_embd], which is where the run is, is left with respect to what entered this stage. Stages work one after
 * the other. Every stage of the group calls it with the same batch. */
int stac_pipeline_gradient(struct stac_pipeline *p, struct stac_backward *b, int ahead, const struct stac_batch *batch,
                           uint64_t seed, uint64_t stream, float *gradient, struct stac_error *err);

/* Wait until everything sent to the neighbours has left: before the pipeline is idle or goes away. */
int stac_pipeline_settle(struct stac_pipeline *p, struct stac_error *err);

struct stac_work {
    int first, n_items; /* items [first, n_items) */
    /* The batch of an item; valid until the next call. The same on every stage. */
    int (*batch)(void *ctx, int item, struct stac_batch *out, struct stac_error *err);
    /* Last stage: x[r][batch->n][n_embd] for each run. May be NULL. */
    int (*output)(void *ctx, int item, const struct stac_batch *batch, float *const *x, struct stac_error *err);
    /* Every stage, after an item. May be NULL. */
    void (*step)(void *ctx, int item);
    void *ctx;
};

/* All items of this group, each from an empty cache. Collective over the group in the sense that its stages must work
 * on the same list; a failure on one stage reaches the others as their own status or at the next agreement. */
int stac_pipeline_work(struct stac_pipeline *p, const struct stac_work *work, struct stac_error *err);

#endif
