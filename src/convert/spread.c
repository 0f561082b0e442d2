#include <stdlib.h>

#include "base/memory.h"
#include "convert/convert.h"

int stac_spread(const struct stac_job *job, const struct stac_ranks *ranks, const struct stac_hparams *hp,
                struct stac_grid *grid, int **stage_begin, struct stac_part *part, struct stac_error *err) {
    double block = stac_block_bytes(hp), head = stac_head_bytes(hp);
    double all = block * hp->n_layer + head + stac_embedding_bytes(hp);
    double *cost = NULL;
    int n_stages, status = STAC_OK;
    *stage_begin = NULL;
    STAC_TRY(
        stac_grid_stages(ranks->size, hp->n_layer, (int)job->stages, all, job->rank_memory * 1073741824.0, &n_stages, err));
    STAC_TRY(stac_grid_init(grid, ranks, n_stages, err));
    STAC_TRY_DONE(STAC_NEW(*stage_begin, n_stages + 1, "stages", err));
    STAC_TRY_DONE(STAC_NEW(cost, hp->n_layer, "stages", err));
    for (int l = 0; l < hp->n_layer; l++) cost[l] = block; /* an embedding is memory but no work, so it is not weighed */
    stac_partition(hp->n_layer, cost, 0, head, n_stages, *stage_begin);
    *part = (struct stac_part){0, 0, false, false};
    if (grid->stage >= 0) {
        part->first = (*stage_begin)[grid->stage];
        part->last = (*stage_begin)[grid->stage + 1];
        part->embedding = grid->stage == 0;
        part->head = grid->stage == n_stages - 1;
    }
done:
    free(cost);
    return stac_agree(ranks, ranks->comm, status, err);
}
