/* What is used of cuBLASLt, which is loaded at run time: its interface of CUDA 11 to 13. */
#ifndef STAC_KERNELS_CUDA_CUBLASLT_H
#define STAC_KERNELS_CUDA_CUBLASLT_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

enum { CUBLASLT_SUCCESS = 0, CUBLASLT_FLOAT = 0, CUBLASLT_BF16 = 14, CUBLASLT_SUMS_OF_FLOATS = 68, CUBLASLT_WORKSPACE = 1 };

typedef struct cublaslt_context *cublaslt_handle;
typedef struct cublaslt_operation *cublaslt_desc;
typedef struct cublaslt_matrix *cublaslt_layout;
typedef struct cublaslt_wishes *cublaslt_preference;

/* A way to multiply that cuBLASLt proposes. */
struct cublaslt_proposal {
    uint64_t algorithm[8];
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};

struct cublaslt {
    int (*create)(cublaslt_handle *handle);
    int (*destroy)(cublaslt_handle handle);
    int (*desc_create)(cublaslt_desc *desc, int compute, int scale);
    int (*desc_destroy)(cublaslt_desc desc);
    int (*layout_create)(cublaslt_layout *layout, int type, uint64_t rows, uint64_t columns, int64_t ld); /* by columns */
    int (*layout_destroy)(cublaslt_layout layout);
    int (*preference_create)(cublaslt_preference *preference);
    int (*preference_destroy)(cublaslt_preference preference);
    int (*preference_set)(cublaslt_preference preference, int attribute, const void *value, size_t bytes);
    int (*propose)(cublaslt_handle handle, cublaslt_desc desc, cublaslt_layout a, cublaslt_layout b, cublaslt_layout c,
                   cublaslt_layout d, cublaslt_preference preference, int wanted, struct cublaslt_proposal *out, int *n);
    /* d = alpha a b + beta c */
    int (*multiply)(cublaslt_handle handle, cublaslt_desc desc, const void *alpha, const void *a, cublaslt_layout la,
                    const void *b, cublaslt_layout lb, const void *beta, const void *c, cublaslt_layout lc, void *d,
                    cublaslt_layout ld, const void *algorithm, void *workspace, size_t bytes, cudaStream_t stream);
};

/* Fill the table: of libcublasLt, or of the library that the environment variable STAC_CUBLASLT_LIBRARY names; on the host, of
 * a fake. The reason of a failure, or NULL. */
const char *cublaslt_load(struct cublaslt *out);

#endif
