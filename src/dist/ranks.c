#include "dist/ranks.h"

#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/activity.h"

enum { CHUNK = 1 << 26 }; /* elements of one MPI call: far below the int limit of its counts */

int stac_mpi_check(int code, const char *what, struct stac_error *err) {
    if (code == MPI_SUCCESS) return STAC_OK;
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) snprintf(text, sizeof text, "MPI error %d", code);
    return stac_fail(err, STAC_ERR_RANK, "%s: %s", what, text);
}

int stac_ranks_begin(struct stac_ranks *r, struct stac_error *err) {
    int provided, initialised = 0;
    MPI_Comm local;
    *r = (struct stac_ranks){.comm = MPI_COMM_WORLD, .size = 1, .local_size = 1};
    MPI_Initialized(&initialised);
    if (!initialised)
        STAC_TRY(stac_mpi_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "cannot begin MPI", err));
    STAC_TRY(stac_mpi_check(MPI_Comm_set_errhandler(r->comm, MPI_ERRORS_RETURN), "cannot set up MPI", err));
    MPI_Comm_rank(r->comm, &r->rank);
    MPI_Comm_size(r->comm, &r->size);
    if (gethostname(r->host, sizeof r->host - 1) != 0) snprintf(r->host, sizeof r->host, "unknown");
    STAC_TRY(stac_mpi_check(MPI_Comm_split_type(r->comm, MPI_COMM_TYPE_SHARED, r->rank, MPI_INFO_NULL, &local),
                            "cannot find the ranks of this machine", err));
    MPI_Comm_rank(local, &r->local_rank);
    MPI_Comm_size(local, &r->local_size);
    MPI_Comm_free(&local);
    return STAC_OK;
}

void stac_ranks_set_threads(const struct stac_ranks *r, int threads) {
    if (threads <= 0) {
        int online = (int)sysconf(_SC_NPROCESSORS_ONLN), bound = omp_get_num_procs();
        threads = online / r->local_size;
        if (threads > bound) threads = bound;
    }
    omp_set_num_threads(threads > 0 ? threads : 1);
}

int stac_ranks_end(struct stac_ranks *r, int code, const struct stac_error *err) {
    int initialised = 0, finalised = 1;
    MPI_Initialized(&initialised);
    MPI_Finalized(&finalised);
    fflush(NULL); /* all leave at once below, and mpirun ends those that are left when one had an exit code */
    if (err->status != STAC_OK) {
        code = stac_exit_code(err->status);
        bool alone = !err->agreed && r->size > 1;
        const char *kind = err->status == STAC_STOPPED ? "stopped" : "error";
        if (alone)
            fprintf(stderr, "%s: rank %d on %s%s%s: %s\n", kind, r->rank, r->host, *stac_activity() ? ", in " : "",
                    stac_activity(), err->text);
        if (!alone && r->rank == 0) fprintf(stderr, "%s: %s\n", kind, err->text);
        if (alone && initialised && !finalised) MPI_Abort(r->comm, code); /* the others may be waiting for this rank */
    }
    stac_activity_set("MPI_Finalize");
    if (initialised && !finalised) MPI_Finalize();
    r->comm = MPI_COMM_NULL;
    return code;
}

int stac_agree(const struct stac_ranks *r, MPI_Comm comm, int status, struct stac_error *err) {
    int rank, size, mine, first;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    mine = status == STAC_OK ? size : rank;
    STAC_TRY(stac_mpi_check(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm), "ranks cannot agree", err));
    if (first == size) return STAC_OK;
    struct stac_error shared = {0};
    if (rank == first) {
        shared.status = err->status != STAC_OK ? err->status : status;
        if (r->size > 1 && !err->agreed) /* else it names the rank already */
            snprintf(shared.text, sizeof shared.text, "rank %d on %s%s%.60s: %.600s", r->rank, r->host,
                     *stac_activity() ? ", in " : "", stac_activity(), err->text);
        else
            memcpy(shared.text, err->text, sizeof shared.text);
    }
    struct stac_error trouble = {0};
    if (stac_broadcast(comm, &shared, sizeof shared, first, &trouble) != STAC_OK) {
        stac_fail(err, STAC_ERR_RANK, "rank %d failed and cannot say why", first);
        return err->status;
    }
    *err = shared;
    err->agreed = 1;
    return err->status;
}

int stac_broadcast(MPI_Comm comm, void *data, size_t size, int root, struct stac_error *err) {
    char *bytes = data;
    for (size_t i = 0; i < size; i += CHUNK) {
        int count = (int)(size - i < CHUNK ? size - i : CHUNK);
        STAC_TRY(stac_mpi_check(MPI_Bcast(bytes + i, count, MPI_BYTE, root, comm), "cannot broadcast", err));
    }
    return STAC_OK;
}

enum { TAG_BYTES = 72 };

int stac_send_bytes(MPI_Comm comm, const void *data, size_t size, int to, struct stac_error *err) {
    const char *bytes = data;
    for (size_t i = 0; i < size; i += CHUNK) {
        int count = (int)(size - i < CHUNK ? size - i : CHUNK);
        STAC_TRY(stac_mpi_check(MPI_Send(bytes + i, count, MPI_BYTE, to, TAG_BYTES, comm), "cannot send", err));
    }
    return STAC_OK;
}

int stac_receive_bytes(MPI_Comm comm, void *data, size_t size, int from, struct stac_error *err) {
    char *bytes = data;
    for (size_t i = 0; i < size; i += CHUNK) {
        int count = (int)(size - i < CHUNK ? size - i : CHUNK);
        STAC_TRY(stac_mpi_check(MPI_Recv(bytes + i, count, MPI_BYTE, from, TAG_BYTES, comm, MPI_STATUS_IGNORE),
                                "cannot receive", err));
    }
    return STAC_OK;
}
