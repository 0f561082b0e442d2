/* Messages between devices: see struct stac_device_net in kernels/device.h. They have a stream of their own; events order it
 * with that of the operators. */
#include "kernels/cuda/net.cuh"

#include <stdio.h>
#include <string.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/nccl.h"
#include "kernels/cuda/queue.cuh"

enum { BUFFERS = 2, GREETING = 32, PIECE = 4 << 20 /* bytes that are reduced at once */ };

/* One direction: what is on its way, in turns. */
struct lane {
    float *buffer[BUFFERS];
    size_t room[BUFFERS]; /* floats */
    cudaEvent_t full[BUFFERS], empty[BUFFERS];
    int turn;
};

static struct {
    struct nccl nccl;
    bool loaded, failed;
    nccl_comm comm[STAC_COMMUNICATORS];
    cudaStream_t stream; /* of all of them */
    struct lane out, in;
    void *piece; /* of what is reduced */
} net;

static const char *cuda_failure(cudaError_t code) {
    return code == cudaSuccess ? NULL : cudaGetErrorString(code);
}

static const char *nccl_failure(int code) {
    if (code == NCCL_SUCCESS || code == NCCL_IN_PROGRESS) return NULL;
    static char why[256];
    snprintf(why, sizeof why, "NCCL: %s", net.nccl.get_error_string(code));
    net.failed = true;
    return why;
}

const char *stac_cuda_net_failure(void) {
    const char *why = NULL;
    for (int i = 0; i < STAC_COMMUNICATORS && !why; i++) {
        int code = NCCL_SUCCESS;
        if (!net.comm[i]) continue;
        why = nccl_failure(net.nccl.comm_get_async_error(net.comm[i], &code));
        if (!why) why = nccl_failure(code);
    }
    return why;
}

/* The first failure of several calls. */
#define TRY(call)                                                                                                              \
    do {                                                                                                                       \
        const char *failure_ = (call);                                                                                         \
        if (failure_) return failure_;                                                                                         \
    } while (0)

static const char *load(void) {
    if (!net.loaded) TRY(nccl_load(&net.nccl));
    net.loaded = true;
    return NULL;
}

static const char *draw_id(unsigned char id[STAC_DEVICE_NET_ID]) {
    struct nccl_id drawn;
    TRY(load());
    TRY(nccl_failure(net.nccl.get_unique_id(&drawn)));
    memcpy(id, drawn.bytes, STAC_DEVICE_NET_ID);
    return NULL;
}

static const char *open_lane(struct lane *lane) {
    for (int i = 0; i < BUFFERS; i++) {
        TRY(cuda_failure(cudaEventCreateWithFlags(&lane->full[i], cudaEventDisableTiming)));
        TRY(cuda_failure(cudaEventCreateWithFlags(&lane->empty[i], cudaEventDisableTiming)));
    }
    return NULL;
}

/* The next buffer of a lane, with room for n floats; *turn is its number. */
static const char *next_buffer(struct lane *lane, size_t n, int *turn) {
    *turn = lane->turn;
    lane->turn = (*turn + 1) % BUFFERS;
    if (n <= lane->room[*turn]) return NULL;
    cudaFree(lane->buffer[*turn]); /* waits for whoever uses it */
    lane->buffer[*turn] = NULL;
    lane->room[*turn] = 0;
    TRY(cuda_failure(cudaMalloc((void **)&lane->buffer[*turn], n * sizeof(float))));
    lane->room[*turn] = n;
    return NULL;
}

static void close_lane(struct lane *lane) {
    for (int i = 0; i < BUFFERS; i++) {
        cudaFree(lane->buffer[i]);
        if (lane->full[i]) cudaEventDestroy(lane->full[i]);
        if (lane->empty[i]) cudaEventDestroy(lane->empty[i]);
    }
    *lane = {};
}

/* A message to itself: what does not work is known before it is needed. */
static const char *greet(nccl_comm comm, int rank) {
    float sent[GREETING], got[GREETING];
    int from, to;
    TRY(next_buffer(&net.out, GREETING, &from));
    TRY(next_buffer(&net.in, GREETING, &to));
    for (int i = 0; i < GREETING; i++) sent[i] = (float)(rank + i), got[i] = -1;
    TRY(cuda_failure(cudaMemcpyAsync(net.out.buffer[from], sent, sizeof sent, cudaMemcpyHostToDevice, net.stream)));
    TRY(nccl_failure(net.nccl.group_start()));
    TRY(nccl_failure(net.nccl.send(net.out.buffer[from], GREETING, NCCL_FLOAT, rank, comm, net.stream)));
    TRY(nccl_failure(net.nccl.recv(net.in.buffer[to], GREETING, NCCL_FLOAT, rank, comm, net.stream)));
    TRY(nccl_failure(net.nccl.group_end()));
    TRY(cuda_failure(cudaMemcpyAsync(got, net.in.buffer[to], sizeof got, cudaMemcpyDeviceToHost, net.stream)));
    TRY(cuda_failure(cudaStreamSynchronize(net.stream)));
    return memcmp(sent, got, sizeof sent) == 0 ? NULL : "NCCL: a message to itself arrived as another";
}

