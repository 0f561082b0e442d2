#include "net/batch.h"

#include <stdlib.h>

#include "base/memory.h"

int stac_batch_from_padded(int n_seq, int length, const int32_t *ids, const int8_t *mask, const int32_t *position,
                           const int32_t *begin, struct stac_batch *out, int32_t **storage, int32_t *row_of,
                           struct stac_error *err) {
    size_t cells = (size_t)n_seq * (size_t)length;
    free(*storage);
    *storage = NULL;
    STAC_TRY(STAC_NEW(*storage, 3 * cells, "a batch", err));
    int32_t *token = *storage, *at = token + cells, *slot = at + cells;
    int n = 0;
    for (int s = 0; s < n_seq; s++) {
        int32_t next = begin ? begin[s] : 0;
        for (int i = 0; i < length; i++) {
            size_t cell = (size_t)s * (size_t)length + (size_t)i;
            bool present = !mask || mask[cell] != 0;
            if (row_of) row_of[cell] = present ? n : -1;
            if (!present) continue;
            token[n] = ids[cell];
            at[n] = position ? position[cell] : next;
            slot[n++] = s;
            next++;
        }
    }
    *out = (struct stac_batch){n, token, at, slot};
    return STAC_OK;
}
