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

void stac_counts_add(struct stac_counts *to, const struct stac_counts *from) {
    to->values += from->values;
    to->spikes += from->spikes;
    to->acs += from->acs;
    to->macs += from->macs;
    to->covered += from->covered;
    to->multiplies += from->multiplies;
}

void stac_site_clean(struct stac_site *site) {
    free(site->mean);
    site->mean = NULL;
    stac_code_clean(&site->code);
}
