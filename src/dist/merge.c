#include "dist/merge.h"

#include <string.h>

enum { CHUNK = 1 << 26 }; /* elements of one MPI call: far below the int limit of its counts */

static const struct {
    MPI_Datatype type;
    MPI_Op op;
    size_t size;
} kinds[] = {
    [STAC_MAX_I64] = {MPI_INT64_T, MPI_MAX, 8}, [STAC_ADD_I64] = {MPI_INT64_T, MPI_SUM, 8},
    [STAC_ADD_I32] = {MPI_INT32_T, MPI_SUM, 4}, [STAC_MAX_F32] = {MPI_FLOAT, MPI_MAX, 4},
    [STAC_ADD_F64] = {MPI_DOUBLE, MPI_SUM, 8},  [STAC_MAX_U8] = {MPI_UINT8_T, MPI_MAX, 1},
};

static size_t bytes_of(const struct stac_partial *part) {
    return part->n * kinds[part->how].size;
}

size_t stac_partial_bytes(const struct stac_partial *part, int n) {
    size_t bytes = 0;
    for (int i = 0; i < n; i++) bytes += bytes_of(&part[i]);
    return bytes;
}

int stac_merge_among(MPI_Comm comm, const struct stac_partial *part, int n, struct stac_error *err) {
    for (int i = 0; i < n; i++)
        for (size_t at = 0; at < part[i].n; at += CHUNK) {
            int count = (int)(part[i].n - at < CHUNK ? part[i].n - at : CHUNK);
            char *data = (char *)part[i].data + at * kinds[part[i].how].size;
            STAC_TRY(
                stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, data, count, kinds[part[i].how].type, kinds[part[i].how].op, comm),
                               "cannot put together what the ranks found", err));
        }
    return STAC_OK;
}

/* Over NCCL. */
static int merge_on_devices(const struct stac_device *device, const struct stac_partial *part, int n, struct stac_error *err) {
    for (int i = 0; i < n; i++) {
        const char *why = device->net->reduce(part[i].how, part[i].data, part[i].n);
        if (why) return stac_fail(err, STAC_ERR_RANK, "%s: cannot put together what the ranks found: %s", device->name, why);
    }
    return STAC_OK;
}

int stac_merge_to_all(const struct stac_ranks *r, const struct stac_partial *part, int n, struct stac_error *err) {
    return r->device ? merge_on_devices(r->device, part, n, err) : stac_merge_among(r->comm, part, n, err);
}

int stac_merge_to_first(const struct stac_ranks *r, const struct stac_partial *part, int n, struct stac_error *err) {
    STAC_TRY(stac_merge_to_all(r, part, n, err));
    for (int i = 0; i < n && r->rank != 0; i++) memset(part[i].data, 0, bytes_of(&part[i]));
    return STAC_OK;
}
