/* Devices of several ranks, connected by NCCL (struct stac_device_net). */
#ifndef STAC_DIST_COMMUNICATOR_H
#define STAC_DIST_COMMUNICATOR_H

#include <mpi.h>
#include <stdbool.h>

#include "base/status.h"
#include "kernels/device.h"

/* Connect the devices of all ranks of `comm`, if there are several. *connected, the same on all of them, tells whether that
 * came about; where it cannot be (no NCCL; ranks that share a device), why[STAC_COMMUNICATOR_WHY] says the reason, else it is
 * empty. Collective. Undone by device->net->close(which). */
enum { STAC_COMMUNICATOR_WHY = 256 };
int stac_communicator_open(MPI_Comm comm, const struct stac_device *device, enum stac_communicator which, bool *connected,
                           char why[STAC_COMMUNICATOR_WHY], struct stac_error *err);

#endif
