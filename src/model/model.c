#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/arch.h"
#include "model/source.h"
#include "model/weight_map.h"

#define MAX_CONFIG_BYTES ((size_t)1 << 20)

struct stac_model {
    char *path;
    struct stac_hparams hp;
    struct stac_gguf *gguf; /* NULL: a folder */
    char *config;           /* the text of config.json; NULL: GGUF */
    size_t config_size;
    size_t value_bytes; /* of a weight, as config.json has it */
    struct stac_source *source;
    struct stac_weight_map *weights;
};

/* ---- folders ---------------------------------------------------------------------------------------------------- */

/* eos of generation_config.json, where there is one, replaces that of config.json. */
static int read_generation_config(struct stac_model *m, struct stac_error *err) {
    char *path = stac_file_join(m->path, "generation_config.json", err);
    json_t *json = NULL;
    int status = path ? STAC_OK : err->status;
    if (path && stac_file_exists(path)) {
        status = stac_json_load(path, MAX_CONFIG_BYTES, &json, err);
        if (status == STAC_OK) status = stac_config_eos(&(struct stac_config){json, path}, &m->hp, err);
    }
    json_decref(json);
    free(path);
    return status;
}

/* Bytes of a value in the number format that config.json names ("dtype", before transformers 5 "torch_dtype"). */
static int read_value_bytes(const struct stac_config *c, size_t *bytes, struct stac_error *err) {
    const char *old, *name;
    STAC_TRY(stac_json_string_or(c->json, c->path, "torch_dtype", "float32", &old, err));
    STAC_TRY(stac_json_string_or(c->json, c->path, "dtype", old, &name, err));
    *bytes = strcmp(name, "float16") == 0 || strcmp(name, "bfloat16") == 0 ? 2 : 4;
    return STAC_OK;
}

static int read_config(struct stac_model *m, const struct stac_config *c, const struct stac_arch **arch,
                       struct stac_error *err) {
    const char *type;
    STAC_TRY(stac_json_string_or(c->json, c->path, "model_type", NULL, &type, err));
    if (!type) return stac_fail(err, STAC_ERR_INPUT, "%s: \"model_type\" is missing", c->path);
    if (stac_arch_find(type, strlen(type), arch, err) != STAC_OK) return stac_fail_in(err, "%s", c->path);
    STAC_TRY((*arch)->read_config(c, &m->hp, err));
    STAC_TRY(stac_config_bos(c, &m->hp, err));
    STAC_TRY(stac_config_eos(c, &m->hp, err));
    STAC_TRY(read_value_bytes(c, &m->value_bytes, err));
    STAC_TRY(read_generation_config(m, err));
    return stac_hparams_check(&m->hp, c->path, err);
}

static int open_folder(struct stac_model *m, struct stac_error *err) {
    const struct stac_arch *arch;
    json_t *json = NULL;
    char *path = stac_file_join(m->path, "config.json", err);
    int status = path ? STAC_OK : err->status;
    if (path && !stac_file_exists(path))
        status = stac_fail(err, STAC_ERR_INPUT, "the folder %s holds no config.json, so it is no model folder", m->path);
    if (status == STAC_OK) status = stac_file_read(path, MAX_CONFIG_BYTES, &m->config, &m->config_size, err);
    if (status == STAC_OK) status = stac_json_parse(path, m->config, m->config_size, &json, err);
    if (status == STAC_OK) status = read_config(m, &(struct stac_config){json, path}, &arch, err);
    json_decref(json);
    free(path);
    STAC_TRY(status);
    STAC_TRY(stac_source_of_folder(m->path, &m->source, err));
    return stac_weight_map_build(arch, &m->hp, m->source, false, &m->weights, err);
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

static int open_gguf(struct stac_model *m, struct stac_error *err) {
    const struct stac_arch *arch;
    struct stac_gguf_string name;
    STAC_TRY(stac_gguf_open(m->path, &m->gguf, err));
    STAC_TRY(stac_gguf_string(m->gguf, "general.architecture", &name, err));
    if (!name.data) return stac_fail(err, STAC_ERR_INPUT, "%s: key \"general.architecture\" is missing", m->path);
    if (stac_arch_find(name.data, name.size, &arch, err) != STAC_OK) return stac_fail_in(err, "%s", m->path);
    STAC_TRY(arch->read_gguf(m->gguf, &m->hp, err));
    STAC_TRY(stac_hparams_check(&m->hp, m->path, err));
    STAC_TRY(stac_source_of_gguf(m->gguf, &m->source, err));
    return stac_weight_map_build(arch, &m->hp, m->source, true, &m->weights, err);
}

/* ---- the model -------------------------------------------------------------------------------------------------- */

static int open_path(struct stac_model *m, struct stac_error *err) {
    if (stac_file_is_folder(m->path)) return open_folder(m, err);
    size_t n = strlen(m->path);
    if (n > 12 && strcmp(m->path + n - 12, ".safetensors") == 0)
        return stac_fail(err, STAC_ERR_INPUT, "%s lacks a config.json to go with it: name the folder that holds both", m->path);
    return open_gguf(m, err);
}

int stac_model_open(const char *path, struct stac_model **out, struct stac_error *err) {
    struct stac_model *m;
    *out = NULL;
    STAC_TRY(STAC_NEW(m, 1, "a model", err));
    m->path = stac_strdup(path, err);
    int status = m->path ? open_path(m, err) : err->status;
    if (status == STAC_OK)
        *out = m;
    else
        stac_model_close(m);
    return status;
}

void stac_model_close(struct stac_model *m) {
    if (!m) return;
    stac_weight_map_free(m->weights);
    stac_source_close(m->source);
    stac_gguf_close(m->gguf);
    free(m->config);
    free(m->path);
    free(m);
}

const struct stac_hparams *stac_model_hparams(const struct stac_model *m) {
    return &m->hp;
}

const char *stac_model_path(const struct stac_model *m) {
    return m->path;
}

bool stac_model_has(const struct stac_model *m, enum stac_weight weight, int layer) {
    return stac_weight_map_has(m->weights, weight, layer) || (weight == STAC_W_HEAD && layer == 0 && m->hp.tied);
}

size_t stac_model_count(const struct stac_model *m, enum stac_weight weight, int layer) {
    struct stac_weight_shape shape = stac_weight_shape_of(&m->hp, weight);
    return stac_model_has(m, weight, layer) ? shape.inputs * shape.outputs : 0;
}

int stac_model_read(struct stac_model *m, enum stac_weight weight, int layer, float *out, struct stac_error *err) {
    struct stac_weight_place place;
    bool tied_head = weight == STAC_W_HEAD && m->hp.tied;
    STAC_TRY(stac_weight_map_place(m->weights, tied_head ? STAC_W_TOKEN_EMBD : weight, layer, &place, err));
    bool transpose = place.transposed || tied_head;
    int status = transpose ? stac_stored_transpose(&place.stored, out, err) : stac_stored_copy(&place.stored, out, err);
    return status == STAC_OK ? STAC_OK : stac_fail_in(err, "%s", place.path);
}

size_t stac_model_layer_bytes(const struct stac_model *m, int layer) {
    size_t bytes = 0;
    for (int w = STAC_W_ATTN_NORM; w <= STAC_W_DOWN_BIAS; w++)
        bytes += stac_weight_map_bytes(m->weights, (enum stac_weight)w, layer, m->value_bytes);
    return bytes;
}

int stac_model_digest(struct stac_model *m, char hex[STAC_SHA256_HEX], struct stac_error *err) {
    return stac_source_digest(m->source, (struct stac_bytes){m->config, m->config_size}, hex, err);
}
