/* MOCK of NCCL beside that of CUDA's runtime: messages between processes of one machine, as files that appear when they are
 * whole. A receive waits until there is one. Environment: NCCL_ON_HOST_ABSENT, there is no NCCL; NCCL_ON_HOST_LOSE, the number
 * of a message, from 1 on each rank, behind which the communicator is lost. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vector>

#include "kernels/cuda/nccl.h"

static const int SUCCESS = NCCL_SUCCESS, REMOTE_ERROR = 6, SYSTEM_ERROR = 2;

struct nccl_communicator {
    char folder[100];
    int rank, size;
    bool lost;
    std::vector<long> sent, received; /* messages to and from each */
};

static long messages;

static int get_unique_id(struct nccl_id *id) {
    const char *temporary = getenv("TMPDIR");
    memset(id, 0, sizeof *id);
    snprintf(id->bytes, sizeof id->bytes, "%.80s/nccl_on_host.XXXXXX", temporary && *temporary ? temporary : "/tmp");
    return mkdtemp(id->bytes) ? SUCCESS : SYSTEM_ERROR;
}

static int comm_init_rank(nccl_comm *comm, int size, struct nccl_id id, int rank) {
    *comm = new nccl_communicator();
    snprintf((*comm)->folder, sizeof(*comm)->folder, "%.99s", id.bytes);
    (*comm)->rank = rank;
    (*comm)->size = size;
    (*comm)->sent.resize((size_t)size);
    (*comm)->received.resize((size_t)size);
    return access((*comm)->folder, W_OK) == 0 ? SUCCESS : SYSTEM_ERROR;
}

static int comm_destroy(nccl_comm comm) {
    rmdir(comm->folder); /* by the last one */
    delete comm;
    return SUCCESS;
}

static int comm_get_async_error(nccl_comm comm, int *error) {
    *error = comm->lost ? REMOTE_ERROR : SUCCESS;
    return SUCCESS;
}

static bool is_lost(nccl_comm comm) {
    const char *lose = getenv("NCCL_ON_HOST_LOSE");
    if (lose && ++messages > atol(lose)) comm->lost = cuda_on_host_hangs = true;
    return comm->lost;
}

/* Message number `number` between two ranks. */
static void path_of(nccl_comm comm, int from, int to, long number, char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s/%d-%d-%ld", comm->folder, from, to, number);
}

static int post(nccl_comm comm, int to, const std::vector<char> &data) {
    char path[PATH_MAX], whole[PATH_MAX];
    path_of(comm, comm->rank, to, comm->sent[to]++, whole);
    snprintf(path, sizeof path, "%s/%d.writing", comm->folder, comm->rank);
    FILE *f = fopen(path, "wb");
    if (!f) return SYSTEM_ERROR;
    bool written = fwrite(data.data(), 1, data.size(), f) == data.size();
    written = fclose(f) == 0 && written;
    return written && rename(path, whole) == 0 ? SUCCESS : SYSTEM_ERROR;
}

static int fetch(nccl_comm comm, int from, std::vector<char> &data) {
    char path[PATH_MAX];
    path_of(comm, from, comm->rank, comm->received[from]++, path);
    FILE *f;
    while (!(f = fopen(path, "rb"))) usleep(50);
    bool read = fread(data.data(), 1, data.size(), f) == data.size() && fgetc(f) == EOF;
    fclose(f);
    unlink(path);
    return read ? SUCCESS : SYSTEM_ERROR;
}

static int send(const void *data, size_t n, int, int peer, nccl_comm comm, cudaStream_t stream) {
    std::vector<char> here(n * sizeof(float));
    if (is_lost(comm)) return SUCCESS; /* asynchronous failures show later */
    if (cudaMemcpyAsync(here.data(), data, here.size(), cudaMemcpyDeviceToHost, stream) != cudaSuccess) return SYSTEM_ERROR;
    return post(comm, peer, here);
}

static int recv(void *data, size_t n, int, int peer, nccl_comm comm, cudaStream_t stream) {
    std::vector<char> here(n * sizeof(float));
    if (is_lost(comm)) return SUCCESS;
    int code = fetch(comm, peer, here);
    if (code != SUCCESS) return code;
    return cudaMemcpyAsync(data, here.data(), here.size(), cudaMemcpyHostToDevice, stream) == cudaSuccess ? SUCCESS
                                                                                                          : SYSTEM_ERROR;
}

template <typename T> static void combine(T *all, const T *one, size_t n, int op) {
    for (size_t i = 0; i < n; i++) all[i] = op == NCCL_SUM ? all[i] + one[i] : one[i] > all[i] ? one[i] : all[i];
}

/* n elements of `one` into those of `all`, where they are of this type. */
template <typename T>
static bool combined_as(int which, int type, int op, std::vector<char> &all, const std::vector<char> &one) {
    if (type == which) combine((T *)all.data(), (const T *)one.data(), all.size() / sizeof(T), op);
    return type == which;
}

static bool combined(int type, int op, std::vector<char> &all, const std::vector<char> &one) {
    return combined_as<uint8_t>(NCCL_UINT8, type, op, all, one) || combined_as<int32_t>(NCCL_INT32, type, op, all, one) ||
           combined_as<int64_t>(NCCL_INT64, type, op, all, one) || combined_as<float>(NCCL_FLOAT, type, op, all, one) ||
           combined_as<double>(NCCL_DOUBLE, type, op, all, one);
}

static size_t size_of(int type) {
    return type == NCCL_UINT8 ? 1 : type == NCCL_INT32 || type == NCCL_FLOAT ? 4 : 8;
}

/* Everybody gets what all have, and puts it together in the order of the ranks. */
static int all_reduce(const void *from, void *to, size_t n, int type, int op, nccl_comm comm, cudaStream_t stream) {
    std::vector<char> mine(n * size_of(type)), theirs(mine.size()), all;
    if (is_lost(comm)) return SUCCESS;
    if (cudaMemcpyAsync(mine.data(), from, mine.size(), cudaMemcpyDeviceToHost, stream) != cudaSuccess) return SYSTEM_ERROR;
    for (int peer = 0; peer < comm->size; peer++)
        if (peer != comm->rank && post(comm, peer, mine) != SUCCESS) return SYSTEM_ERROR;
    for (int peer = 0; peer < comm->size; peer++) {
        if (peer != comm->rank && fetch(comm, peer, theirs) != SUCCESS) return SYSTEM_ERROR;
        const std::vector<char> &one = peer == comm->rank ? mine : theirs;
        if (peer == 0)
            all = one;
        else if (!combined(type, op, all, one))
            return SYSTEM_ERROR;
    }
    return cudaMemcpyAsync(to, all.data(), all.size(), cudaMemcpyHostToDevice, stream) == cudaSuccess ? SUCCESS : SYSTEM_ERROR;
}

static int nothing(void) {
    return SUCCESS;
}

static const char *get_error_string(int code) {
    return code == REMOTE_ERROR ? "a peer was lost" : "the fake of NCCL failed";
}

const char *nccl_load(struct nccl *n) {
    if (getenv("NCCL_ON_HOST_ABSENT")) return "NCCL cannot be loaded: it is absent";
    *n = {get_unique_id, comm_init_rank, comm_destroy, comm_destroy, comm_get_async_error, send,
          recv,          all_reduce,     nothing,      nothing,      get_error_string};
    return NULL;
}
