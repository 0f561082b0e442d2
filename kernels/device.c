#include "kernels/device.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* ---- modules ------------------------------------------------------------------------------------------------------ */

static int fail(const struct stac_device *d, const char *what, const char *why, struct stac_error *err) {
    return stac_fail(err, STAC_ERR_MEMORY, "%s: %s: %s", d->name, what, why);
}

/* The module's file into path; false: there is none. */
static bool find_module(const char *kind, char path[PATH_MAX]) {
    static const char *const beside[] = {"", "kernels/", "../lib/stac/", "../kernels/"};
    const char *named = getenv("STAC_CUDA_MODULE");
    char program[PATH_MAX];
    if (named && *named) {
        snprintf(path, PATH_MAX, "%s", named);
        return true;
    }
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n < 0) return false;
    program[n] = 0;
    const char *folder = dirname(program);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        int size = snprintf(path, PATH_MAX, "%s/%sstac_%s.so", folder, beside[i], kind);
        if (size > 0 && size < PATH_MAX && access(path, R_OK) == 0) return true;
    }
    return false;
}

int stac_device_open(const char *kind, int index, const struct stac_device **out, struct stac_error *err) {
    char path[PATH_MAX];
    if (!find_module(kind, path))
        return stac_fail(err, STAC_ERR_USAGE,
                         "device: %s: this program was built without it (stac_%s.so is neither beside it nor in ../lib/stac): "
                         "build where nvcc is installed, or use device: cpu",
                         kind, kind);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* stays until the process ends */
    if (!module) {
        stac_fail(err, STAC_ERR_USAGE, "device: %s: %s; use device: cpu", kind, dlerror());
        dlerror(); /* lets go of its text */
        return err->status;
    }
    stac_device_open_function *open;
    void *symbol = dlsym(module, STAC_DEVICE_MODULE_OPEN);
    if (!symbol) return stac_fail(err, STAC_ERR_USAGE, "device: %s: %s is no module of STAC", kind, path);
    memcpy(&open, &symbol, sizeof open);
    const char *why = open(index, out);
    if (why) return stac_fail(err, STAC_ERR_USAGE, "device: %s: %s; use device: cpu, or auto", kind, why);
    if ((*out)->layout == STAC_DEVICE_LAYOUT) return STAC_OK;
    stac_device_close(*out);
    return stac_fail(err, STAC_ERR_USAGE, "device: %s: %s belongs to another version of STAC: build it again", kind, path);
}

void stac_device_close(const struct stac_device *d) {
    if (d) d->close();
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

void *stac_device_reserve(const struct stac_device *d, size_t n, size_t size, const char *what, struct stac_error *err) {
    size_t bytes = SIZE_MAX;
    void *p = NULL;
    if (!d) return stac_alloc(n, size, what, err);
    const char *why = __builtin_mul_overflow(n, size, &bytes) ? "more than can be addressed" : d->reserve(bytes, &p);
    if (!why) return p;
    stac_fail(err, STAC_ERR_MEMORY,
              "%s: no %zu bytes for %s (%s): run fewer conversations or a shorter context at once, or more ranks", d->name,
              bytes, what, why);
    return NULL;
}

void stac_device_release(const struct stac_device *d, void *p) {
    if (!d)
        free(p);
    else if (p)
        d->release(p);
}

int stac_device_put(const struct stac_device *d, void *to, const void *from, size_t bytes, struct stac_error *err) {
    const char *why = NULL;
    if (!d)
        memcpy(to, from, bytes);
    else
        why = d->put(to, from, bytes);
    return why ? fail(d, "writing to its memory", why, err) : STAC_OK;
}

int stac_device_get(const struct stac_device *d, void *to, const void *from, size_t bytes, struct stac_error *err) {
    const char *why = NULL;
    if (!d)
        memcpy(to, from, bytes);
    else
        why = d->get(to, from, bytes);
    return why ? fail(d, "reading its memory", why, err) : STAC_OK;
}

int stac_device_clear(const struct stac_device *d, void *p, size_t bytes, struct stac_error *err) {
    const char *why = NULL;
    if (!d)
        memset(p, 0, bytes);
    else
        why = d->clear(p, bytes);
    return why ? fail(d, "clearing its memory", why, err) : STAC_OK;
}

int stac_device_settle(const struct stac_device *d, struct stac_error *err) {
    const char *why = d ? d->settle() : NULL;
    return why ? fail(d, "computing", why, err) : STAC_OK;
}
