/* Libraries that are loaded at run time. */
#ifndef STAC_KERNELS_CUDA_LIBRARY_H
#define STAC_KERNELS_CUDA_LIBRARY_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library that an environment variable names, else the first of these names that is to be had; NULL: none of them. */
static inline void *open_library(const char *variable, const char *const *names, size_t n) {
    const char *named = getenv(variable);
    void *library = NULL;
    if (named && *named) return dlopen(named, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; i < n && !library; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}

/* *function, a pointer to a function, is that of this name; false: there is none. */
static inline bool find_symbol(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

#endif
