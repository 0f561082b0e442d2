/* Sites: the places where an activation feeds a matrix product, and where it is turned into spikes. */
#ifndef STAC_NET_SITE_H
#define STAC_NET_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "spike/code.h"

enum stac_site_kind {
    STAC_SITE_ATTN_IN, /* normalised residual into q, k, v */
    STAC_SITE_Q,       /* queries, after rotary positions, into Q K^T */
    STAC_SITE_P,       /* exp(score - max) into P V */
    STAC_SITE_O_IN,    /* attention output into o */
    STAC_SITE_MLP_IN,  /* normalised residual into gate and up (c_fc) */
    STAC_SITE_DOWN_IN, /* hidden activation into down (c_proj) */
    STAC_SITE_HEAD_IN, /* last normalised residual into the head */
    STAC_SITE_KINDS
};

const char *stac_site_name(enum stac_site_kind kind); /* "attn_in", "q", ... */

/* What the unit of a site's code refers to. */
enum stac_scaling {
    STAC_SCALE_STATIC, /* the activation itself: its scale is fixed by the norm before it */
    STAC_SCALE_TOKEN,  /* the root mean square of the row (of the head's part of it at q), computed per token */
};

struct stac_site {
    enum stac_site_kind kind;
    int layer; /* index in the whole model; 0 for head_in */
    int width; /* values per row; per head at q; at p as many as keys are visible */
    enum stac_scaling scaling;
    bool spiking;          /* has a code: its product is driven by spikes, except in dense runs */
    float *mean;           /* [width] subtracted before coding, or NULL; owned. The product's bias contains W mean. */
    struct stac_code code; /* owned */
};

/* What happened at a site. Spikes are counted as they are emitted. */
struct stac_counts {
    int64_t values;     /* activations encoded */
    int64_t spikes;     /* spikes they sent */
    int64_t acs;        /* weight rows' elements added: spikes times the fan-out each of them had */
    int64_t macs;       /* multiply-accumulates of the dense product */
    int64_t covered;    /* of these, those whose input was spikes */
    int64_t multiplies; /* of outputs by step weights that are no powers of two */
};

#define STAC_COUNT_FIELDS 6 /* they are added up over ranks as an array */

void stac_counts_add(struct stac_counts *to, const struct stac_counts *from);
void stac_site_clean(struct stac_site *site);

#endif
