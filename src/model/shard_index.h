/* model.safetensors.index.json: which tensor lies in which shard. The file is untrusted, its shard names above all. */
#ifndef STAC_MODEL_SHARD_INDEX_H
#define STAC_MODEL_SHARD_INDEX_H

#include <stddef.h>

#include "base/json.h"
#include "base/status.h"

struct stac_shard_index {
    json_t *json;       /* owns the names below */
    const char **files; /* shard file names, sorted, each once */
    size_t n_files;
    struct stac_shard_entry {
        const char *tensor;
        size_t file; /* index into files */
    } * entries;
    size_t n;
};

/* Zero-initialise; release with _clean, also after a failure. */
int stac_shard_index_read(const char *path, struct stac_shard_index *index, struct stac_error *err);
void stac_shard_index_clean(struct stac_shard_index *index);

#endif