/* What the communicators share goes with the last of them. */
static void close_shared(void) {
    close_lane(&net.out);
    close_lane(&net.in);
    cudaFree(net.piece);
    if (net.stream) cudaStreamDestroy(net.stream);
    net.piece = NULL;
    net.stream = NULL;
    net.failed = false;
}

static void close_net(enum stac_communicator which) {
    bool last = true;
    if (net.comm[which]) net.failed ? net.nccl.comm_abort(net.comm[which]) : net.nccl.comm_destroy(net.comm[which]);
    net.comm[which] = NULL;
    for (int i = 0; i < STAC_COMMUNICATORS; i++) last = last && !net.comm[i];
    if (last) close_shared();
}

static const char *open_shared(void) {
    if (net.stream) return NULL;
    TRY(cuda_failure(cudaStreamCreateWithFlags(&net.stream, cudaStreamNonBlocking)));
    TRY(open_lane(&net.out));
    return open_lane(&net.in);
}

static const char *open_net(enum stac_communicator which, const unsigned char id[STAC_DEVICE_NET_ID], int rank, int size) {
    struct nccl_id drawn;
    TRY(load());
    memcpy(drawn.bytes, id, sizeof drawn.bytes);
    TRY(nccl_failure(net.nccl.comm_init_rank(&net.comm[which], size, drawn, rank)));
    TRY(open_shared());
    if (which == STAC_JOB) TRY(cuda_failure(cudaMalloc(&net.piece, PIECE)));
    return greet(net.comm[which], rank);
}

/* A copy in a buffer, so that operators may go on changing the data. */
static const char *send_floats(int to, const float *data, size_t n) {
    struct lane *l = &net.out;
    int turn;
    stac_queue_start();
    TRY(next_buffer(l, n, &turn));
    TRY(cuda_failure(cudaStreamWaitEvent(stac_cuda_stream, l->empty[turn], 0)));
    TRY(cuda_failure(cudaMemcpyAsync(l->buffer[turn], data, n * sizeof *data, cudaMemcpyDeviceToDevice, stac_cuda_stream)));
    TRY(cuda_failure(cudaEventRecord(l->full[turn], stac_cuda_stream)));
    TRY(cuda_failure(cudaStreamWaitEvent(net.stream, l->full[turn], 0)));
    TRY(nccl_failure(net.nccl.send(l->buffer[turn], n, NCCL_FLOAT, to, net.comm[STAC_STAGES], net.stream)));
    return cuda_failure(cudaEventRecord(l->empty[turn], net.stream));
}

static const char *receive_floats(int from, float *data, size_t n) {
    struct lane *l = &net.in;
    int turn;
    stac_queue_start();
    TRY(next_buffer(l, n, &turn));
    TRY(cuda_failure(cudaStreamWaitEvent(net.stream, l->empty[turn], 0)));
    TRY(nccl_failure(net.nccl.recv(l->buffer[turn], n, NCCL_FLOAT, from, net.comm[STAC_STAGES], net.stream)));
    TRY(cuda_failure(cudaEventRecord(l->full[turn], net.stream)));
    TRY(cuda_failure(cudaStreamWaitEvent(stac_cuda_stream, l->full[turn], 0)));
    TRY(cuda_failure(cudaMemcpyAsync(data, l->buffer[turn], n * sizeof *data, cudaMemcpyDeviceToDevice, stac_cuda_stream)));
    return cuda_failure(cudaEventRecord(l->empty[turn], stac_cuda_stream));
}

static const char *flush(void) {
    return net.stream ? stac_cuda_wait(net.stream) : NULL;
}

static const struct {
    int type, op;
    size_t size;
} reductions[] = { /* by enum stac_reduction */
    {NCCL_INT64, NCCL_SUM, 8}, {NCCL_INT64, NCCL_MAX, 8}, {NCCL_INT32, NCCL_SUM, 4},
    {NCCL_FLOAT, NCCL_MAX, 4}, {NCCL_DOUBLE, NCCL_SUM, 8}, {NCCL_UINT8, NCCL_MAX, 1},
};

/* Waits before it fetches: a copy to the host's memory would wait by itself, also for a peer that is lost. */
static const char *reduce_piece(enum stac_reduction how, void *data, size_t n) {
    size_t bytes = n * reductions[how].size;
    TRY(cuda_failure(cudaMemcpyAsync(net.piece, data, bytes, cudaMemcpyHostToDevice, net.stream)));
    TRY(nccl_failure(net.nccl.all_reduce(net.piece, net.piece, n, reductions[how].type, reductions[how].op, net.comm[STAC_JOB],
                                         net.stream)));
    TRY(stac_cuda_wait(net.stream));
    TRY(cuda_failure(cudaMemcpyAsync(data, net.piece, bytes, cudaMemcpyDeviceToHost, net.stream)));
    return stac_cuda_wait(net.stream);
}

static const char *reduce(enum stac_reduction how, void *data, size_t n) {
    size_t size = reductions[how].size, most = PIECE / size;
    TRY(stac_cuda_wait(net.stream)); /* for messages before it, which a copy from the host's memory may wait for as well */
    for (size_t at = 0; at < n; at += most)
        TRY(reduce_piece(how, (char *)data + at * size, n - at < most ? n - at : most));
    return NULL;
}

const struct stac_device_net stac_cuda_net = {draw_id, open_net, send_floats, receive_floats, flush, reduce, close_net};
