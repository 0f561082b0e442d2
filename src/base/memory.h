/* Memory: checked, zeroed, 64-byte aligned allocation with a label for the error text. */
#ifndef STAC_BASE_MEMORY_H
#define STAC_BASE_MEMORY_H

#include <stddef.h>

#include "base/status.h"

/* n * size bytes, zeroed, 64-byte aligned, to be freed with free(). n * size == 0 gives a valid unique pointer.
 * NULL with STAC_ERR_MEMORY in err when the product overflows or the memory is not to be had. */
void *stac_alloc(size_t n, size_t size, const char *what, struct stac_error *err);

/* p = new array of n elements of *p, owned by the caller. An expression: STAC_OK or STAC_ERR_MEMORY. */
#define STAC_NEW(p, n, what, err)                                                                                              \
    (((p) = stac_alloc((size_t)(n), sizeof *(p), (what), (err))) != NULL ? STAC_OK : STAC_ERR_MEMORY)

/* Grow *p (capacity *cap elements of `size` bytes) so that it holds at least `need` elements, amortised doubling.
 * On failure *p and *cap stay as they were. New elements are zeroed. */
int stac_grow(void *p, size_t *cap, size_t need, size_t size, const char *what, struct stac_error *err);

/* The first n bytes of a block, the rest of which is given back; `p` is gone. Never fails. */
void *stac_shrink(void *p, size_t n);

/* Own copy of a string. */
char *stac_strdup(const char *s, struct stac_error *err);

/* Largest resident set of this process so far, in bytes. */
size_t stac_peak_memory(void);

#endif
