#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define ALIGNMENT 64
#define HUGE_PAGE ((size_t)2 << 20) /* twice that and more lies on such pages, if the system has them: fewer faults */

void *stac_alloc(size_t n, size_t size, const char *what, struct stac_error *err) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - HUGE_PAGE) {
        stac_fail(err, STAC_ERR_MEMORY, "cannot allocate %s: %zu elements of %zu bytes is more than memory can hold", what, n,
                  size);
        return NULL;
    }
    bool huge = bytes >= 2 * HUGE_PAGE;
    size_t alignment = huge ? HUGE_PAGE : ALIGNMENT;
    size_t rounded = bytes == 0 ? alignment : (bytes + alignment - 1) / alignment * alignment;
    void *p = aligned_alloc(alignment, rounded);
    if (!p) {
        stac_fail(err, STAC_ERR_MEMORY, "cannot allocate %s: %.1f MiB are not to be had", what, (double)bytes / 1048576.0);
        return NULL;
    }
    if (huge) madvise(p, rounded, MADV_HUGEPAGE); /* a wish: nothing depends on it */
    memset(p, 0, rounded);
    return p;
}

int stac_grow(void *p, size_t *cap, size_t need, size_t size, const char *what, struct stac_error *err) {
    if (need <= *cap) return STAC_OK;
    size_t wanted = *cap < 8 ? 8 : *cap;
    while (wanted < need)
        if (__builtin_mul_overflow(wanted, (size_t)2, &wanted)) wanted = need;
    void *bigger = stac_alloc(wanted, size, what, err);
    if (!bigger) return err->status;
    void *old;
    memcpy(&old, p, sizeof old);
    if (old) memcpy(bigger, old, *cap * size);
    free(old);
    memcpy(p, &bigger, sizeof bigger);
    *cap = wanted;
    return STAC_OK;
}

void *stac_shrink(void *p, size_t n) {
    void *less = realloc(p, n);
    return less ? less : p; /* a block that cannot become smaller stays as it is */
}

char *stac_strdup(const char *s, struct stac_error *err) {
    size_t n = strlen(s) + 1;
    char *copy = stac_alloc(n, 1, "a string", err);
    if (copy) memcpy(copy, s, n);
    return copy;
}

size_t stac_peak_memory(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (size_t)usage.ru_maxrss * 1024;
}
