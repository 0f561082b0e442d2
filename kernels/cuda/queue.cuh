/* What waits to be launched. Operators do not launch their kernels at once: they put them into a queue, which starts when
 * somebody waits for the device or copies. Then a sequence of kernels that was seen before, down to the last argument, goes as one
 * CUDA graph: launching the hundreds of small kernels of a token one by one takes longer than they do. Nothing depends on what
 * is kept but time: a sequence that differs anywhere is launched kernel by kernel. */
#ifndef STAC_KERNELS_CUDA_QUEUE_CUH
#define STAC_KERNELS_CUDA_QUEUE_CUH

#include <cuda_runtime.h>

/* The stream of everything that this process does on its device. */
extern cudaStream_t stac_cuda_stream;

enum { STAC_QUEUE_ARGUMENTS = 24 };

/* A kernel with its n arguments, of which copies are kept. */
void stac_queue_kernel(const void *kernel, dim3 grid, dim3 block, size_t shared, int n, const void *const *argument,
                       const size_t *size);

/* Zeros in `height` rows of `width` bytes, `pitch` apart. */
void stac_queue_clear(void *to, size_t pitch, size_t width, size_t height);

/* Start what waits. What fails is told by cudaGetLastError. */
void stac_queue_start(void);

/* Forget all graphs; nothing may be running. */
void stac_queue_close(void);

/* kernel<<<grid, block, shared>>>(argument...); the arguments become what the kernel takes. */
template <typename T> struct stac_as_it_is {
    typedef T type;
};
template <typename... P>
static inline void stac_queue(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
                              typename stac_as_it_is<P>::type... argument) {
    static_assert(sizeof...(P) <= STAC_QUEUE_ARGUMENTS, "arguments of a kernel");
    const void *const at[] = {&argument...};
    const size_t size[] = {sizeof argument...};
    stac_queue_kernel((const void *)kernel, grid, block, shared, (int)sizeof...(P), at, size);
}

#endif
