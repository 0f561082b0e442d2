#include "dist/share.h"

#include <stdlib.h>

#include "base/memory.h"

struct item {
    double cost;
    size_t index;
    int group;
};

static int by_cost(const void *a, const void *b) {
    const struct item *p = a, *q = b;
    if (p->cost != q->cost) return p->cost < q->cost ? 1 : -1;
    return (p->index > q->index) - (p->index < q->index);
}

static int by_group(const void *a, const void *b) {
    const struct item *p = a, *q = b;
    return p->group != q->group ? p->group - q->group : by_cost(a, b);
}

static void deal(struct item *item, size_t n, int n_groups, double *load) {
    for (size_t i = 0; i < n; i++) {
        int least = 0;
        for (int g = 1; g < n_groups; g++) least = load[g] < load[least] ? g : least;
        item[i].group = least;
        load[least] += item[i].cost;
    }
}

int stac_share_items(size_t n, const double *cost, int n_groups, size_t *order, size_t *begin, struct stac_error *err) {
    struct item *item = NULL;
    double *load = NULL;
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(item, n, "a list of items", err));
    STAC_TRY_DONE(STAC_NEW(load, n_groups, "a list of items", err));
    for (size_t i = 0; i < n; i++) item[i] = (struct item){cost[i], i, 0};
    qsort(item, n, sizeof *item, by_cost);
    deal(item, n, n_groups, load);
    qsort(item, n, sizeof *item, by_group);
    size_t at = 0;
    for (int g = 0; g <= n_groups; g++) {
        while (at < n && item[at].group < g) at++;
        begin[g] = at;
    }
    for (size_t i = 0; i < n; i++) order[i] = item[i].index;
done:
    free(item);
    free(load);
    return status;
}
