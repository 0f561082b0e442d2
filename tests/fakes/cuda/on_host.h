/* What the files of the mock share. */
#ifndef STAC_CUDA_ON_HOST_H
#define STAC_CUDA_ON_HOST_H

#include <functional>

#include "cuda_runtime.h"

/* An error that sticks; `kernel`, or NULL, is named in its text. Returns the first one. */
cudaError_t cuda_on_host_breach(cudaError_t code, const char *kernel, const char *what);
/* What has failed so far. */
cudaError_t cuda_on_host_stuck(void);

/* A number of the environment, or the usual one. */
size_t cuda_on_host_setting(const char *name, size_t usual);

/* CUDA_ON_HOST_ORDER. */
enum { CUDA_ON_HOST_FORWARD = 0, CUDA_ON_HOST_BACKWARD = 1 };
size_t cuda_on_host_order(void);
/* Random numbers that the order is drawn by, below n. */
size_t cuda_on_host_draw(size_t n);

/* Memory of the device, or all of it, open to who works there, or closed. */
void cuda_on_host_open_memory(bool open);

/* Whether all of [p, p + bytes) is memory of the device. */
bool cuda_on_host_is_reserved(const void *p, size_t bytes);

/* A kernel as nvcc compiled it (ptx_on_host.h), where these are linked: false, if it is not among them. */
struct cuda_on_host_code {
    void (*run)(const unsigned char *const *param); /* NULL: the C++ compiler's is run */
    size_t static_shared;                           /* bytes */
};
bool cuda_on_host_compiled(const std::string &name, cuda_on_host_code *out);

/* Who runs: the kernel, its thread, bytes of shared memory, and how many barriers there were so far in all. */
struct cuda_on_host_moment {
    int thread;
    size_t shared_bytes, interval;
};
const char *cuda_on_host_running(void);
cuda_on_host_moment cuda_on_host_now(void);

/* Work of a stream, done when its turn has come; into the graph of a stream that is captured. */
cudaError_t cuda_on_host_do(cudaStream_t stream, const std::function<void()> &work);
bool cuda_on_host_is_captured(cudaStream_t stream);
/* All that was put into a stream so far is done; of all streams, where there is none. */
void cuda_on_host_finish(cudaStream_t stream);

#endif
