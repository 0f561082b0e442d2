#include "kernels/cuda/nccl.h"

#ifndef STAC_CUDA_ON_HOST

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool find(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

const char *nccl_load(struct nccl *n) {
    static char why[256];
    const char *named = getenv("STAC_NCCL_LIBRARY");
    void *library = dlopen(named && *named ? named : "libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(why, sizeof why, "NCCL cannot be loaded: %s", dlerror());
        return why;
    }
    bool found = find(library, "ncclGetUniqueId", &n->get_unique_id) && find(library, "ncclCommInitRank", &n->comm_init_rank) &&
                 find(library, "ncclCommDestroy", &n->comm_destroy) && find(library, "ncclCommAbort", &n->comm_abort) &&
                 find(library, "ncclCommGetAsyncError", &n->comm_get_async_error) && find(library, "ncclSend", &n->send) &&
                 find(library, "ncclRecv", &n->recv) && find(library, "ncclGroupStart", &n->group_start) &&
                 find(library, "ncclGroupEnd", &n->group_end) && find(library, "ncclGetErrorString", &n->get_error_string);
    return found ? NULL : "NCCL is older than 2.7: it cannot send";
}

#endif
