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

/* Work of the forward pass that is no product and never spikes, by kind. It is counted at the site that it leads to or, for
 * residual additions, comes from. */
enum stac_rest_kind {
    STAC_REST_NORM,       /* values normalised */
    STAC_REST_SOFTMAX,    /* exponentials of scores */
    STAC_REST_ACTIVATION, /* values through the activation function */
    STAC_REST_GATE,       /* products of gate and value */
    STAC_REST_ROPE,       /* values turned by rotary positions */
    STAC_REST_RESIDUAL,   /* additions to the residual stream */
    STAC_REST_HADAMARD,   /* additions of the online transform: log2(order) for each value */
    STAC_REST_EMBEDDING,  /* values read from the tables of tokens and positions */
    STAC_REST_CACHE,      /* values of keys and values turned into int8 */
    STAC_REST_ROOT,       /* roots and divisions: one for a row that is normalised, softmax included */
    STAC_REST_KINDS
};

const char *stac_rest_name(enum stac_rest_kind kind); /* "norm", "softmax", ... */

/* What happened at a site. Spikes are counted as they are emitted; bytes are those of the weights as they lie in memory, at q
 * and p of the cache. Rows of a product that a machine works on together are a batch: all rows of a call of the forward pass,
 * at q and p those of a piece of attention. Both spiking modes count the same: what an event-driven machine does. */
struct stac_counts {
    int64_t values;     /* activations encoded */
    int64_t spikes;     /* spikes they sent */
    int64_t acs;        /* weight rows' elements added: spikes times the fan-out each of them had */
    int64_t macs;       /* multiply-accumulates of the dense product */
    int64_t covered;    /* of these, those whose input was spikes */
    int64_t multiplies; /* of outputs by step weights that are no powers of two */

    int64_t updates; /* of membranes, one a step, of neurons that run in time */
    int64_t lookups; /* of words, by table neurons */
    int64_t scaled;  /* values whose root mean square was taken, for the scale of their row */
    int64_t active;  /* values that sent a spike: weight rows touched. With ST-BIF+ neurons anew at every step */
    int64_t outputs; /* of products; those of spikes are turned back from integers, by their scales */
    int64_t sums;    /* additions of running sums, and of the accumulators of classes where they meet */
    int64_t shifts;  /* of accumulators */

    int64_t touched;  /* bytes of the active rows */
    int64_t fetched;  /* of these, those that a batch reads: each at most once */
    int64_t streamed; /* bytes that a dense product reads for a batch: all */
    int64_t stored;   /* bytes written to the cache */

    int64_t rows_packed, rows_by_events; /* how products were executed, where that is chosen (net/sparse.h) */

    int64_t rest[STAC_REST_KINDS];
};

/* They are added up over ranks as an array of integers. */
#define STAC_COUNT_FIELDS (sizeof(struct stac_counts) / sizeof(int64_t))

void stac_counts_add(struct stac_counts *to, const struct stac_counts *from);
void stac_site_clean(struct stac_site *site);

#endif
