/* What is used of NCCL, which is loaded at run time: its ABI since version 2.7. */
#ifndef STAC_KERNELS_CUDA_NCCL_H
#define STAC_KERNELS_CUDA_NCCL_H

#include <cuda_runtime.h>

struct nccl_id {
    char bytes[128];
};
typedef struct nccl_communicator *nccl_comm;
enum { NCCL_SUCCESS = 0, NCCL_IN_PROGRESS = 7 };
enum { NCCL_UINT8 = 1, NCCL_INT32 = 2, NCCL_INT64 = 4, NCCL_FLOAT = 7, NCCL_DOUBLE = 8 };
enum { NCCL_SUM = 0, NCCL_MAX = 2 };

struct nccl {
    int (*get_unique_id)(struct nccl_id *id);
    int (*comm_init_rank)(nccl_comm *comm, int size, struct nccl_id id, int rank);
    int (*comm_destroy)(nccl_comm comm);
    int (*comm_abort)(nccl_comm comm);
    int (*comm_get_async_error)(nccl_comm comm, int *error);
    int (*send)(const void *data, size_t n, int type, int peer, nccl_comm comm, cudaStream_t stream);
    int (*recv)(void *data, size_t n, int type, int peer, nccl_comm comm, cudaStream_t stream);
    int (*all_reduce)(const void *from, void *to, size_t n, int type, int op, nccl_comm comm, cudaStream_t stream);
    int (*group_start)(void);
    int (*group_end)(void);
    const char *(*get_error_string)(int code);
};

/* Fill the table: of libnccl.so.2, or of the library that the environment variable STAC_NCCL_LIBRARY names; on the host, of a
 * fake. The reason of a failure, or NULL. */
const char *nccl_load(struct nccl *out);

#endif
