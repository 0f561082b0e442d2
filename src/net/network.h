/* The transformer: weights and sites of a range of layers. Read-only while it runs; what changes lives in the cache and
 * in the run. The same structure serves the original model, the folded one that is calibrated, and the spiking one. */
#ifndef STAC_NET_NETWORK_H
#define STAC_NET_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "kernels/device.h"
#include "model/model.h"
#include "net/site.h"

/* y = x W + bias, as float, as bfloat16, or as int8 with a scale per output: W[i][j] = scale[j] * q[i][j]. */
struct stac_linear {
    int n_in, n_out;
    float *w;       /* [n_in][n_out], or NULL */
    uint16_t *half; /* [n_in][n_out] the same in bfloat16, in place of w, or NULL */
    int8_t *q;      /* [n_in][n_out], or NULL */
    float *scale;   /* [n_out] with q */
    float *bias;    /* [n_out], or NULL */
};

/* One block; linears feed on the sites of the same index: q, k, v are one product, so are gate and up. */
struct stac_block {
    float *attn_norm, *attn_norm_bias; /* [n_embd] or NULL: no gain, no bias */
    struct stac_linear qkv;            /* [n_embd][q + 2 kv] */
    struct stac_linear o;              /* [q][n_embd] */
    float *mlp_norm, *mlp_norm_bias;
    struct stac_linear up;   /* [n_embd][n_ff], gated: [n_embd][2 n_ff], gate first */
    struct stac_linear down; /* [n_ff][n_embd] */
    float *k_mean;  /* [kv] taken from keys before they become int8: q k_mean is the same for all keys, softmax drops it */
    float *v_scale; /* [kv] value of 1 in the int8 cache of v; NULL: the cache is float */
    struct stac_site site[STAC_SITE_HEAD_IN];
};

/* A network on a device that has room for one block only (net/placed.h). */
struct stac_stream {
    size_t at, room; /* where in `placed` the block is, and its room; bytes */
    int layer;       /* the one that is there; -1: none */
};

struct stac_network {
    struct stac_hparams hp;
    int first, last;          /* layers [first, last) are here */
    float *token_embd;        /* [n_vocab][n_embd], on the first stage, else NULL */
    float *position_embd;     /* [n_ctx][n_embd], likewise, or NULL */
    struct stac_block *block; /* [last - first] */
    bool has_head;            /* the last stage: final norm and head are here */
    float *final_norm, *final_norm_bias;
    struct stac_site head_in;
    struct stac_linear head; /* [n_embd][n_vocab] */
    int hadamard;            /* order of the transform on the hidden activation; 0: none */

    /* A stored network is not copied: integer weights and embeddings point into this, which cannot be written to. Ranks of a
     * machine share its pages. */
    struct stac_mapping stored;

    /* Where it runs, and what it was placed there as one piece (net/placed.h). NULL: on the processor, from the host's memory.
     */
    const struct stac_device *device; /* borrowed */
    const struct stac_network *host;  /* borrowed: what was placed; NULL: nothing */
    void *placed;
    struct stac_stream *stream; /* owned; NULL: all blocks are there */
};

/* Part of a network: a stage. */
struct stac_part {
    int first, last; /* layers [first, last) */
    bool embedding, head;
};

/* The original weights of a part of a model, no site spiking: as float32, which can be folded and trained; or `to_run` only,
 * where products whose weights are all bfloat16 keep them so. Not collective; reads only what it needs. */
int stac_network_load(struct stac_model *model, struct stac_part part, bool to_run, struct stac_network *net,
                      struct stac_error *err);

/* An empty network of that shape: sites described, no weights. */
int stac_network_init(struct stac_network *net, const struct stac_hparams *hp, struct stac_part part, struct stac_error *err);
void stac_network_clean(struct stac_network *net);

/* Release the embedding alone. */
void stac_network_drop_embedding(struct stac_network *net);

/* Widths. */
int stac_q_width(const struct stac_hparams *hp);
int stac_kv_width(const struct stac_hparams *hp);

/* Bytes of float32 weights of a block, of the embeddings and of the head: what stages are balanced by. */
double stac_block_bytes(const struct stac_hparams *hp);
double stac_embedding_bytes(const struct stac_hparams *hp);
double stac_head_bytes(const struct stac_hparams *hp);

/* Whether keys and values of its layers are kept in 8 bits. */
bool stac_network_keeps_int8(const struct stac_network *net);

/* Inputs of the linear that a kind of site feeds, 0 for q and p; and that linear itself, or NULL. */
int stac_site_inputs(const struct stac_hparams *hp, enum stac_site_kind kind);
const struct stac_linear *stac_site_linear(const struct stac_network *net, const struct stac_site *site);

/* Sites of this part: those of its blocks, seven each, and the head's, which is NULL where the head is elsewhere. */
int stac_network_sites(const struct stac_network *net);
const struct stac_site *stac_network_site(const struct stac_network *net, int index);

void stac_linear_clean(struct stac_linear *l);

#endif
