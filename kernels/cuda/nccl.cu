#include "kernels/cuda/nccl.h"

#ifndef STAC_CUDA_ON_HOST

#include "kernels/cuda/library.h"

const char *nccl_load(struct nccl *n) {
    static const char *const names[] = {"libnccl.so.2"};
    static char why[256];
    void *library = open_library("STAC_NCCL_LIBRARY", names, sizeof names / sizeof *names);
    if (!library) {
        snprintf(why, sizeof why, "NCCL cannot be loaded: %s", dlerror());
        return why;
    }
    bool found =
        find_symbol(library, "ncclGetUniqueId", &n->get_unique_id) &&
        find_symbol(library, "ncclCommInitRank", &n->comm_init_rank) &&
        find_symbol(library, "ncclCommDestroy", &n->comm_destroy) && find_symbol(library, "ncclCommAbort", &n->comm_abort) &&
        find_symbol(library, "ncclCommGetAsyncError", &n->comm_get_async_error) && find_symbol(library, "ncclSend", &n->send) &&
        find_symbol(library, "ncclRecv", &n->recv) && find_symbol(library, "ncclAllReduce", &n->all_reduce) &&
        find_symbol(library, "ncclGroupStart", &n->group_start) &&
        find_symbol(library, "ncclGroupEnd", &n->group_end) && find_symbol(library, "ncclGetErrorString", &n->get_error_string);
    return found ? NULL : "NCCL is older than 2.7: it cannot send";
}

#endif
