/* What every file of kernels/cuda begins with: how kernels are launched, and warps' helpers.
 *
 * The same sources are compiled by nvcc for a device and, with tests/fakes/cuda before CUDA's own headers, by a C++ compiler
 * for the processor, where threads of a block take turns: so kernels are tested where there is no device. Rules that keep this
 * possible: LAUNCH in place of <<<>>>; shared memory whose size is known at launch only by SHARED; a barrier is met by all
 * threads of a block or, in the functions here, of a warp. */
#ifndef STAC_KERNELS_CUDA_LAUNCH_CUH
#define STAC_KERNELS_CUDA_LAUNCH_CUH

#include <cuda_runtime.h>
#ifndef STAC_CUDA_ON_HOST
#include <cuda_pipeline_primitives.h>
#endif

#include "kernels/cuda/queue.cuh"
#include "kernels/kernels.h"

/* kernel<<<grid, block, bytes of shared memory>>>(arguments...), when the queue starts; a template of several in parentheses */
#ifdef STAC_CUDA_ON_HOST
#define LAUNCH(kernel, grid, block, bytes, ...)                                                                                \
    (cuda_on_host_know(cuda_on_host_name<kernel>(), kernel), stac_queue(kernel, (grid), (block), (bytes), __VA_ARGS__))
#define SHARED(type, name) type *name = (type *)cuda_on_host_shared()
#else
#define LAUNCH(kernel, grid, block, bytes, ...) stac_queue(kernel, (grid), (block), (bytes), __VA_ARGS__)
#define SHARED(type, name)                                                                                                     \
    extern __shared__ __align__(16) unsigned char stac_shared_bytes[];                                                         \
    type *name = (type *)stac_shared_bytes
#endif

enum { WARP = 32 };

/* Sixteen bytes from global into shared memory, beside what the thread does: begun by copy_16, gathered into a group by
 * close_copies, there for this thread when wait_for_copies_but<n> has waited for all but the last n groups, and for others
 * behind the next barrier. */
#ifdef STAC_CUDA_ON_HOST
static inline void copy_16(void *shared, const void *global) {
    cuda_on_host_copy_later(shared, global);
}
static inline void close_copies(void) {
    cuda_on_host_close_copies();
}
template <int n> static inline void wait_for_copies_but(void) {
    cuda_on_host_wait_copies(n);
}
#else
static __device__ inline void copy_16(void *shared, const void *global) {
    __pipeline_memcpy_async(shared, global, 16);
}
static __device__ inline void close_copies(void) {
    __pipeline_commit();
}
template <int n> static __device__ inline void wait_for_copies_but(void) {
    __pipeline_wait_prior(n);
}
#endif

static inline int blocks_of(long long n, int each) {
    return (int)((n + each - 1) / each);
}

/* Whether rows `ld` elements apart begin at multiples of so many bytes. */
template <typename element> static inline bool is_aligned(const element *p, int ld, size_t bytes) {
    return (size_t)ld * sizeof *p % bytes == 0 && (uintptr_t)p % bytes == 0;
}

/* Sum over the threads of a warp, on all of them. */
static __device__ inline int warp_sum(int x) {
    for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

static __device__ inline float warp_max(float x) {
    for (int step = WARP / 2; step > 0; step /= 2) {
        float other = __shfl_xor_sync(0xffffffffu, x, step);
        x = other > x ? other : x;
    }
    return x;
}

/* Over all threads of a block of whole warps, for all of them; `shared` holds one number for every warp. */
static __device__ inline float block_max(float x, float *shared) {
    x = warp_max(x);
    if (threadIdx.x % WARP == 0) shared[threadIdx.x / WARP] = x;
    __syncthreads();
    float most = shared[0];
    for (int w = 1; w < (int)blockDim.x / WARP; w++) most = shared[w] > most ? shared[w] : most;
    __syncthreads();
    return most;
}

/* c[16][8] += a[16][32] b[32][8], bytes into 32 bits, by the 32 threads of a warp. Fragments as in the PTX manual, "Matrix
 * fragments for mma.m16n8k32": with group = lane / 4 and quad = lane % 4,
 *   a[0], a[1]: rows group and group + 8, columns 4 quad ..; a[2], a[3]: the same rows, columns 16 + 4 quad ..
 *   b[0], b[1]: rows 4 quad .. and 16 + 4 quad .., column group
 *   c[0], c[1]: row group, columns 2 quad and 2 quad + 1; c[2], c[3]: row group + 8 */
#ifdef STAC_CUDA_ON_HOST
static inline void mma_s8(int c[4], const unsigned a[4], const unsigned b[2]) {
    cuda_on_host_mma(c, a, b, true);
}

static inline void mma_u8s8(int c[4], const unsigned a[4], const unsigned b[2]) {
    cuda_on_host_mma(c, a, b, false);
}
#else
#define MMA_INTEGER(name, type)                                                                                                \
    static __device__ inline void name(int c[4], const unsigned a[4], const unsigned b[2]) {                                   \
        asm volatile("mma.sync.aligned.m16n8k32.row.col.s32." type ".s8.s32 "                                                  \
                     "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                                                   \
                     : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])                                                          \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                                      \
    }
MMA_INTEGER(mma_s8, "s8")
MMA_INTEGER(mma_u8s8, "u8") /* bytes of a have no sign */
#endif

#endif
