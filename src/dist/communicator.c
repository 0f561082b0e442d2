#include "dist/communicator.h"

#include <limits.h>
#include <stdio.h>

#include "dist/ranks.h"

/* Whether no rank has a reason against it; else one of theirs, of the lowest rank, on all of them. */
static int all_agree(MPI_Comm comm, char why[STAC_COMMUNICATOR_WHY], bool *agreed, struct stac_error *err) {
    int rank, mine, first = INT_MAX;
    MPI_Comm_rank(comm, &rank);
    mine = why[0] ? rank : INT_MAX;
    STAC_TRY(stac_mpi_check(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm), "cannot agree on a communicator", err));
    *agreed = first == INT_MAX;
    return *agreed ? STAC_OK : stac_broadcast(comm, why, STAC_COMMUNICATOR_WHY, first, err);
}

/* Ranks of `comm` on this machine beyond the devices that it has. */
static int check_sharing(MPI_Comm comm, const struct stac_device *device, char why[STAC_COMMUNICATOR_WHY],
                         struct stac_error *err) {
    MPI_Comm local;
    int n = 0;
    STAC_TRY(stac_mpi_check(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local),
                            "cannot find the ranks of this machine", err));
    MPI_Comm_size(local, &n);
    MPI_Comm_free(&local);
    if (n > device->n_devices)
        snprintf(why, STAC_COMMUNICATOR_WHY, "%d ranks share %d GPU%s", n, device->n_devices, device->n_devices > 1 ? "s" : "");
    return STAC_OK;
}

static void note(char why[STAC_COMMUNICATOR_WHY], const char *reason) {
    if (reason) snprintf(why, STAC_COMMUNICATOR_WHY, "%s", reason);
}

int stac_communicator_open(MPI_Comm comm, const struct stac_device *device, enum stac_communicator which, bool *connected,
                           char why[STAC_COMMUNICATOR_WHY], struct stac_error *err) {
    unsigned char id[STAC_DEVICE_NET_ID] = {0};
    int rank, size;
    bool agreed;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    why[0] = 0;
    *connected = false;
    if (size == 1) return STAC_OK;
    STAC_TRY(check_sharing(comm, device, why, err));
    STAC_TRY(all_agree(comm, why, &agreed, err));
    if (!agreed) return STAC_OK;
    if (rank == 0) note(why, device->net->id(id));
    STAC_TRY(all_agree(comm, why, &agreed, err));
    if (!agreed) return STAC_OK;
    STAC_TRY(stac_broadcast(comm, id, sizeof id, 0, err));
    note(why, device->net->open(which, id, rank, size));
    STAC_TRY(all_agree(comm, why, &agreed, err));
    if (!agreed) device->net->close(which);
    *connected = agreed;
    return STAC_OK;
}
