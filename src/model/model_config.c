#include "model/model_config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- config.json ------------------------------------------------------------------------------------------------ */

int stac_config_int(const struct stac_config *c, const char *key, int high, int *out, struct stac_error *err) {
    int64_t n;
    STAC_TRY(stac_json_int(c->json, c->path, key, 1, high, &n, err));
    *out = (int)n;
    return STAC_OK;
}

int stac_config_int_or(const struct stac_config *c, const char *key, int high, int otherwise, int *out,
                       struct stac_error *err) {
    int64_t n;
    STAC_TRY(stac_json_int_or(c->json, c->path, key, 1, high, otherwise, &n, err));
    *out = (int)n;
    return STAC_OK;
}

int stac_config_refuse(const struct stac_config *c, const char *key, struct stac_error *err) {
    char value[64]; /* as much of it as an error line may show */
    size_t size =
        json_dumpb(json_object_get(c->json, key), value, sizeof value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    bool whole = size <= sizeof value;
    return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s\" is %.*s%s, which is not supported", c->path, key,
                     (int)(whole ? size : sizeof value), value, whole ? "" : "...");
}

static bool is_granted(const json_t *v, enum stac_grant value) {
    if (!v || json_is_null(v)) return true;
    switch (value) {
    case STAC_GRANT_FALSE: return json_is_false(v);
    case STAC_GRANT_TRUE: return json_is_true(v);
    case STAC_GRANT_ONE: return json_is_number(v) && json_number_value(v) == 1.0;
    case STAC_GRANT_DEFAULT: return json_is_string(v) && strcmp(json_string_value(v), "default") == 0;
    default: return false;
    }
}

int stac_config_check_granted(const struct stac_config *c, const struct stac_granted *granted, size_t n,
                              struct stac_error *err) {
    for (size_t i = 0; i < n; i++)
        if (!is_granted(json_object_get(c->json, granted[i].key), granted[i].value))
            return stac_config_refuse(c, granted[i].key, err);
    return STAC_OK;
}

int stac_config_activation(const struct stac_config *c, const char *key, const struct stac_activation_name *names,
                           enum stac_activation *out, struct stac_error *err) {
    const char *name;
    STAC_TRY(stac_json_string_or(c->json, c->path, key, names[0].name, &name, err));
    for (; names->name; names++)
        if (strcmp(names->name, name) == 0) {
            *out = names->activation;
            return STAC_OK;
        }
    return stac_config_refuse(c, key, err);
}

int stac_config_bos(const struct stac_config *c, struct stac_hparams *hp, struct stac_error *err) {
    int64_t id;
    STAC_TRY(stac_json_int_or(c->json, c->path, "bos_token_id", 0, STAC_MAX_VOCAB - 1, -1, &id, err));
    hp->bos = (int)id;
    return STAC_OK;
}

int stac_config_eos(const struct stac_config *c, struct stac_hparams *hp, struct stac_error *err) {
    const json_t *eos = json_object_get(c->json, "eos_token_id");
    if (!eos || json_is_null(eos)) return STAC_OK;
    size_t n = json_is_array(eos) ? json_array_size(eos) : 1;
    if (n > STAC_MAX_EOS)
        return stac_fail(err, STAC_ERR_INPUT, "%s: \"eos_token_id\" lists %zu tokens, more than the %d accepted", c->path, n,
                         STAC_MAX_EOS);
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(eos) ? json_array_get(eos, i) : eos;
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= STAC_MAX_VOCAB)
            return stac_fail(err, STAC_ERR_INPUT, "%s: \"eos_token_id\" is neither a token id nor a list of them", c->path);
        hp->eos[i] = (int)json_integer_value(id);
    }
    hp->n_eos = (int)n;
    return STAC_OK;
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

struct key_text {
    char text[128];
};

static struct key_text full_key(const struct stac_gguf_config *c, const char *key) {
    struct key_text k;
    snprintf(k.text, sizeof k.text, "%s.%s", c->arch, key);
    return k;
}

int stac_gguf_config_int(const struct stac_gguf_config *c, const char *key, int high, int *out, struct stac_error *err) {
    int64_t n;
    STAC_TRY(stac_gguf_int(c->gguf, full_key(c, key).text, 1, high, &n, err));
    *out = (int)n;
    return STAC_OK;
}

int stac_gguf_config_int_or(const struct stac_gguf_config *c, const char *key, int high, int otherwise, int *out,
                            struct stac_error *err) {
    int64_t n;
    STAC_TRY(stac_gguf_int_or(c->gguf, full_key(c, key).text, 1, high, otherwise, &n, err));
    *out = (int)n;
    return STAC_OK;
}

