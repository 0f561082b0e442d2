#include "kernels/cuda/cublaslt.h"

#ifndef STAC_CUDA_ON_HOST

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
static_assert(CUBLASLT_SUCCESS == (int)CUBLAS_STATUS_SUCCESS && CUBLASLT_FLOAT == (int)CUDA_R_32F && CUBLASLT_BF16 == (int)CUDA_R_16BF &&
                  CUBLASLT_SUMS_OF_FLOATS == (int)CUBLAS_COMPUTE_32F &&
                  CUBLASLT_WORKSPACE == (int)CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
              "constants of cublasLt.h");
static_assert(sizeof(struct cublaslt_proposal) == sizeof(cublasLtMatmulHeuristicResult_t) &&
                  sizeof(cublaslt_proposal::algorithm) == sizeof(cublasLtMatmulAlgo_t) &&
                  offsetof(cublaslt_proposal, workspace) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) &&
                  offsetof(cublaslt_proposal, state) == offsetof(cublasLtMatmulHeuristicResult_t, state),
              "structures of cublasLt.h");
#endif

static void *open_library(void) {
    static const char *const names[] = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"};
    const char *named = getenv("STAC_CUBLASLT_LIBRARY");
    if (named && *named) return dlopen(named, RTLD_NOW | RTLD_LOCAL);
    void *library = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}

static bool find(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

const char *cublaslt_load(struct cublaslt *c) {
    static char why[256];
    void *l = open_library();
    if (!l) {
        snprintf(why, sizeof why, "cuBLASLt cannot be loaded: %s", dlerror());
        return why;
    }
    bool found = find(l, "cublasLtCreate", &c->create) && find(l, "cublasLtDestroy", &c->destroy) &&
                 find(l, "cublasLtMatmulDescCreate", &c->desc_create) && find(l, "cublasLtMatmulDescDestroy", &c->desc_destroy) &&
                 find(l, "cublasLtMatrixLayoutCreate", &c->layout_create) &&
                 find(l, "cublasLtMatrixLayoutDestroy", &c->layout_destroy) &&
                 find(l, "cublasLtMatmulPreferenceCreate", &c->preference_create) &&
                 find(l, "cublasLtMatmulPreferenceDestroy", &c->preference_destroy) &&
                 find(l, "cublasLtMatmulPreferenceSetAttribute", &c->preference_set) &&
                 find(l, "cublasLtMatmulAlgoGetHeuristic", &c->propose) && find(l, "cublasLtMatmul", &c->multiply);
    return found ? NULL : "this cuBLASLt is not of CUDA 11 to 13";
}

#endif
