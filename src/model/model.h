/* A pretrained model on disk: a Hugging Face folder or a GGUF file, as hyper-parameters and named weights.
 *
 * Opening reads descriptions only (config.json and index, or the GGUF header). Weight files are mapped when a weight
 * in them is first read, so a rank touches only the shards of its own layers. Nothing here is collective. */
#ifndef STAC_MODEL_MODEL_H
#define STAC_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"
#include "base/status.h"
#include "model/hparams.h"

/* What a weight is for. Shapes as stac_model_read gives them: matrices are input-major, [inputs][outputs], row-major.
 * q = n_head * head_dim, kv = n_head_kv * head_dim. */
enum stac_weight {
    STAC_W_TOKEN_EMBD,      /* [n_vocab][n_embd] (a table: one row a token) */
    STAC_W_POSITION_EMBD,   /* [n_ctx][n_embd], learned positions only */
    STAC_W_ATTN_NORM,       /* [n_embd] */
    STAC_W_ATTN_NORM_BIAS,  /* [n_embd], optional */
    STAC_W_Q,               /* [n_embd][q] */
    STAC_W_Q_BIAS,          /* [q], optional */
    STAC_W_K,               /* [n_embd][kv] */
    STAC_W_K_BIAS,          /* [kv], optional */
    STAC_W_V,               /* [n_embd][kv] */
    STAC_W_V_BIAS,          /* [kv], optional */
    STAC_W_O,               /* [q][n_embd] */
    STAC_W_O_BIAS,          /* [n_embd], optional */
    STAC_W_MLP_NORM,        /* [n_embd] */
    STAC_W_MLP_NORM_BIAS,   /* [n_embd], optional */
    STAC_W_GATE,            /* [n_embd][n_ff], gated models only */
    STAC_W_UP,              /* [n_embd][n_ff] */
    STAC_W_UP_BIAS,         /* [n_ff], optional */
    STAC_W_DOWN,            /* [n_ff][n_embd] */
    STAC_W_DOWN_BIAS,       /* [n_embd], optional */
    STAC_W_FINAL_NORM,      /* [n_embd] */
    STAC_W_FINAL_NORM_BIAS, /* [n_embd], optional */
    STAC_W_HEAD,            /* [n_embd][n_vocab]; of a tied model the embedding, transposed */
    STAC_W_COUNT
};

struct stac_model;

/* Open the model at `path`: a folder with config.json and safetensors, or a GGUF file. *out is owned by the caller.
 * STAC_ERR_INPUT names the file and what is wrong with it: unknown architecture, an unsupported value, heads that do
 * not divide the width, a tensor missing, unknown or of a wrong shape, a missing shard, a malformed or truncated file. */
int stac_model_open(const char *path, struct stac_model **out, struct stac_error *err);
void stac_model_close(struct stac_model *m); /* accepts NULL */

const struct stac_hparams *stac_model_hparams(const struct stac_model *m); /* borrowed, lives as long as m */
const char *stac_model_path(const struct stac_model *m);                   /* borrowed */

/* Whether the weight exists; a tied model has a head. `layer` is 0 for weights outside the blocks. */
bool stac_model_has(const struct stac_model *m, enum stac_weight weight, int layer);

/* Number of float32 values of a weight; 0 when it does not exist. */
size_t stac_model_count(const struct stac_model *m, enum stac_weight weight, int layer);

/* Read a weight as float32 into out[stac_model_count()], converting its format and layout. Values are checked to be
 * finite. Opens the shard that holds it if it is not open yet, and then checks the shapes of all weights in it. */
int stac_model_read(struct stac_model *m, enum stac_weight weight, int layer, float *out, struct stac_error *err);

/* Bytes on disk of all weights of a block: what the partition over ranks balances. Of a sharded folder, whose shards
 * need not be open, the number of values times the bytes of config.json's dtype: the same figure on every rank. */
size_t stac_model_layer_bytes(const struct stac_model *m, int layer);

/* SHA-256 over the content of all weight files (in the order of their names) and, for a folder, of config.json:
 * the identity of the model. Reads every byte. */
int stac_model_digest(struct stac_model *m, char hex[STAC_SHA256_HEX], struct stac_error *err);

#endif
