/* Which group takes which item of a list, when the items are not alike. */
#ifndef STAC_DIST_SHARE_H
#define STAC_DIST_SHARE_H

#include <stddef.h>

#include "base/status.h"

/* The longest items first, each to the group that has least to do so far: never later than 4/3 of the earliest possible end
 * (Graham, SIAM J. Appl. Math. 17 (1969) 416). order[n]: the items, group after group, in this order; those of group g are
 * order[begin[g]] to order[begin[g + 1] - 1], with begin[n_groups + 1]. Depends on nothing but its arguments, so that every
 * rank finds the same without a word. cost >= 0, in any unit. */
int stac_share_items(size_t n, const double *cost, int n_groups, size_t *order, size_t *begin, struct stac_error *err);

#endif
