#include "kernels/cuda/cublaslt.h"

#ifndef STAC_CUDA_ON_HOST

#include "kernels/cuda/library.h"

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
static_assert(CUBLASLT_SUCCESS == (int)CUBLAS_STATUS_SUCCESS && CUBLASLT_FLOAT == (int)CUDA_R_32F &&
                  CUBLASLT_BF16 == (int)CUDA_R_16BF && CUBLASLT_SUMS_OF_FLOATS == (int)CUBLAS_COMPUTE_32F &&
                  CUBLASLT_WORKSPACE == (int)CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
              "constants of cublasLt.h");
static_assert(sizeof(struct cublaslt_proposal) == sizeof(cublasLtMatmulHeuristicResult_t) &&
                  sizeof(cublaslt_proposal::algorithm) == sizeof(cublasLtMatmulAlgo_t) &&
                  offsetof(cublaslt_proposal, workspace) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) &&
                  offsetof(cublaslt_proposal, state) == offsetof(cublasLtMatmulHeuristicResult_t, state),
              "structures of cublasLt.h");
#endif

const char *cublaslt_load(struct cublaslt *c) {
    static const char *const names[] = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"};
    static char why[256];
    void *l = open_library("STAC_CUBLASLT_LIBRARY", names, sizeof names / sizeof *names);
    if (!l) {
        snprintf(why, sizeof why, "cuBLASLt cannot be loaded: %s", dlerror());
        return why;
    }
    bool found = find_symbol(l, "cublasLtCreate", &c->create) && find_symbol(l, "cublasLtDestroy", &c->destroy) &&
                 find_symbol(l, "cublasLtMatmulDescCreate", &c->desc_create) &&
                 find_symbol(l, "cublasLtMatmulDescDestroy", &c->desc_destroy) &&
                 find_symbol(l, "cublasLtMatrixLayoutCreate", &c->layout_create) &&
                 find_symbol(l, "cublasLtMatrixLayoutDestroy", &c->layout_destroy) &&
                 find_symbol(l, "cublasLtMatmulPreferenceCreate", &c->preference_create) &&
                 find_symbol(l, "cublasLtMatmulPreferenceDestroy", &c->preference_destroy) &&
                 find_symbol(l, "cublasLtMatmulPreferenceSetAttribute", &c->preference_set) &&
                 find_symbol(l, "cublasLtMatmulAlgoGetHeuristic", &c->propose) &&
                 find_symbol(l, "cublasLtMatmul", &c->multiply);
    return found ? NULL : "this cuBLASLt is not of CUDA 11 to 13";
}

#endif
