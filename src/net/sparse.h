/* Event-driven or packed: how products of many rows are executed in count mode, by the density of their codes. The bits are the
 * same; which is quicker depends on the machine, so it is measured. (Few rows skip silent inputs anyway, and temporal mode
 * knows nothing but events.) */
#ifndef STAC_NET_SPARSE_H
#define STAC_NET_SPARSE_H

#include "kernels/kernels.h"
#include "net/network.h"

enum { STAC_SPARSE_SHAPES = 8 }; /* more than a model's products have */

/* Zero-initialised, it knows no shape, and all is packed. */
struct stac_sparse {
    int n;
    struct stac_sparse_shape {
        int n_in, n_out;
        double packed, events; /* seconds of a row: of a packed product; of an event-driven one at density 1 */
        double break_even;     /* share of codes that are not 0, below which events are quicker; 0 to 1 */
    } shape[STAC_SPARSE_SHAPES];
};

/* Measure the shapes of a network's products on this machine, with all threads of this rank. */
int stac_sparse_measure(struct stac_sparse *s, const struct stac_network *net, struct stac_error *err);

/* Whether rows of which `active` of `all` codes are not 0 are quicker event by event. */
bool stac_sparse_prefers_events(const struct stac_sparse *s, const struct stac_linear *l, int64_t active, int64_t all);

#endif
