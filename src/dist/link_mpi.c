/* The link over MPI: two send buffers, so that a stage computes while its last result is on the way. */
#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"
#include "dist/link.h"

enum { TAG_DATA = 71, N_BUFFERS = 2 };

struct mpi_link {
    struct stac_link base;
    MPI_Comm comm;
    const struct stac_device *device;
    int rank[2]; /* of the neighbours */
    size_t max_floats;
    float *buffer[N_BUFFERS]; /* first float: the status */
    MPI_Request request[N_BUFFERS];
    float *incoming;
    int turn;
};

static int mpi_send(struct stac_link *base, enum stac_neighbour to, int status, const float *data, size_t n,
                    struct stac_error *err) {
    struct mpi_link *l = (struct mpi_link *)base;
    int turn = l->turn, copied = STAC_OK;
    l->turn = (turn + 1) % N_BUFFERS;
    STAC_TRY(stac_mpi_check(MPI_Wait(&l->request[turn], MPI_STATUS_IGNORE), "an earlier message to a neighbouring stage failed",
                            err));
    if (status == STAC_OK && n) copied = stac_device_get(l->device, l->buffer[turn] + 1, data, n * sizeof(float), err);
    if (status == STAC_OK) status = copied;
    if (status != STAC_OK) n = 0;
    l->buffer[turn][0] = (float)status;
    STAC_TRY(
        stac_mpi_check(MPI_Isend(l->buffer[turn], (int)n + 1, MPI_FLOAT, l->rank[to], TAG_DATA, l->comm, &l->request[turn]),
                       "cannot send to a neighbouring stage", err));
    return copied;
}

static int mpi_receive(struct stac_link *base, enum stac_neighbour from, int *status, float *data, size_t n,
                       struct stac_error *err) {
    struct mpi_link *l = (struct mpi_link *)base;
    MPI_Status got;
    int count = 0;
    STAC_TRY(stac_mpi_check(MPI_Recv(l->incoming, (int)l->max_floats + 1, MPI_FLOAT, l->rank[from], TAG_DATA, l->comm, &got),
                            "cannot receive from a neighbouring stage", err));
    MPI_Get_count(&got, MPI_FLOAT, &count);
    *status = (int)l->incoming[0];
    if (*status != STAC_OK) return STAC_OK;
    if ((size_t)count != n + 1)
        return stac_fail(err, STAC_ERR_RANK, "a neighbouring stage sent %d numbers instead of %zu", count - 1, n);
    return stac_device_put(l->device, data, l->incoming + 1, n * sizeof(float), err);
}

static int mpi_flush(struct stac_link *base, struct stac_error *err) {
    struct mpi_link *l = (struct mpi_link *)base;
    return stac_mpi_check(MPI_Waitall(N_BUFFERS, l->request, MPI_STATUSES_IGNORE), "a message to a neighbouring stage failed",
                          err);
}

static void mpi_close(struct stac_link *base) {
    struct mpi_link *l = (struct mpi_link *)base;
    for (int i = 0; i < N_BUFFERS; i++) free(l->buffer[i]);
    free(l->incoming);
    free(l);
}

static const struct stac_link_ops ops = {mpi_send, mpi_receive, mpi_flush, mpi_close};

int stac_link_open_mpi(const struct stac_grid *g, const struct stac_device *device, size_t max_floats, struct stac_link **out,
                       struct stac_error *err) {
    struct mpi_link *l;
    int status = STAC_OK;
    if (max_floats >= INT_MAX)
        return stac_fail(err, STAC_ERR_USAGE, "a message of %zu numbers between stages; lower the context length", max_floats);
    STAC_TRY(STAC_NEW(l, 1, "a link", err));
    *l = (struct mpi_link){.base = {&ops}, .comm = g->group_comm, .device = device, .max_floats = max_floats};
    for (int i = 0; i < N_BUFFERS; i++) l->request[i] = MPI_REQUEST_NULL;
    l->rank[STAC_PREVIOUS] = stac_grid_neighbour(g, -1);
    l->rank[STAC_NEXT] = stac_grid_neighbour(g, 1);
    for (int i = 0; i < N_BUFFERS; i++) STAC_TRY_DONE(STAC_NEW(l->buffer[i], max_floats + 1, "a link", err));
    STAC_TRY_DONE(STAC_NEW(l->incoming, max_floats + 1, "a link", err));
    *out = &l->base;
done:
    if (status != STAC_OK) mpi_close(&l->base);
    return status;
}
