/* What the ranks of a job compute on: a device each (kernels/device.h), or their processors. */
#ifndef STAC_DIST_HARDWARE_H
#define STAC_DIST_HARDWARE_H

#include "base/log.h"
#include "dist/grid.h"
#include "job/job.h"
#include "kernels/device.h"

struct stac_hardware {
    const struct stac_device *device; /* of this rank, owned; NULL: its processors */
    char name[256];                   /* the device's, or "cpu", with the reason where a GPU was wished for */
    struct stac_ranks *connected;     /* whose devices are connected, or NULL; borrowed */
};

/* What the job asks for; devices of the stages of a group are connected (dist/communicator.h), which grid->nccl tells. With
 * `device: auto` all ranks have a device, or none has. Collective; ends with an agreement. Release with stac_hardware_close. */
int stac_hardware_open(struct stac_hardware *h, const struct stac_job *job, const struct stac_ranks *ranks,
                       struct stac_grid *grid, const struct stac_log *log, struct stac_error *err);

/* Connect the devices of all ranks, where there are several: what ranks put together (dist/merge.h) goes by NCCL from now on,
 * which ranks->device tells. Where that cannot be it goes over MPI as ever, and the log tells why. Collective; ends with an
 * agreement. Undone by stac_hardware_close. */
int stac_hardware_connect(struct stac_hardware *h, struct stac_ranks *ranks, const struct stac_log *log,
                          struct stac_error *err);

/* The plan of a device's memory, for people, before it is reserved: what is free, and that weights take so many bytes; `more`
 * goes on behind it. */
void stac_hardware_tell(const struct stac_device *device, const struct stac_log *log, double weights, const char *more);

void stac_hardware_close(struct stac_hardware *h, struct stac_grid *grid);

#endif
