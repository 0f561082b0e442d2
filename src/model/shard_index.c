#include "model/shard_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/json_bound.h"
#include "model/name_index.h"

#define MAX_BYTES ((size_t)64 << 20)
#define MAX_TENSORS 65536
#define MAX_FILES 4096

/* A plain file name that ends in .safetensors: no folder, nothing hidden. */
static bool is_shard_name(const char *name) {
    static const char suffix[] = ".safetensors";
    size_t n = strlen(name), m = sizeof suffix - 1;
    return n > m && n < 256 && strcmp(name + n - m, suffix) == 0 && name[0] != '.' && !strchr(name, '/') &&
           !strchr(name, '\\') && stac_name_is_clean(name, n);
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The sorted list of shard names without repetitions. */
static int list_files(struct stac_shard_index *index, json_t *map, struct stac_error *err) {
    const char *tensor;
    json_t *value;
    size_t n = 0;
    STAC_TRY(STAC_NEW(index->files, index->n, "shard names", err));
    json_object_foreach(map, tensor, value) {
        const char *file = json_string_value(value);
        if (!stac_tensor_name_is_clean(tensor))
            return stac_fail(err, STAC_ERR_INPUT, "a tensor name is empty, too long or has control characters");
        if (!file) return stac_fail(err, STAC_ERR_INPUT, "the shard of tensor %s is not a text", tensor);
        if (!is_shard_name(file))
            return stac_fail(err, STAC_ERR_INPUT, "the shard of tensor %s is not a plain file name that ends in .safetensors",
                             tensor);
        index->files[n++] = file;
    }
    qsort(index->files, n, sizeof *index->files, compare_texts);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(index->files[index->n_files - 1], index->files[i]) != 0)
            index->files[index->n_files++] = index->files[i];
    if (index->n_files > MAX_FILES)
        return stac_fail(err, STAC_ERR_INPUT, "%zu shards are more than the %d accepted", index->n_files, MAX_FILES);
    return STAC_OK;
}

static int list_entries(struct stac_shard_index *index, json_t *map, struct stac_error *err) {
    const char *tensor;
    json_t *value;
    size_t n = 0;
    STAC_TRY(STAC_NEW(index->entries, index->n, "tensor names", err));
    json_object_foreach(map, tensor, value) {
        const char *file = json_string_value(value);
        const char **found = bsearch(&file, index->files, index->n_files, sizeof *index->files, compare_texts);
        index->entries[n++] = (struct stac_shard_entry){tensor, (size_t)(found - index->files)};
    }
    return STAC_OK;
}

static int fill(struct stac_shard_index *index, struct stac_error *err) {
    json_t *map = json_object_get(index->json, "weight_map");
    if (!json_is_object(map)) return stac_fail(err, STAC_ERR_INPUT, "\"weight_map\" is missing or not an object");
    index->n = json_object_size(map);
    if (index->n == 0 || index->n > MAX_TENSORS)
        return stac_fail(err, STAC_ERR_INPUT, "\"weight_map\" lists %zu tensors; 1 to %d are accepted", index->n, MAX_TENSORS);
    STAC_TRY(list_files(index, map, err));
    return list_entries(index, map, err);
}

int stac_shard_index_read(const char *path, struct stac_shard_index *index, struct stac_error *err) {
    char *text;
    size_t size;
    STAC_TRY(stac_file_read(path, MAX_BYTES, &text, &size, err));
    int status = stac_json_parse_bounded(path, text, size, 4 * MAX_TENSORS, &index->json, err);
    free(text);
    STAC_TRY(status);
    return fill(index, err) == STAC_OK ? STAC_OK : stac_fail_in(err, "%s", path);
}

void stac_shard_index_clean(struct stac_shard_index *index) {
    json_decref(index->json);
    free(index->files);
    free(index->entries);
    *index = (struct stac_shard_index){0};
}
