/* model.safetensors.index.json: shard names that stay in their folder, each once, and a shard for every tensor. */
#include <string.h>

#include "harness.h"
#include "model/shard_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stac_error err = {0};
    struct stac_shard_index index = {0};
    if (fuzz_accepted(stac_shard_index_read(fuzz_file(0, data, size), &index, &err), &err)) {
        PROMISE(index.n > 0 && index.n_files > 0 && index.n_files <= index.n && index.n < size);
        for (size_t i = 0; i < index.n_files; i++) {
            PROMISE(*index.files[i] && *index.files[i] != '.' && !strchr(index.files[i], '/'));
            PROMISE(i == 0 || strcmp(index.files[i - 1], index.files[i]) < 0);
        }
        for (size_t i = 0; i < index.n; i++) PROMISE(*index.entries[i].tensor && index.entries[i].file < index.n_files);
    }
    stac_shard_index_clean(&index);
    return 0;
}
