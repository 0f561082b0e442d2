/* Names of a file, sorted: duplicates are found and look-ups made in O(log n) whatever names a file chooses. */
#ifndef STAC_MODEL_NAME_INDEX_H
#define STAC_MODEL_NAME_INDEX_H

#include <stdbool.h>
#include <stddef.h>

struct stac_name {
    const char *text; /* borrowed, need not be NUL-terminated */
    size_t size;
    size_t at; /* what the name stands for: an index into the caller's array */
};

/* Sort in place. Returns a name that occurs twice, or NULL. */
const struct stac_name *stac_names_sort(struct stac_name *names, size_t n);

/* Look up a NUL-terminated text among sorted names; NULL: none. */
const struct stac_name *stac_names_find(const struct stac_name *names, size_t n, const char *text);

/* Whether a name from a file is fit to be shown: not empty and free of control characters; a tensor's name also of at
 * most 255 bytes, so that an error line has room for more than the name. */
bool stac_name_is_clean(const char *text, size_t size);
bool stac_tensor_name_is_clean(const char *name);

#endif
