/* Names and fields that writer and reader of snn_model.h5 share. */
#ifndef STAC_STORE_SNN_LAYOUT_H
#define STAC_STORE_SNN_LAYOUT_H

#include <stdio.h>

#include "net/network.h"

/* Integer and real hyper-parameters as attributes of /model, in one list for both directions. */
struct stac_hparam_field {
    const char *name;
    size_t offset;
    enum { STAC_HP_INT, STAC_HP_BOOL, STAC_HP_REAL, STAC_HP_NORM, STAC_HP_ACTIVATION } type;
    int64_t low, high; /* possible integers */
};
const struct stac_hparam_field *stac_hparam_fields(size_t *n);

/* "/block/007/attn_in" or "/head_in", with `/what` appended when it is not NULL. Returns out. */
char *stac_site_path(const struct stac_site *site, const char *what, char out[96]);

/* The same for a layer: "/block/007/what". */
char *stac_layer_path(int layer, const char *what, char out[96]);

#endif
