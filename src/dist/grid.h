/* How ranks share a model: n_groups groups of n_stages ranks. A group holds the whole model, each of its ranks a
 * contiguous range of layers (a stage); groups take different pieces of the work. */
#ifndef STAC_DIST_GRID_H
#define STAC_DIST_GRID_H

#include <stdbool.h>

#include "dist/ranks.h"

struct stac_grid {
    int n_stages, n_groups;
    int stage, group;    /* of this rank; stage -1: the rank is left over and only agrees */
    MPI_Comm group_comm; /* the stages of my group, by stage; MPI_COMM_NULL when left over */
    MPI_Comm stage_comm; /* the ranks with my stage, by group; MPI_COMM_NULL when left over */
    bool nccl;           /* the devices of the stages of my group are connected by NCCL (dist/hardware.h) */
};

/* Stages for a model: `wanted` > 0 is taken (STAC_ERR_USAGE when it exceeds ranks or layers); for 0 the fewest stages
 * whose share of `model_bytes` fits `rank_bytes`, preferring counts that leave no rank over. */
int stac_grid_stages(int ranks, int n_layers, int wanted, double model_bytes, double rank_bytes, int *n_stages,
                     struct stac_error *err);

/* Windows between two chances to write a checkpoint: one a group, more where stages would wait for each other. */
static inline int stac_grid_piece(const struct stac_grid *g) {
    return g->n_groups * (g->n_stages > 1 ? 4 * g->n_stages : 1);
}

/* The rank in group_comm of the stage `step` further on, MPI_PROC_NULL: there is none. */
static inline int stac_grid_neighbour(const struct stac_grid *g, int step) {
    int stage = g->stage + step;
    return stage >= 0 && stage < g->n_stages ? stage : MPI_PROC_NULL;
}

/* Lay out the grid. Collective over all ranks. */
int stac_grid_init(struct stac_grid *g, const struct stac_ranks *r, int n_stages, struct stac_error *err);
void stac_grid_clean(struct stac_grid *g);

/* Cut n_layers into n_stages contiguous ranges that make the most expensive stage as cheap as can be; `before` and
 * `after` are the costs of embedding and head, which belong to the first and the last stage. begin[n_stages + 1]. */
void stac_partition(int n_layers, const double *cost, double before, double after, int n_stages, int *begin);

#endif
