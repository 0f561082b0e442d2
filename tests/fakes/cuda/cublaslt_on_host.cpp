/* MOCK of cuBLASLt beside that of CUDA's runtime: products on the processor, summed from the last input to the first, so that
 * they have not the bits of ours. What it does not take, and says so: bfloat16 where a leading dimension is odd. Environment:
 * CUBLASLT_ON_HOST_ABSENT, there is no cuBLASLt; CUBLASLT_ON_HOST_FAIL, products fail. */
#include <stdlib.h>

#include <vector>

#include "kernels/cuda/cublaslt.h"

static const int SUCCESS = CUBLASLT_SUCCESS, INVALID = 7, NOT_SUPPORTED = 15, FAILED = 13;

struct cublaslt_context {
    int none;
};
struct cublaslt_operation {
    int compute, scale;
};
struct cublaslt_matrix {
    int type;
    uint64_t rows, columns;
    int64_t ld;
};
struct cublaslt_wishes {
    size_t workspace;
};

template <typename T> static int destroy(T *what) {
    delete what;
    return SUCCESS;
}

static int create(cublaslt_handle *handle) {
    *handle = new cublaslt_context();
    return SUCCESS;
}

static int desc_create(cublaslt_desc *desc, int compute, int scale) {
    *desc = new cublaslt_operation{compute, scale};
    return SUCCESS;
}

static int layout_create(cublaslt_layout *layout, int type, uint64_t rows, uint64_t columns, int64_t ld) {
    if (ld < (int64_t)rows) return INVALID;
    *layout = new cublaslt_matrix{type, rows, columns, ld};
    return SUCCESS;
}

static int preference_create(cublaslt_preference *preference) {
    *preference = new cublaslt_wishes();
    return SUCCESS;
}

static int preference_set(cublaslt_preference preference, int attribute, const void *value, size_t bytes) {
    if (attribute != CUBLASLT_WORKSPACE || bytes != sizeof preference->workspace) return INVALID;
    memcpy(&preference->workspace, value, bytes);
    return SUCCESS;
}

static int propose(cublaslt_handle, cublaslt_desc desc, cublaslt_layout a, cublaslt_layout b, cublaslt_layout c,
                   cublaslt_layout d, cublaslt_preference, int wanted, struct cublaslt_proposal *out, int *n) {
    *n = 0;
    if (wanted < 1 || desc->compute != CUBLASLT_SUMS_OF_FLOATS || desc->scale != CUBLASLT_FLOAT) return INVALID;
    if (a->columns != b->rows || a->rows != c->rows || b->columns != c->columns || a->type != b->type ||
        c->type != CUBLASLT_FLOAT || d->type != CUBLASLT_FLOAT)
        return INVALID;
    if (a->type == CUBLASLT_BF16 && a->ld % 2) return NOT_SUPPORTED;
    *out = {};
    *n = 1;
    return SUCCESS;
}

/* A matrix of the device as floats, by columns without gaps. */
static int fetch(const void *there, const cublaslt_matrix *l, std::vector<float> &out, cudaStream_t stream) {
    size_t size = l->type == CUBLASLT_BF16 ? sizeof(uint16_t) : sizeof(float);
    std::vector<unsigned char> raw(((l->columns - 1) * (size_t)l->ld + l->rows) * size);
    if (cudaMemcpyAsync(raw.data(), there, raw.size(), cudaMemcpyDeviceToHost, stream) != cudaSuccess) return FAILED;
    out.resize(l->rows * l->columns);
    for (size_t j = 0; j < l->columns; j++)
        for (size_t i = 0; i < l->rows; i++) {
            uint32_t bits = 0; /* a bfloat16 is the upper half of a float */
            memcpy((char *)&bits + (sizeof bits - size), raw.data() + (j * (size_t)l->ld + i) * size, size);
            memcpy(&out[j * l->rows + i], &bits, sizeof bits);
        }
    return SUCCESS;
}

static int multiply(cublaslt_handle, cublaslt_desc, const void *alpha, const void *a, cublaslt_layout la, const void *b,
                    cublaslt_layout lb, const void *beta, const void *c, cublaslt_layout lc, void *d, cublaslt_layout ld,
                    const void *, void *, size_t, cudaStream_t stream) {
    std::vector<float> x, y, z;
    float scale, old;
    memcpy(&scale, alpha, sizeof scale);
    memcpy(&old, beta, sizeof old);
    if (getenv("CUBLASLT_ON_HOST_FAIL")) return FAILED;
    if (fetch(a, la, x, stream) != SUCCESS || fetch(b, lb, y, stream) != SUCCESS || fetch(c, lc, z, stream) != SUCCESS)
        return FAILED;
    std::vector<float> sum(la->rows);
    for (size_t j = 0; j < lb->columns; j++) {
        sum.assign(la->rows, 0);
        for (size_t l = la->columns; l-- > 0;)
            for (size_t i = 0; i < la->rows; i++) sum[i] += x[l * la->rows + i] * y[j * lb->rows + l];
        for (size_t i = 0; i < la->rows; i++) sum[i] = scale * sum[i] + (old != 0 ? old * z[j * lc->rows + i] : 0);
        if (cudaMemcpyAsync((float *)d + j * (size_t)ld->ld, sum.data(), la->rows * sizeof(float), cudaMemcpyHostToDevice,
                            stream) != cudaSuccess)
            return FAILED;
    }
    return SUCCESS;
}

const char *cublaslt_load(struct cublaslt *c) {
    if (getenv("CUBLASLT_ON_HOST_ABSENT")) return "cuBLASLt cannot be loaded: it is absent";
    *c = {create,
          destroy<cublaslt_context>,
          desc_create,
          destroy<cublaslt_operation>,
          layout_create,
          destroy<cublaslt_matrix>,
          preference_create,
          destroy<cublaslt_wishes>,
          preference_set,
          propose,
          multiply};
    return NULL;
}
