/* The link between neighbouring stages of a group: activations flow forward, gradients back, message by
 * message, in order.
 *
 * One interface for both transports, MPI and NCCL. A message carries a status: a stage that failed keeps the rhythm and
 * sends its failure instead of activations, so no neighbour waits for ever and all ranks meet at the next agreement. */
#ifndef STAC_DIST_LINK_H
#define STAC_DIST_LINK_H

#include <stddef.h>

#include "base/status.h"
#include "dist/grid.h"
#include "kernels/device.h"

struct stac_link;

enum stac_neighbour { STAC_PREVIOUS, STAC_NEXT };

struct stac_link_ops {
    /* Send n floats (or, with status != STAC_OK, only the status) to a neighbour. The data may be reused at once. */
    int (*send)(struct stac_link *link, enum stac_neighbour to, int status, const float *data, size_t n,
                struct stac_error *err);
    /* Receive exactly n floats from a neighbour; *status is what it sent. */
    int (*receive)(struct stac_link *link, enum stac_neighbour from, int *status, float *data, size_t n,
                   struct stac_error *err);
    /* Wait until everything sent has left. */
    int (*flush)(struct stac_link *link, struct stac_error *err);
    void (*close)(struct stac_link *link);
};

struct stac_link {
    const struct stac_link_ops *ops;
};

/* The MPI link of this rank within its group; messages hold at most max_floats, which are in the memory of that device (NULL:
 * the host's) and go through the host's. Not collective. */
int stac_link_open_mpi(const struct stac_grid *g, const struct stac_device *device, size_t max_floats, struct stac_link **out,
                       struct stac_error *err);

/* The link over NCCL, between devices that are connected as STAC_STAGES (g->nccl); data are in the device's memory, statuses
 * travel by MPI. Not collective. */
int stac_link_open_nccl(const struct stac_grid *g, const struct stac_device *device, struct stac_link **out,
                        struct stac_error *err);

#endif
