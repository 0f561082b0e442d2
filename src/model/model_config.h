/* What the architectures share in reading hyper-parameters: limits, the values of config.json and of GGUF metadata, and
 * the refusal of what the forward pass does not do. */
#ifndef STAC_MODEL_MODEL_CONFIG_H
#define STAC_MODEL_MODEL_CONFIG_H

#include "base/json.h"
#include "base/status.h"
#include "model/gguf.h"
#include "model/hparams.h"

enum { /* the largest sane values; they also keep every product of two of them far from overflow */
       STAC_MAX_LAYERS = 1024,
       STAC_MAX_WIDTH = 1 << 16,
       STAC_MAX_HEADS = 1 << 12,
       STAC_MAX_HEAD_DIM = 1 << 12,
       STAC_MAX_FF = 1 << 20,
       STAC_MAX_VOCAB = 1 << 24,
       STAC_MAX_CONTEXT = 1 << 24,
};

/* ---- config.json ------------------------------------------------------------------------------------------------ */

struct stac_config {
    const json_t *json; /* an object, borrowed */
    const char *path;   /* for the error text, borrowed */
};

/* A whole number from 1 to `high`. */
int stac_config_int(const struct stac_config *c, const char *key, int high, int *out, struct stac_error *err);
int stac_config_int_or(const struct stac_config *c, const char *key, int high, int otherwise, int *out, struct stac_error *err);

/* Values that the forward pass takes for granted. A missing key or null is always accepted. */
struct stac_granted {
    const char *key;
    enum stac_grant { STAC_GRANT_ABSENT, STAC_GRANT_FALSE, STAC_GRANT_TRUE, STAC_GRANT_ONE, STAC_GRANT_DEFAULT } value;
};
int stac_config_check_granted(const struct stac_config *c, const struct stac_granted *granted, size_t n,
                              struct stac_error *err);

/* The failure "KEY is VALUE, which is not supported". */
int stac_config_refuse(const struct stac_config *c, const char *key, struct stac_error *err);

/* One of the activation names of a NULL-ended table; a missing key means the first. */
struct stac_activation_name {
    const char *name;
    enum stac_activation activation;
};
int stac_config_activation(const struct stac_config *c, const char *key, const struct stac_activation_name *names,
                           enum stac_activation *out, struct stac_error *err);

/* bos_token_id (a number or null) and eos_token_id (a number, a list or null). _eos leaves hp as it is when the key is
 * missing, so that generation_config.json can override config.json. */
int stac_config_bos(const struct stac_config *c, struct stac_hparams *hp, struct stac_error *err);
int stac_config_eos(const struct stac_config *c, struct stac_hparams *hp, struct stac_error *err);

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

/* The same for the keys "ARCH.KEY" of a GGUF file. */
struct stac_gguf_config {
    const struct stac_gguf *gguf;
    const char *arch;
};
int stac_gguf_config_int(const struct stac_gguf_config *c, const char *key, int high, int *out, struct stac_error *err);
int stac_gguf_config_int_or(const struct stac_gguf_config *c, const char *key, int high, int otherwise, int *out,
                            struct stac_error *err);
int stac_gguf_config_real_or(const struct stac_gguf_config *c, const char *key, double low, double high, double otherwise,
                             double *out, struct stac_error *err);

/* Refuse any value but the granted one; a missing key is accepted. */
int stac_gguf_config_grant_int(const struct stac_gguf_config *c, const char *key, int64_t granted, struct stac_error *err);
int stac_gguf_config_grant_real(const struct stac_gguf_config *c, const char *key, double granted, struct stac_error *err);
int stac_gguf_config_grant_text(const struct stac_gguf_config *c, const char *key, const char *granted, struct stac_error *err);

/* Size of the vocabulary (the rows of the embedding, which ARCH.vocab_size must confirm), bos and eos. */
int stac_gguf_config_tokens(const struct stac_gguf_config *c, struct stac_hparams *hp, struct stac_error *err);

/* ---- both ------------------------------------------------------------------------------------------------------- */

/* What must hold between the values. */
int stac_hparams_check(const struct stac_hparams *hp, const char *path, struct stac_error *err);

#endif
