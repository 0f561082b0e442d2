#include "model/name_index.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
    const struct stac_name *x = a, *y = b;
    size_t shared = x->size < y->size ? x->size : y->size;
    int order = shared ? memcmp(x->text, y->text, shared) : 0;
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

const struct stac_name *stac_names_sort(struct stac_name *names, size_t n) {
    if (n) qsort(names, n, sizeof *names, compare);
    for (size_t i = 1; i < n; i++)
        if (compare(&names[i - 1], &names[i]) == 0) return &names[i];
    return NULL;
}

const struct stac_name *stac_names_find(const struct stac_name *names, size_t n, const char *text) {
    struct stac_name wanted = {.text = text, .size = strlen(text)};
    return n ? bsearch(&wanted, names, n, sizeof *names, compare) : NULL;
}

bool stac_name_is_clean(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return false;
    return size > 0;
}

bool stac_tensor_name_is_clean(const char *name) {
    size_t size = strlen(name);
    return size <= 255 && stac_name_is_clean(name, size);
}