int stac_gguf_config_real_or(const struct stac_gguf_config *c, const char *key, double low, double high, double otherwise,
                             double *out, struct stac_error *err) {
    return stac_gguf_real_or(c->gguf, full_key(c, key).text, low, high, otherwise, out, err);
}

int stac_gguf_config_grant_int(const struct stac_gguf_config *c, const char *key, int64_t granted, struct stac_error *err) {
    int64_t n;
    STAC_TRY(stac_gguf_int_or(c->gguf, full_key(c, key).text, INT64_MIN, INT64_MAX, granted, &n, err));
    if (n == granted) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s.%s\" is %" PRId64 ", which is not supported", stac_gguf_path(c->gguf),
                     c->arch, key, n);
}

int stac_gguf_config_grant_real(const struct stac_gguf_config *c, const char *key, double granted, struct stac_error *err) {
    double x;
    STAC_TRY(stac_gguf_config_real_or(c, key, -HUGE_VAL, HUGE_VAL, granted, &x, err));
    if (x == granted) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s.%s\" is %g, which is not supported", stac_gguf_path(c->gguf), c->arch, key,
                     x);
}

int stac_gguf_config_grant_text(const struct stac_gguf_config *c, const char *key, const char *granted,
                                struct stac_error *err) {
    struct stac_gguf_string s;
    STAC_TRY(stac_gguf_string(c->gguf, full_key(c, key).text, &s, err));
    if (!s.data || (s.size == strlen(granted) && memcmp(s.data, granted, s.size) == 0)) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s.%s\" is \"%.*s\", which is not supported", stac_gguf_path(c->gguf), c->arch,
                     key, (int)(s.size < 40 ? s.size : 40), s.data);
}

int stac_gguf_config_tokens(const struct stac_gguf_config *c, struct stac_hparams *hp, struct stac_error *err) {
    const struct stac_gguf_tensor *embedding = stac_gguf_find(c->gguf, "token_embd.weight");
    int64_t rows = embedding ? embedding->ne[1] : 0, n, bos, eos, eot;
    if (rows < 1 || rows > STAC_MAX_VOCAB)
        return stac_fail(err, STAC_ERR_INPUT, "%s: the tensor token_embd.weight is missing or too large",
                         stac_gguf_path(c->gguf));
    STAC_TRY(stac_gguf_int_or(c->gguf, full_key(c, "vocab_size").text, rows, rows, rows, &n, err));
    STAC_TRY(stac_gguf_int_or(c->gguf, "tokenizer.ggml.bos_token_id", 0, rows - 1, -1, &bos, err));
    STAC_TRY(stac_gguf_int_or(c->gguf, "tokenizer.ggml.eos_token_id", 0, rows - 1, -1, &eos, err));
    STAC_TRY(stac_gguf_int_or(c->gguf, "tokenizer.ggml.eot_token_id", 0, rows - 1, -1, &eot, err));
    hp->n_vocab = (int)rows;
    hp->bos = (int)bos;
    hp->n_eos = 0;
    if (eos >= 0) hp->eos[hp->n_eos++] = (int)eos;
    if (eot >= 0 && eot != eos) hp->eos[hp->n_eos++] = (int)eot; /* the end of a turn ends an answer too */
    return STAC_OK;
}

/* ---- both ------------------------------------------------------------------------------------------------------- */

static int check_token(const char *path, const char *what, int id, int n_vocab, struct stac_error *err) {
    if (id < n_vocab) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: the %s token %d lies outside the vocabulary of %d", path, what, id, n_vocab);
}

int stac_hparams_check(const struct stac_hparams *hp, const char *path, struct stac_error *err) {
    if (hp->n_head % hp->n_head_kv)
        return stac_fail(err, STAC_ERR_INPUT, "%s: %d heads cannot share %d key and value heads evenly", path, hp->n_head,
                         hp->n_head_kv);
    if (hp->n_head * hp->head_dim > STAC_MAX_WIDTH)
        return stac_fail(err, STAC_ERR_INPUT, "%s: %d heads of %d channels are wider than %d", path, hp->n_head, hp->head_dim,
                         STAC_MAX_WIDTH);
    if (hp->rope_theta > 0 && hp->head_dim % 2)
        return stac_fail(err, STAC_ERR_INPUT, "%s: rotary positions need an even number of channels in a head, not %d", path,
                         hp->head_dim);
    STAC_TRY(check_token(path, "bos", hp->bos, hp->n_vocab, err));
    for (int i = 0; i < hp->n_eos; i++) STAC_TRY(check_token(path, "eos", hp->eos[i], hp->n_vocab, err));
    return STAC_OK;
}
