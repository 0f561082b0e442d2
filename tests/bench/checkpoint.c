#include "checkpoint.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"

enum { VOCAB = 49152, CONTEXT = 8192, TABLE = 1 << 16, MOST_TENSORS = 16 };

static const struct shape shapes[] = {{"135M", 30, 576, 9, 3, 1536},
                                      {"360M", 32, 960, 15, 5, 2560},
                                      {"1.7B", 24, 2048, 32, 32, 8192}};

const struct shape *shape_named(const char *name) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0) return &shapes[i];
    return NULL;
}

struct tensor {
    char name[80];
    int rows, cols; /* cols == 0: a vector of ones */
};

static size_t count_of(const struct tensor *t) {
    return (size_t)t->rows * (size_t)(t->cols > 0 ? t->cols : 1);
}

/* ---- tensors of a file -------------------------------------------------------------------------------------------- */

static void add(struct tensor *list, int *n, int layer, const char *name, int rows, int cols) {
    struct tensor *t = &list[(*n)++];
    *t = (struct tensor){.rows = rows, .cols = cols};
    if (layer < 0)
        snprintf(t->name, sizeof t->name, "model.%s.weight", name);
    else
        snprintf(t->name, sizeof t->name, "model.layers.%d.%s.weight", layer, name);
}

/* Those of a layer; of -1: embeddings and the last gains. */
static int list_tensors(const struct shape *s, int layer, struct tensor *list) {
    int n = 0, d = s->width, kv = d / s->heads * s->kv_heads;
    if (layer < 0) {
        add(list, &n, -1, "embed_tokens", VOCAB, d);
        add(list, &n, -1, "norm", d, 0);
        return n;
    }
    add(list, &n, layer, "input_layernorm", d, 0);
    add(list, &n, layer, "self_attn.q_proj", d, d);
    add(list, &n, layer, "self_attn.k_proj", kv, d);
    add(list, &n, layer, "self_attn.v_proj", kv, d);
    add(list, &n, layer, "self_attn.o_proj", d, d);
    add(list, &n, layer, "post_attention_layernorm", d, 0);
    add(list, &n, layer, "mlp.gate_proj", s->hidden, d);
    add(list, &n, layer, "mlp.up_proj", s->hidden, d);
    add(list, &n, layer, "mlp.down_proj", d, s->hidden);
    return n;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static uint16_t half_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}

/* Normal numbers to draw from. */
static void fill_table(uint16_t *table) {
    struct stac_random r = stac_random_seeded(1, 0);
    for (int i = 0; i < TABLE; i++) table[i] = half_of(0.02f * (float)stac_random_normal(&r));
}

static bool put_values(FILE *f, const struct tensor *t, const uint16_t *table, struct stac_random *r) {
    uint16_t part[4096];
    for (size_t left = count_of(t), n; left > 0; left -= n) {
        n = left < 4096 ? left : 4096;
        for (size_t i = 0; i < n; i += 4) {
            uint64_t drawn = stac_random_u64(r);
            for (size_t k = 0; k < 4 && i + k < n; k++) part[i + k] = t->cols ? table[drawn >> 16 * k & 0xffff] : half_of(1);
        }
        if (fwrite(part, sizeof *part, n, f) != n) return false;
    }
    return true;
}

/* The header of a safetensors file: a JSON object behind its length. */
static bool put_header(FILE *f, const struct tensor *list, int n) {
    json_t *o = json_object();
    json_int_t at = 0;
    for (int i = 0; i < n; i++) {
        json_int_t end = at + (json_int_t)(2 * count_of(&list[i]));
        json_t *shape = list[i].cols ? json_pack("[i, i]", list[i].rows, list[i].cols) : json_pack("[i]", list[i].rows);
        json_object_set_new(o, list[i].name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", "BF16", "shape", shape, "data_offsets", at, end));
        at = end;
    }
    char *text = json_dumps(o, JSON_COMPACT);
    uint64_t size = text ? strlen(text) : 0;
    bool good = text && fwrite(&size, sizeof size, 1, f) == 1 && fwrite(text, 1, size, f) == size;
    free(text);
    json_decref(o);
    return good;
}

static int write_shard(const struct shape *s, int layer, const char *path, const uint16_t *table, struct stac_error *err) {
    struct tensor list[MOST_TENSORS];
    struct stac_random r = stac_random_seeded(1, (uint64_t)layer + 2);
    int n = list_tensors(s, layer, list);
    FILE *f = fopen(path, "wb");
    bool good = f && put_header(f, list, n);
    for (int i = 0; i < n && good; i++) good = put_values(f, &list[i], table, &r);
    if (f) good = fclose(f) == 0 && good;
    return good ? STAC_OK : stac_fail(err, STAC_ERR_IO, "cannot write %s: %s", path, strerror(errno));
}

static int write_json(const char *folder, const char *name, json_t *o, struct stac_error *err) {
    char *path = stac_file_join(folder, name, err), *text = json_dumps(o, JSON_INDENT(2));
    int status = path && text ? stac_file_write(path, text, strlen(text), err) : STAC_ERR_MEMORY;
    free(text);
    free(path);
    json_decref(o);
    return status;
}

static json_t *config_of(const struct shape *s) {
    return json_pack("{s:[s], s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:b, s:i, s:i, s:s}", "architectures",
                     "LlamaForCausalLM", "model_type", "llama", "hidden_act", "silu", "hidden_size", s->width,
                     "intermediate_size", s->hidden, "num_hidden_layers", s->layers, "num_attention_heads", s->heads,
                     "num_key_value_heads", s->kv_heads, "vocab_size", VOCAB, "max_position_embeddings", CONTEXT,
                     "rms_norm_eps", 1e-5, "rope_theta", 130000.0, "tie_word_embeddings", 1, "bos_token_id", 1, "eos_token_id",
                     2, "dtype", "bfloat16");
}

int checkpoint_write(const struct shape *s, const char *folder, struct stac_error *err) {
    static uint16_t table[TABLE];
    json_t *map = json_object();
    double bytes = 0;
    int status = stac_file_make_folder(folder, err);
    fill_table(table);
    for (int layer = -1; layer < s->layers && status == STAC_OK; layer++) {
        struct tensor list[MOST_TENSORS];
        char name[64];
        snprintf(name, sizeof name, "model-%05d-of-%05d.safetensors", layer + 2, s->layers + 1);
        char *path = stac_file_join(folder, name, err);
        status = path ? write_shard(s, layer, path, table, err) : err->status;
        free(path);
        int n = list_tensors(s, layer, list);
        for (int i = 0; i < n; i++) {
            json_object_set_new(map, list[i].name, json_string(name));
            bytes += 2.0 * (double)count_of(&list[i]);
        }
    }
    json_t *index = json_pack("{s:{s:I}, s:o}", "metadata", "total_size", (json_int_t)bytes, "weight_map", map);
    if (status != STAC_OK) {
        json_decref(index);
        return status;
    }
    STAC_TRY(write_json(folder, "model.safetensors.index.json", index, err));
    return write_json(folder, "config.json", config_of(s), err);
}
