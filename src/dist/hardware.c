#include "dist/hardware.h"

#include <stdio.h>
#include <string.h>

#include "dist/communicator.h"

/* With `auto`: one for all ranks, or none. */
static int open_where_all_can(struct stac_hardware *h, const struct stac_ranks *ranks, const struct stac_log *log,
                              struct stac_error *err) {
    struct stac_error absent = {0};
    int here = stac_device_open("cuda", ranks->local_rank, &h->device, &absent) != STAC_OK, missing = 0;
    STAC_TRY(stac_mpi_check(MPI_Allreduce(&here, &missing, 1, MPI_INT, MPI_MAX, ranks->comm), "cannot agree on a device", err));
    if (!missing) return STAC_OK;
    stac_device_close(h->device);
    h->device = NULL;
    snprintf(h->name, sizeof h->name, "cpu, in place of a GPU: %.200s", here ? absent.text : "another rank has none");
    stac_log_warn(log, "%s", h->name);
    return STAC_OK;
}

/* Collective over the group. */
static int connect_stages(struct stac_hardware *h, struct stac_grid *grid, const struct stac_log *log, struct stac_error *err) {
    char why[STAC_COMMUNICATOR_WHY];
    STAC_TRY(stac_communicator_open(grid->group_comm, h->device, STAC_STAGES, &grid->nccl, why, err));
    if (why[0]) stac_log_info(log, "stages send through the host: %s", why);
    return STAC_OK;
}

/* With `auto` and no GPU there is nothing to choose. */
static int choose_products(struct stac_hardware *h, const struct stac_job *job, struct stac_error *err) {
    size_t n = strlen(h->name);
    bool rounds = job->dense_products == STAC_JOB_BFLOAT16;
    const char *wanted = rounds ? "bfloat16" : "library";
    if (job->dense_products == STAC_JOB_EXACT || (!h->device && job->device == STAC_JOB_AUTO)) return STAC_OK;
    if (!h->device) return stac_fail(err, STAC_ERR_USAGE, "dense_products: %s is a matter of GPUs: add device: cuda", wanted);
    const char *why = h->device->use_library(rounds ? 1 : 2);
    if (why) return stac_fail(err, STAC_ERR_USAGE, "dense_products: %s: %s; use dense_products: exact", wanted, why);
    snprintf(h->name + n, sizeof h->name - n, ", dense products of its library%s", rounds ? ", in bfloat16" : "");
    return STAC_OK;
}

int stac_hardware_open(struct stac_hardware *h, const struct stac_job *job, const struct stac_ranks *ranks,
                       struct stac_grid *grid, const struct stac_log *log, struct stac_error *err) {
    int status = STAC_OK;
    *h = (struct stac_hardware){.name = "cpu"};
    if (job->device == STAC_JOB_CUDA) status = stac_device_open("cuda", ranks->local_rank, &h->device, err);
    if (job->device == STAC_JOB_AUTO) status = open_where_all_can(h, ranks, log, err);
    if (status == STAC_OK && h->device) snprintf(h->name, sizeof h->name, "%s", h->device->name);
    if (status == STAC_OK) status = choose_products(h, job, err);
    STAC_TRY(stac_agree(ranks, ranks->comm, status, err));
    if (!h->device) return STAC_OK;
    return stac_agree(ranks, ranks->comm, grid->stage < 0 ? STAC_OK : connect_stages(h, grid, log, err), err);
}

int stac_hardware_connect(struct stac_hardware *h, struct stac_ranks *ranks, const struct stac_log *log,
                          struct stac_error *err) {
    char why[STAC_COMMUNICATOR_WHY] = "";
    bool connected = false;
    if (!h->device) return STAC_OK;
    int status = stac_communicator_open(ranks->comm, h->device, STAC_JOB, &connected, why, err);
    STAC_TRY(stac_agree(ranks, ranks->comm, status, err));
    if (why[0]) stac_log_info(log, "statistics are put together through the host: %s", why);
    if (!connected) return STAC_OK;
    ranks->device = h->device;
    h->connected = ranks;
    return STAC_OK;
}

void stac_hardware_tell(const struct stac_device *device, const struct stac_log *log, double weights, const char *more) {
    const double mebibyte = 1048576;
    size_t left = 0, all = 0;
    if (device->room(&left, &all)) return; /* a failure is told by what is reserved next */
    stac_log_info(log, "device %s: %.0f of %.0f MiB free; weights take %.1f MiB%s", device->name, (double)left / mebibyte,
                  (double)all / mebibyte, weights / mebibyte, more);
}

void stac_hardware_close(struct stac_hardware *h, struct stac_grid *grid) {
    if (grid->nccl) h->device->net->close(STAC_STAGES);
    grid->nccl = false;
    if (h->connected) {
        h->device->net->close(STAC_JOB);
        h->connected->device = NULL;
        h->connected = NULL;
    }
    stac_device_close(h->device);
    h->device = NULL;
}
