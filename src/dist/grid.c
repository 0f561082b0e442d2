#include "dist/grid.h"

#include <math.h>

int stac_grid_stages(int ranks, int n_layers, int wanted, double model_bytes, double rank_bytes, int *n_stages,
                     struct stac_error *err) {
    if (wanted > ranks)
        return stac_fail(err, STAC_ERR_USAGE, "stages is %d, but the job has %d ranks: start more ranks or lower stages",
                         wanted, ranks);
    if (wanted > n_layers) return stac_fail(err, STAC_ERR_USAGE, "stages is %d, but the model has %d layers", wanted, n_layers);
    *n_stages = wanted;
    if (wanted > 0) return STAC_OK;
    int most = ranks < n_layers ? ranks : n_layers;
    double shares = ceil(model_bytes / rank_bytes);
    int needed = shares < 1 ? 1 : shares > most ? most : (int)shares;
    *n_stages = needed;
    for (int s = needed; s <= most; s++)
        if (ranks % s == 0) {
            *n_stages = s;
            break;
        }
    return STAC_OK;
}

int stac_grid_init(struct stac_grid *g, const struct stac_ranks *r, int n_stages, struct stac_error *err) {
    *g = (struct stac_grid){.n_stages = n_stages, .n_groups = r->size / n_stages};
    g->group_comm = g->stage_comm = MPI_COMM_NULL;
    bool used = r->rank < g->n_stages * g->n_groups;
    g->stage = used ? r->rank % n_stages : -1;
    g->group = used ? r->rank / n_stages : -1;
    STAC_TRY(stac_mpi_check(MPI_Comm_split(r->comm, used ? g->group : MPI_UNDEFINED, r->rank, &g->group_comm),
                            "cannot form groups of ranks", err));
    return stac_mpi_check(MPI_Comm_split(r->comm, used ? g->stage : MPI_UNDEFINED, r->rank, &g->stage_comm),
                          "cannot form stages of ranks", err);
}

void stac_grid_clean(struct stac_grid *g) {
    if (g->group_comm != MPI_COMM_NULL) MPI_Comm_free(&g->group_comm);
    if (g->stage_comm != MPI_COMM_NULL) MPI_Comm_free(&g->stage_comm);
}

/* Stages needed when none may cost more than `limit`; fills begin when it fits into n_stages, leaving every later stage
 * at least one layer. */
static bool fits(int n_layers, const double *cost, double before, double after, int n_stages, double limit, int *begin) {
    int stage = 0;
    double load = before;
    begin[0] = 0;
    for (int l = 0; l < n_layers; l++) {
        double last = l == n_layers - 1 ? after : 0;
        bool must = n_layers - l == n_stages - 1 - stage; /* as many layers left as stages not begun */
        if (l > begin[stage] && (load + cost[l] + last > limit || must)) {
            if (++stage == n_stages) return false;
            begin[stage] = l;
            load = 0;
        }
        load += cost[l] + last;
        if (load > limit) return false;
    }
    begin[n_stages] = n_layers;
    return stage == n_stages - 1;
}

void stac_partition(int n_layers, const double *cost, double before, double after, int n_stages, int *begin) {
    double low = 0, high = before + after;
    for (int l = 0; l < n_layers; l++) high += cost[l];
    high *= 1 + 1e-9; /* the whole fits, in whatever order it is added up */
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        if (fits(n_layers, cost, before, after, n_stages, middle, begin))
            high = middle;
        else
            low = middle;
    }
    fits(n_layers, cost, before, after, n_stages, high, begin);
}
