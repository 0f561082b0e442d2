/* Messages between devices: see struct stac_device_net in kernels/device.h. They have a stream of their own; events order it
 * with that of the operators. */
#include "kernels/cuda/net.cuh"

#include <stdio.h>
#include <string.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/nccl.h"
#include "kernels/cuda/queue.cuh"

enum { BUFFERS = 2, GREETING = 32 };

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
    nccl_comm comm;
    cudaStream_t stream;
    struct lane out, in;
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
    int code = NCCL_SUCCESS;
    if (!net.comm) return NULL;
    const char *why = nccl_failure(net.nccl.comm_get_async_error(net.comm, &code));
    return why ? why : nccl_failure(code);
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
static const char *greet(int rank) {
    float sent[GREETING], got[GREETING];
    int turn;
    TRY(next_buffer(&net.out, GREETING, &turn));
    TRY(next_buffer(&net.in, GREETING, &turn));
    for (int i = 0; i < GREETING; i++) sent[i] = (float)(rank + i), got[i] = -1;
    TRY(cuda_failure(cudaMemcpyAsync(net.out.buffer[0], sent, sizeof sent, cudaMemcpyHostToDevice, net.stream)));
    TRY(nccl_failure(net.nccl.group_start()));
    TRY(nccl_failure(net.nccl.send(net.out.buffer[0], GREETING, NCCL_FLOAT, rank, net.comm, net.stream)));
    TRY(nccl_failure(net.nccl.recv(net.in.buffer[0], GREETING, NCCL_FLOAT, rank, net.comm, net.stream)));
    TRY(nccl_failure(net.nccl.group_end()));
    TRY(cuda_failure(cudaMemcpyAsync(got, net.in.buffer[0], sizeof got, cudaMemcpyDeviceToHost, net.stream)));
    TRY(cuda_failure(cudaStreamSynchronize(net.stream)));
    return memcmp(sent, got, sizeof sent) == 0 ? NULL : "NCCL: a message to itself arrived as another";
}

static void close_net(void) {
    close_lane(&net.out);
    close_lane(&net.in);
    if (net.comm) net.failed ? net.nccl.comm_abort(net.comm) : net.nccl.comm_destroy(net.comm);
    if (net.stream) cudaStreamDestroy(net.stream);
    net.comm = NULL;
    net.stream = NULL;
    net.failed = false;
}

static const char *open_net(const unsigned char id[STAC_DEVICE_NET_ID], int rank, int size) {
    struct nccl_id drawn;
    TRY(load());
    memcpy(drawn.bytes, id, sizeof drawn.bytes);
    TRY(nccl_failure(net.nccl.comm_init_rank(&net.comm, size, drawn, rank)));
    TRY(cuda_failure(cudaStreamCreateWithFlags(&net.stream, cudaStreamNonBlocking)));
    TRY(open_lane(&net.out));
    TRY(open_lane(&net.in));
    return greet(rank);
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
    TRY(nccl_failure(net.nccl.send(l->buffer[turn], n, NCCL_FLOAT, to, net.comm, net.stream)));
    return cuda_failure(cudaEventRecord(l->empty[turn], net.stream));
}

static const char *receive_floats(int from, float *data, size_t n) {
    struct lane *l = &net.in;
    int turn;
    stac_queue_start();
    TRY(next_buffer(l, n, &turn));
    TRY(cuda_failure(cudaStreamWaitEvent(net.stream, l->empty[turn], 0)));
    TRY(nccl_failure(net.nccl.recv(l->buffer[turn], n, NCCL_FLOAT, from, net.comm, net.stream)));
    TRY(cuda_failure(cudaEventRecord(l->full[turn], net.stream)));
    TRY(cuda_failure(cudaStreamWaitEvent(stac_cuda_stream, l->full[turn], 0)));
    TRY(cuda_failure(cudaMemcpyAsync(data, l->buffer[turn], n * sizeof *data, cudaMemcpyDeviceToDevice, stac_cuda_stream)));
    return cuda_failure(cudaEventRecord(l->empty[turn], stac_cuda_stream));
}

static const char *flush(void) {
    return net.stream ? stac_cuda_wait(net.stream) : NULL;
}

const struct stac_device_net stac_cuda_net = {draw_id, open_net, send_floats, receive_floats, flush, close_net};
