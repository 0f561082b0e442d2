/* MOCK of CUDA's runtime, for machines without a device: the little of it that kernels/cuda needs, on the processor.
 *
 * The threads of a block take turns, each on a stack of its own, from barrier to barrier; blocks follow one another. What it
 * checks besides what kernels compute:
 *   - memory of the device is filled with NaN when it is reserved and cannot be touched by the host except through copies;
 * behind it is a page that nobody can touch;
 *   - a kernel's arguments do not point into the host's memory, nor do pointers inside of structures among them;
 *   - nobody wrote beside it on its pages when it is released;
 *   - shared memory is filled with NaN before every block, and more of it than usual was allowed;
 *   - all threads of a block, or of a warp, meet at the same kind of barrier;
 *   - streams are ordered by events where they have to be (streams_on_host.cpp);
 *   - a stream whose launches are captured is not copied on, nor waited for.
 * A breach is an error of the next call, as a failed launch would be, and sticks. Environment: CUDA_ON_HOST_MEMORY, the bytes
 * that the device has (2^34); CUDA_ON_HOST_FAIL_LAUNCH, the number of a launch, from 1, that fails; CUDA_ON_HOST_DEVICES, how
 * many there are (1); CUDA_ON_HOST_ORDER, of threads, warps and blocks, and of streams: 0, as they are counted, and work of
 * streams as late as may be; 1, backward, and work of streams at once; more, drawn by this seed.
 *
 * Nothing here says how fast a kernel is, and weaker ordering of memory than a processor's is not seen. */
#ifndef STAC_CUDA_ON_HOST_CUDA_RUNTIME_H
#define STAC_CUDA_ON_HOST_CUDA_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __launch_bounds__(...)
#define __device__
#define __host__
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("cuda_shared")))

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {
    }
};
extern dim3 threadIdx, blockIdx, blockDim, gridDim;

struct alignas(16) int4 {
    int x, y, z, w;
};

/* ---- the host's side ------------------------------------------------------------------------------------------------ */

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidValue = 1,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorNotReady = 600,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchFailure = 719,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
typedef struct cuda_on_host_stream *cudaStream_t;
typedef struct cuda_on_host_event *cudaEvent_t;
struct cudaDeviceProp {
    char name[256];
    int major, minor;
};

cudaError_t cudaGetLastError(void);
const char *cudaGetErrorString(cudaError_t code);
cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int index);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int index);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaMalloc(void **out, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaMemset2DAsync(void *to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream);
cudaError_t cudaMemGetInfo(size_t *left, size_t *all);

/* A stream that is captured keeps its launches and memsets for a graph, and everything else there is an error. */
typedef struct cuda_on_host_graph *cudaGraph_t, *cudaGraphExec_t;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out);
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute which, int value);
cudaError_t cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **arguments, size_t shared, cudaStream_t stream);

extern "C" __attribute__((visibility("default"))) size_t cuda_on_host_graphs; /* that were launched */
extern bool cuda_on_host_hangs;                                               /* the streams wait for what does not come */

/* ---- launches ------------------------------------------------------------------------------------------------------- */

/* Whether something that is passed to a kernel points into the host's memory, where it is `pointer`, or anywhere in a
 * structure. */
void cuda_on_host_check(const char *kernel, const void *argument, size_t bytes, bool pointer);
void *cuda_on_host_shared(void);

template <typename T> static inline void cuda_on_host_check_one(const char *kernel, const T &argument) {
    if (std::is_pointer<T>::value || std::is_class<T>::value)
        cuda_on_host_check(kernel, &argument, sizeof argument, std::is_pointer<T>::value);
}

/* A call with a copy of these arguments. */
typedef std::function<std::function<void()>(void **argument)> cuda_on_host_binder;
void cuda_on_host_remember(const void *kernel, const std::string &name, const cuda_on_host_binder &bind,
                           const std::vector<size_t> &size);

/* What a kernel is called, with the types that a template was given; as the compiler spells it. */
template <auto kernel> static inline std::string cuda_on_host_name(void) {
    std::string text = __PRETTY_FUNCTION__;
    size_t from = text.find("kernel = ") + strlen("kernel = "), semicolon = text.find(';', from);
    return text.substr(from, (semicolon == std::string::npos ? text.size() - 1 : semicolon) - from);
}

template <typename... P, size_t... I>
static inline void cuda_on_host_know(const std::string &name, void (*kernel)(P...), std::index_sequence<I...>) {
    const cuda_on_host_binder bind = [=](void **argument) -> std::function<void()> {
        (cuda_on_host_check_one(name.c_str(), *(P *)argument[I]), ...);
        std::tuple<P...> copies(*(P *)argument[I]...);
        return [=] { std::apply(kernel, copies); };
    };
    cuda_on_host_remember((const void *)kernel, name, bind, {sizeof(P)...});
}

/* A kernel as cudaLaunchKernel finds it. */
template <typename... P> static inline void cuda_on_host_know(const std::string &name, void (*kernel)(P...)) {
    cuda_on_host_know(name, kernel, std::index_sequence_for<P...>());
}

/* ---- a thread's side ------------------------------------------------------------------------------------------------ */

void __syncthreads(void);
int __syncthreads_or(int mine);
uint32_t cuda_on_host_shuffle(uint32_t mine, int from_lane); /* met by all threads of the warp */
unsigned cuda_on_host_ballot(bool mine);                     /* the same; a bit for every thread */
void cuda_on_host_mma(int c[4], const unsigned a[4], const unsigned b[2], bool is_signed);

/* Copies of 16 bytes that happen no sooner than they are waited for. */
void cuda_on_host_copy_later(void *to, const void *from);
void cuda_on_host_close_copies(void);
void cuda_on_host_wait_copies(int but);

static inline int cuda_on_host_lane(void) {
    return (int)(threadIdx.x % 32);
}

static inline unsigned __ballot_sync(unsigned, int mine) {
    return cuda_on_host_ballot(mine != 0);
}

static inline int __ffs(unsigned bits) {
    return __builtin_ffs((int)bits);
}

static inline int __shfl_sync(unsigned, int x, int lane) {
    return (int)cuda_on_host_shuffle((uint32_t)x, lane);
}

static inline int __shfl_xor_sync(unsigned, int x, int mask) {
    return (int)cuda_on_host_shuffle((uint32_t)x, cuda_on_host_lane() ^ mask);
}

static inline float __shfl_xor_sync(unsigned, float x, int mask) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = cuda_on_host_shuffle(bits, cuda_on_host_lane() ^ mask);
    memcpy(&x, &bits, sizeof bits);
    return x;
}

template <typename T> static inline T atomicAdd(T *to, T x) { /* threads take turns */
    T before = *to;
    *to = (T)(before + x);
    return before;
}

static inline unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    uint64_t bytes = (uint64_t)b << 32 | a;
    unsigned out = 0;
    for (int i = 0; i < 4; i++) out |= (unsigned)(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
    return out;
}

#endif
