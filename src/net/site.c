#include "net/site.h"

#include <stdlib.h>

const char *stac_site_name(enum stac_site_kind kind) {
    static const char *const names[] = {
        [STAC_SITE_ATTN_IN] = "attn_in", [STAC_SITE_Q] = "q",           [STAC_SITE_P] = "p",
        [STAC_SITE_O_IN] = "o_in",       [STAC_SITE_MLP_IN] = "mlp_in", [STAC_SITE_DOWN_IN] = "down_in",
        [STAC_SITE_HEAD_IN] = "head_in",
    };
    return names[kind];
}

const char *stac_rest_name(enum stac_rest_kind kind) {
    static const char *const names[] = {
        [STAC_REST_NORM] = "norm",         [STAC_REST_SOFTMAX] = "softmax",     [STAC_REST_ACTIVATION] = "activation",
        [STAC_REST_GATE] = "gate",         [STAC_REST_ROPE] = "rope",           [STAC_REST_RESIDUAL] = "residual",
        [STAC_REST_HADAMARD] = "hadamard", [STAC_REST_EMBEDDING] = "embedding", [STAC_REST_CACHE] = "cache",
        [STAC_REST_ROOT] = "root",
    };
    return names[kind];
}

void stac_counts_add(struct stac_counts *to, const struct stac_counts *from) {
    int64_t *sum = (int64_t *)to;
    const int64_t *more = (const int64_t *)from;
    for (size_t i = 0; i < STAC_COUNT_FIELDS; i++) sum[i] += more[i];
}

void stac_site_clean(struct stac_site *site) {
    free(site->mean);
    site->mean = NULL;
    stac_code_clean(&site->code);
}
