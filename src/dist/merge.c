#include "dist/merge.h"

#include <stdbool.h>
#include <string.h>

enum { CHUNK = 1 << 26 }; /* elements of one MPI call: far below the int limit of its counts */

static const struct {
    MPI_Datatype type;
    MPI_Op op;
    size_t size;
} kinds[] = {
    [STAC_MAX_I64] = {MPI_INT64_T, MPI_MAX, 8}, [STAC_ADD_I64] = {MPI_INT64_T, MPI_SUM, 8},
    [STAC_ADD_I32] = {MPI_INT32_T, MPI_SUM, 4}, [STAC_MAX_F32] = {MPI_FLOAT, MPI_MAX, 4},
    [STAC_ADD_F64] = {MPI_DOUBLE, MPI_SUM, 8},  [STAC_OR_U8] = {MPI_BYTE, MPI_BOR, 1},
};

size_t stac_partial_bytes(const struct stac_partial *part, int n) {
    size_t bytes = 0;
    for (int i = 0; i < n; i++) bytes += part[i].n * kinds[part[i].how].size;
    return bytes;
}

/* What others than rank 0 hold in `data` is 0 in the end, unless all get the whole. */
static int merge_piece(MPI_Comm comm, void *data, int count, enum stac_merge how, bool to_all, int rank) {
    MPI_Datatype type = kinds[how].type;
    MPI_Op op = kinds[how].op;
    if (to_all) return MPI_Allreduce(MPI_IN_PLACE, data, count, type, op, comm);
    int code = MPI_Reduce(rank == 0 ? MPI_IN_PLACE : data, data, count, type, op, 0, comm);
    if (code == MPI_SUCCESS && rank != 0) memset(data, 0, (size_t)count * kinds[how].size);
    return code;
}

static int merge(MPI_Comm comm, const struct stac_partial *part, int n, bool to_all, struct stac_error *err) {
    int rank;
    MPI_Comm_rank(comm, &rank);
    for (int i = 0; i < n; i++)
        for (size_t at = 0; at < part[i].n; at += CHUNK) {
            int count = (int)(part[i].n - at < CHUNK ? part[i].n - at : CHUNK);
            char *data = (char *)part[i].data + at * kinds[part[i].how].size;
            STAC_TRY(stac_mpi_check(merge_piece(comm, data, count, part[i].how, to_all, rank),
                                    "cannot put together what the ranks found", err));
        }
    return STAC_OK;
}

int stac_merge_to_all(MPI_Comm comm, const struct stac_partial *part, int n, struct stac_error *err) {
    return merge(comm, part, n, true, err);
}

int stac_merge_to_first(MPI_Comm comm, const struct stac_partial *part, int n, struct stac_error *err) {
    return merge(comm, part, n, false, err);
}
