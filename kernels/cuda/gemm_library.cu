#include "kernels/cuda/gemm_library.cuh"

#include <stdio.h>
#include <string.h>

#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

enum {
    FEWEST_ROWS = STAC_LIBRARY_ROWS,
    WORKSPACE = 32 << 20,   /* bytes for the library, as much as it likes on this hardware */
    ACTIVATIONS = 64 << 20, /* bytes for them in bfloat16 */
    PLANS = 64,
    THREADS = 256
};

/* A kind of product, and how the library does it. Its matrices go by columns, so it computes the transpose: y' = w' x'. */
struct shape {
    int m, n, k, ldx, ldw, ldy, type;
};
struct plan {
    struct shape shape;
    cublaslt_layout w, x, y;
    struct cublaslt_proposal how;
    bool possible;
};

static struct {
    struct cublaslt lt;
    cublaslt_handle handle;
    cublaslt_desc desc;
    cublaslt_preference preference;
    void *workspace;
    uint16_t *activations; /* in bfloat16: n_parts matrices */
    int n_parts;
    struct plan plans[PLANS];
    int n_plans; /* made so far; the oldest one makes room */
    char failure[64];
} library;

/* Remember the first failure of a call. */
static bool ok(int code, const char *call) {
    if (code != CUBLASLT_SUCCESS && !*library.failure)
        snprintf(library.failure, sizeof library.failure, "cuBLASLt: %s fails with %d", call, code);
    return code == CUBLASLT_SUCCESS;
}

const char *stac_library_failure(void) {
    return *library.failure ? library.failure : NULL;
}

const char *stac_library_open(int parts) {
    const size_t bytes = WORKSPACE;
    library.n_parts = parts;
    const char *why = library.handle ? NULL : cublaslt_load(&library.lt);
    if (why || library.handle) return why;
    const struct cublaslt *lt = &library.lt;
    if (cudaMalloc(&library.workspace, WORKSPACE) != cudaSuccess ||
        cudaMalloc((void **)&library.activations, ACTIVATIONS) != cudaSuccess) {
        cudaGetLastError();
        stac_library_close();
        return "no memory for the workspace of cuBLASLt";
    }
    if (ok(lt->create(&library.handle), "cublasLtCreate") &&
        ok(lt->desc_create(&library.desc, CUBLASLT_SUMS_OF_FLOATS, CUBLASLT_FLOAT), "cublasLtMatmulDescCreate") &&
        ok(lt->preference_create(&library.preference), "cublasLtMatmulPreferenceCreate"))
        ok(lt->preference_set(library.preference, CUBLASLT_WORKSPACE, &bytes, sizeof bytes), "cublasLtMatmulPreferenceSetAttribute");
    return stac_library_failure();
}

static void clean_plan(struct plan *p) {
    if (p->w) library.lt.layout_destroy(p->w);
    if (p->x) library.lt.layout_destroy(p->x);
    if (p->y) library.lt.layout_destroy(p->y);
    *p = {};
}

void stac_library_close(void) {
    const struct cublaslt *lt = &library.lt;
    for (int i = 0; i < PLANS; i++) clean_plan(&library.plans[i]);
    if (library.preference) lt->preference_destroy(library.preference);
    if (library.desc) lt->desc_destroy(library.desc);
    if (library.handle) lt->destroy(library.handle);
    cudaFree(library.workspace);
    cudaFree(library.activations);
    library = {};
}

/* ---- plans ---------------------------------------------------------------------------------------------------------- */

