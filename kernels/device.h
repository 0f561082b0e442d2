/* Devices beside the processor: memory of their own, and a set of operators that works on it.
 *
 * A device is a module that is loaded at run time, so that programs start where there is none: build/kernels/stac_cuda.so, made
 * of kernels/cuda by nvcc. Its operators return before they are done and cannot fail by themselves; what went wrong is told by
 * the next call that moves memory or settles. NULL in place of a device is the processor, whose memory is the host's.
 *
 * A process opens one device. Not thread-safe; not collective. */
#ifndef STAC_KERNELS_DEVICE_H
#define STAC_KERNELS_DEVICE_H

#include "base/status.h"
#include "kernels/kernels.h"

enum { STAC_DEVICE_NET_ID = 128 };

/* Whose devices are connected: the stages of a group, which send and receive; all ranks of a job, which reduce. */
enum stac_communicator { STAC_STAGES, STAC_JOB, STAC_COMMUNICATORS };

/* How arrays of all ranks become one, element by element. Exact in any order: of floating-point numbers that are added, all
 * ranks but one hold 0. */
enum stac_reduction { STAC_ADD_I64, STAC_MAX_I64, STAC_ADD_I32, STAC_MAX_F32, STAC_ADD_F64, STAC_MAX_U8 };

/* Between devices, by NCCL. Messages leave and arrive in the order of the operators before and behind them, but beside these:
 * there are two buffers in each direction. */
struct stac_device_net {
    const char *(*id)(unsigned char id[STAC_DEVICE_NET_ID]); /* drawn by one of the processes, for all; also: is there NCCL? */
    /* Collective over the processes, one device each; every one sends itself a message, to see whether it arrives. */
    const char *(*open)(enum stac_communicator which, const unsigned char id[STAC_DEVICE_NET_ID], int rank, int size);
    const char *(*send)(int to, const float *data, size_t n);
    const char *(*receive)(int from, float *data, size_t n);
    const char *(*flush)(void); /* wait until all that was sent has left */
    /* data[n] of the host becomes that of all ranks of the job put together, piece by piece in a buffer of the device.
     * Collective over these. */
    const char *(*reduce)(enum stac_reduction how, void *data, size_t n);
    void (*close)(enum stac_communicator which); /* waits for nobody after a failure */
};

/* What a module offers. Texts are reasons of failure, NULL: none; they are valid until the next call. */
struct stac_device {
    int layout;       /* STAC_DEVICE_LAYOUT of the module's headers */
    const char *name; /* of the hardware */
    int n_devices;    /* on this machine */
    const struct stac_kernels *kernels;
    const char *(*reserve)(size_t bytes, void **out); /* contents are undefined */
    void (*release)(void *p);
    const char *(*put)(void *to, const void *from, size_t bytes); /* `from` may be changed afterwards */
    const char *(*get)(void *to, const void *from, size_t bytes); /* behind all operators so far */
    const char *(*clear)(void *p, size_t bytes);
    const char *(*settle)(void); /* wait for all operators so far */
    const char *(*room)(size_t *left, size_t *all);
    void (*close)(void);
    const struct stac_device_net *net;
    /* From now on dense products of STAC_LIBRARY_ROWS rows and more are those of the vendor's library: fast, and not exact.
     * Beside weights in bfloat16 an activation is the sum of `parts` bfloat16 numbers, 1 or 2. Each output is within
     * STAC_LIBRARY_BOUND(k, parts) times the sum of |x| |w| of the exact one. */
    const char *(*use_library)(int parts);
};

enum { STAC_LIBRARY_ROWS = 16 };
/* One bfloat16 number for an activation is within 2^-8 of it, two are within 2^-17; sums of k floats in any order, of which
 * tensor cores drop a bit or two. */
#define STAC_LIBRARY_BOUND(k, parts) (((parts) == 1 ? 0x1p-8 : 0x1p-17) + (k)*0x1p-22)

/* Grows with struct stac_device, struct stac_kernels or what they refer to. */
enum { STAC_DEVICE_LAYOUT = 8 };

/* The only symbol of a module: open hardware number `index` modulo what there is. */
#define STAC_DEVICE_MODULE_OPEN "stac_device_module_open"
typedef const char *stac_device_open_function(int index, const struct stac_device **out);

/* The device of that kind ("cuda"): of the module that the environment variable STAC_CUDA_MODULE names, else of stac_cuda.so
 * beside this program, in ../lib/stac or in kernels/ of the build. STAC_ERR_USAGE says why there is none and what to do. */
int stac_device_open(const char *kind, int index, const struct stac_device **out, struct stac_error *err);
void stac_device_close(const struct stac_device *d);

/* Memory of a device or, d == NULL, of the host: n * size bytes, as stac_alloc but not cleared on a device. NULL with
 * STAC_ERR_MEMORY when the product overflows or the memory is not to be had. */
void *stac_device_reserve(const struct stac_device *d, size_t n, size_t size, const char *what, struct stac_error *err);
void stac_device_release(const struct stac_device *d, void *p);
int stac_device_put(const struct stac_device *d, void *to, const void *from, size_t bytes, struct stac_error *err);
int stac_device_get(const struct stac_device *d, void *to, const void *from, size_t bytes, struct stac_error *err);
int stac_device_clear(const struct stac_device *d, void *p, size_t bytes, struct stac_error *err);
int stac_device_settle(const struct stac_device *d, struct stac_error *err);

/* p = n elements of *p, as STAC_NEW. */
#define STAC_DEVICE_NEW(d, p, n, what, err)                                                                                    \
    (((p) = stac_device_reserve((d), (size_t)(n), sizeof *(p), (what), (err))) != NULL ? STAC_OK : STAC_ERR_MEMORY)

#endif
