/* The module: a device, its memory, its table of operators. See kernels/device.h. */
#include <time.h>

#include "kernels/cuda/gemm_library.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/net.cuh"
#include "kernels/cuda/set.cuh"
#include "kernels/device.h"

cudaStream_t stac_cuda_stream;

static const struct stac_kernels table = [] {
    struct stac_kernels k = {};
    k.name = "cuda";
    k.gemm_f32 = stac_gemm_f32_cuda;
    k.gemm_bf16 = stac_gemm_bf16_cuda;
    k.gemm_i16i8 = stac_gemm_i16i8_cuda;
    k.gather = stac_gather_cuda;
    k.add_to_rows = stac_add_to_rows_cuda;
    k.encode_rows = stac_encode_rows_cuda;
    k.decode_rows = stac_decode_rows_cuda;
    k.norm = stac_norm_cuda;
    k.activate = stac_activate_cuda;
    k.gate = stac_gate_cuda;
    k.hadamard = stac_hadamard_cuda;
    k.turn = stac_turn_cuda;
    k.draw = stac_draw_cuda;
    k.spike_rows = stac_spike_rows_cuda;
    k.step_rows = stac_step_rows_cuda;
    k.add_steps = stac_add_steps_cuda;
    k.store = stac_store_cuda;
    k.attend = stac_attend_cuda;
    return k;
}();

static struct cudaDeviceProp hardware;

/* The reason of a failure; that of a kernel launched before, too. */
static const char *why(cudaError_t code) {
    cudaError_t before = cudaGetLastError();
    if (code == cudaSuccess) code = before;
    return code == cudaSuccess ? NULL : cudaGetErrorString(code);
}

/* A process that waits for a message of one that is gone would wait for ever: so it looks around. */
const char *stac_cuda_wait(cudaStream_t stream) {
    stac_queue_start();
    for (long looks = 0;; looks++) {
        cudaError_t code = cudaStreamQuery(stream);
        if (code != cudaErrorNotReady) {
            const char *failed = why(code);
            return failed ? failed : stac_library_failure();
        }
        if (looks < 20000) continue; /* operators take micro- or milliseconds */
        const char *lost = stac_cuda_net_failure();
        if (lost) return lost;
        struct timespec rest = {0, 50000};
        nanosleep(&rest, NULL);
    }
}

static const char *settle(void) {
    return stac_cuda_wait(stac_cuda_stream);
}

static const char *reserve(size_t bytes, void **out) {
    *out = NULL;
    return why(cudaMalloc(out, bytes > 0 ? bytes : 1));
}

static void release(void *p) {
    stac_queue_start(); /* it may be used by what waits */
    cudaFree(p);
}

/* What is copied from is the caller's again when this returns. */
static const char *put(void *to, const void *from, size_t bytes) {
    stac_queue_start();
    cudaError_t code = cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stac_cuda_stream);
    return code == cudaSuccess ? settle() : why(code);
}

static const char *get(void *to, const void *from, size_t bytes) {
    stac_queue_start();
    cudaError_t code = cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stac_cuda_stream);
    return code == cudaSuccess ? settle() : why(code);
}

static const char *clear(void *p, size_t bytes) {
    stac_queue_clear(p, bytes, bytes, 1);
    return why(cudaSuccess);
}

static const char *room(size_t *left, size_t *all) {
    return why(cudaMemGetInfo(left, all));
}

static void close_device(void) {
    stac_queue_close();
    stac_library_close();
    cudaStreamDestroy(stac_cuda_stream);
    stac_cuda_stream = NULL;
}

static struct stac_device device;

extern "C" __attribute__((visibility("default"))) const char *stac_device_module_open(int index,
                                                                                      const struct stac_device **out) {
    int n = 0;
    const char *failed = why(cudaGetDeviceCount(&n));
    if (failed) return failed;
    if (n == 0) return "this machine has no GPU";
    if ((failed = why(cudaSetDevice(index % n)))) return failed;
    if ((failed = why(cudaGetDeviceProperties(&hardware, index % n)))) return failed;
    if (hardware.major < 8) return "a GPU of compute capability 8.0 or more is needed";
    if ((failed = why(cudaStreamCreateWithFlags(&stac_cuda_stream, cudaStreamNonBlocking)))) return failed;
    device.layout = STAC_DEVICE_LAYOUT;
    device.name = hardware.name;
    device.n_devices = n;
    device.kernels = &table;
    device.reserve = reserve;
    device.release = release;
    device.put = put;
    device.get = get;
    device.clear = clear;
    device.settle = settle;
    device.room = room;
    device.close = close_device;
    device.net = &stac_cuda_net;
    device.use_library = stac_library_open;
    *out = &device;
    return NULL;
}