static void make_plan(struct plan *p, const struct shape *s) {
    const struct cublaslt *lt = &library.lt;
    int n = 0;
    p->shape = *s;
    if (!ok(lt->layout_create(&p->w, s->type, (uint64_t)s->n, (uint64_t)s->k, s->ldw), "cublasLtMatrixLayoutCreate") ||
        !ok(lt->layout_create(&p->x, s->type, (uint64_t)s->k, (uint64_t)s->m, s->ldx), "cublasLtMatrixLayoutCreate") ||
        !ok(lt->layout_create(&p->y, CUBLASLT_FLOAT, (uint64_t)s->n, (uint64_t)s->m, s->ldy), "cublasLtMatrixLayoutCreate"))
        return;
    int code = lt->propose(library.handle, library.desc, p->w, p->x, p->y, p->y, library.preference, 1, &p->how, &n);
    p->possible = code == CUBLASLT_SUCCESS && n > 0; /* odd shapes that it does not take stay ours */
}

static struct plan *plan_for(const struct shape *s) {
    for (int i = 0; i < PLANS; i++)
        if (memcmp(&library.plans[i].shape, s, sizeof *s) == 0) return &library.plans[i];
    struct plan *p = &library.plans[library.n_plans++ % PLANS];
    clean_plan(p);
    make_plan(p, s);
    return p;
}

/* y = x w, or onto y. */
static void multiply(const struct plan *p, const void *x, const void *w, bool onto, float *y) {
    const float one = 1, beta = onto ? 1 : 0;
    ok(library.lt.multiply(library.handle, library.desc, &one, w, p->w, x, p->x, &beta, y, p->y, y, p->y, p->how.algorithm,
                           library.workspace, WORKSPACE, stac_cuda_stream),
       "cublasLtMatmul");
}

/* ---- products ------------------------------------------------------------------------------------------------------- */

int stac_library_f32(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy) {
    struct shape s = {m, n, k, ldx, ldw, ldy, CUBLASLT_FLOAT};
    if (!library.handle || m < FEWEST_ROWS || n < 1 || k < 1) return 0;
    const struct plan *p = plan_for(&s);
    if (!p->possible) return 0;
    stac_queue_start();
    multiply(p, x, w, false, y);
    return m;
}

/* The nearest bfloat16, ties to even, of what is finite or infinite; NaN stays one. */
static __device__ inline uint16_t narrowed(float x) {
    unsigned bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Values as sums of two, or rounded (rest == NULL); what has no finite nearest number has no rest. */
static __global__ void split(int m, int k, const float *x, int ldx, uint16_t *nearest, uint16_t *rest) {
    int at = (int)(blockIdx.x * blockDim.x + threadIdx.x), row = (int)blockIdx.y;
    if (at >= k || row >= m) return;
    float value = x[(size_t)row * ldx + at];
    uint16_t first = narrowed(value);
    float left = value - __uint_as_float((unsigned)first << 16);
    nearest[(size_t)row * k + at] = first;
    if (rest) rest[(size_t)row * k + at] = fabsf(left) < INFINITY ? narrowed(left) : 0;
}

int stac_library_bf16(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy) {
    enum { MOST_ROWS = 32768 }; /* of a launch */
    if (!library.handle || n < 1 || k < 1) return 0;
    size_t room = ACTIVATIONS / ((size_t)library.n_parts * sizeof(uint16_t)) / (size_t)k;
    int at_once = room < MOST_ROWS ? (int)room : MOST_ROWS, done = 0;
    if (at_once < FEWEST_ROWS) return 0;
    uint16_t *nearest = library.activations, *rest = library.n_parts > 1 ? nearest + (size_t)at_once * (size_t)k : NULL;
    while (m - done >= FEWEST_ROWS) {
        int rows = m - done < at_once ? m - done : at_once;
        struct shape s = {rows, n, k, k, ldw, ldy, CUBLASLT_BF16};
        const struct plan *p = plan_for(&s);
        if (!p->possible) break;
        LAUNCH(split, dim3(blocks_of(k, THREADS), rows), THREADS, 0, rows, k, x + (size_t)done * ldx, ldx, nearest, rest);
        stac_queue_start();
        multiply(p, nearest, w, false, y + (size_t)done * ldy);
        if (rest) multiply(p, rest, w, true, y + (size_t)done * ldy);
        done += rows;
    }
    return done;
}
