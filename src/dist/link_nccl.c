/* The link over NCCL: numbers from device to device, and beside them, over MPI, what a stage says of them: a stage that failed
 * sends only that. */
#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"
#include "dist/link.h"

enum { TAG_NOTE = 72, N_NOTES = 2 };

struct nccl_link {
    struct stac_link base;
    MPI_Comm comm;
    const struct stac_device *device;
    int rank[2];          /* of the neighbours */
    int note[N_NOTES][2]; /* status, numbers */
    MPI_Request request[N_NOTES];
    int turn;
};

static int fail(const struct nccl_link *l, const char *what, const char *why, struct stac_error *err) {
    return stac_fail(err, STAC_ERR_RANK, "%s: %s: %s", l->device->name, what, why);
}

/* The numbers are on their way before they are announced: whoever waits for them does not wait in vain. */
static int nccl_send(struct stac_link *base, enum stac_neighbour to, int status, const float *data, size_t n,
                     struct stac_error *err) {
    struct nccl_link *l = (struct nccl_link *)base;
    int turn = l->turn, sent = STAC_OK;
    l->turn = (turn + 1) % N_NOTES;
    STAC_TRY(stac_mpi_check(MPI_Wait(&l->request[turn], MPI_STATUS_IGNORE), "an earlier message to a neighbouring stage failed",
                            err));
    if (status == STAC_OK && n > INT_MAX) sent = stac_fail(err, STAC_ERR_USAGE, "a message of %zu numbers between stages", n);
    if (status == STAC_OK && sent == STAC_OK) {
        const char *why = l->device->net->send(l->rank[to], data, n);
        if (why) sent = fail(l, "cannot send to a neighbouring stage", why, err);
    }
    l->note[turn][0] = status != STAC_OK ? status : sent;
    l->note[turn][1] = (int)n;
    STAC_TRY(stac_mpi_check(MPI_Isend(l->note[turn], 2, MPI_INT, l->rank[to], TAG_NOTE, l->comm, &l->request[turn]),
                            "cannot send to a neighbouring stage", err));
    return sent;
}

static int nccl_receive(struct stac_link *base, enum stac_neighbour from, int *status, float *data, size_t n,
                        struct stac_error *err) {
    struct nccl_link *l = (struct nccl_link *)base;
    int note[2] = {0};
    STAC_TRY(stac_mpi_check(MPI_Recv(note, 2, MPI_INT, l->rank[from], TAG_NOTE, l->comm, MPI_STATUS_IGNORE),
                            "cannot receive from a neighbouring stage", err));
    *status = note[0];
    if (*status != STAC_OK) return STAC_OK;
    if ((size_t)note[1] != n)
        return stac_fail(err, STAC_ERR_RANK, "a neighbouring stage sent %d numbers instead of %zu", note[1], n);
    const char *why = l->device->net->receive(l->rank[from], data, n);
    return why ? fail(l, "cannot receive from a neighbouring stage", why, err) : STAC_OK;
}

static int nccl_flush(struct stac_link *base, struct stac_error *err) {
    struct nccl_link *l = (struct nccl_link *)base;
    STAC_TRY(
        stac_mpi_check(MPI_Waitall(N_NOTES, l->request, MPI_STATUSES_IGNORE), "a message to a neighbouring stage failed", err));
    const char *why = l->device->net->flush();
    return why ? fail(l, "a message to a neighbouring stage", why, err) : STAC_OK;
}

static void nccl_close(struct stac_link *base) {
    free(base);
}

static const struct stac_link_ops ops = {nccl_send, nccl_receive, nccl_flush, nccl_close};

int stac_link_open_nccl(const struct stac_grid *g, const struct stac_device *device, struct stac_link **out,
                        struct stac_error *err) {
    struct nccl_link *l;
    STAC_TRY(STAC_NEW(l, 1, "a link", err));
    *l = (struct nccl_link){.base = {&ops}, .comm = g->group_comm, .device = device};
    for (int i = 0; i < N_NOTES; i++) l->request[i] = MPI_REQUEST_NULL;
    l->rank[STAC_PREVIOUS] = stac_grid_neighbour(g, -1);
    l->rank[STAC_NEXT] = stac_grid_neighbour(g, 1);
    *out = &l->base;
    return STAC_OK;
}
