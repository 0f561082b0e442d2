/* A small GPT-2 and a small Llama as Hugging Face stores them, to be written as folders or as GGUF files.
 *
 * The sizes cross the edges of tiles and of parallel loops, and the Llama's heads are wider than its stream. */
#ifndef STAC_TESTS_FIXTURE_MODELS_H
#define STAC_TESTS_FIXTURE_MODELS_H

#include "fixture_files.h"

#define GPT2_CONFIG                                                                                                            \
    "{\"model_type\":\"gpt2\",\"n_layer\":2,\"n_embd\":75,\"n_head\":3,\"n_positions\":6,\"n_inner\":null,\"vocab_size\":"     \
    "1001,"                                                                                                                    \
    "\"activation_function\":\"gelu_new\",\"layer_norm_epsilon\":1e-5,\"bos_token_id\":7,\"eos_token_id\":9}"
#define LLAMA_CONFIG                                                                                                           \
    "{\"model_type\":\"llama\",\"num_hidden_layers\":2,\"hidden_size\":32,\"num_attention_heads\":4,"                          \
    "\"num_key_value_heads\":2,\"head_dim\":16,\"intermediate_size\":96,\"vocab_size\":76,\"hidden_act\":\"silu\","            \
    "\"max_position_embeddings\":16,\"rms_norm_eps\":1e-6,\"rope_theta\":50000,\"bos_token_id\":1,\"eos_token_id\":[2,3]}"

struct fx_model {
    const char *config;
    struct fx_tensor t[64];
    size_t n;
};

FX struct fx_tensor *fx_add(struct fx_model *m, const char *name, int layer, int n_dims, int64_t a, int64_t b) {
    struct fx_tensor *t = &m->t[m->n];
    t->n_dims = n_dims;
    t->shape[0] = a;
    t->shape[1] = b;
    const char *mark = strchr(name, '#');
    if (mark)
        snprintf(t->name, sizeof t->name, "%.*s%d%s", (int)(mark - name), name, layer, mark + 1);
    else
        snprintf(t->name, sizeof t->name, "%s", name);
    t->values = malloc(fx_count(t) * sizeof *t->values);
    for (size_t i = 0; i < fx_count(t); i++) t->values[i] = fx_value(m->n, i);
    m->n++;
    return t;
}

FX void fx_gpt2(struct fx_model *m) {
    *m = (struct fx_model){.config = GPT2_CONFIG};
    fx_add(m, "transformer.wte.weight", 0, 2, 1001, 75);
    fx_add(m, "transformer.wpe.weight", 0, 2, 6, 75);
    for (int l = 0; l < 2; l++) {
        fx_add(m, "transformer.h.#.ln_1.weight", l, 1, 75, 0);
        fx_add(m, "transformer.h.#.ln_1.bias", l, 1, 75, 0);
        fx_add(m, "transformer.h.#.attn.c_attn.weight", l, 2, 75, 225);
        fx_add(m, "transformer.h.#.attn.c_attn.bias", l, 1, 225, 0);
        fx_add(m, "transformer.h.#.attn.c_proj.weight", l, 2, 75, 75);
        fx_add(m, "transformer.h.#.attn.c_proj.bias", l, 1, 75, 0);
        fx_add(m, "transformer.h.#.ln_2.weight", l, 1, 75, 0);
        fx_add(m, "transformer.h.#.ln_2.bias", l, 1, 75, 0);
        fx_add(m, "transformer.h.#.mlp.c_fc.weight", l, 2, 75, 300);
        fx_add(m, "transformer.h.#.mlp.c_fc.bias", l, 1, 300, 0);
        fx_add(m, "transformer.h.#.mlp.c_proj.weight", l, 2, 300, 75);
        fx_add(m, "transformer.h.#.mlp.c_proj.bias", l, 1, 75, 0);
    }
    fx_add(m, "transformer.ln_f.weight", 0, 1, 75, 0);
    fx_add(m, "transformer.ln_f.bias", 0, 1, 75, 0);
}

FX void fx_llama(struct fx_model *m) {
    *m = (struct fx_model){.config = LLAMA_CONFIG};
    fx_add(m, "model.embed_tokens.weight", 0, 2, 76, 32);
    for (int l = 0; l < 2; l++) {
        fx_add(m, "model.layers.#.input_layernorm.weight", l, 1, 32, 0);
        fx_add(m, "model.layers.#.self_attn.q_proj.weight", l, 2, 64, 32);
        fx_add(m, "model.layers.#.self_attn.k_proj.weight", l, 2, 32, 32);
        fx_add(m, "model.layers.#.self_attn.v_proj.weight", l, 2, 32, 32);
        fx_add(m, "model.layers.#.self_attn.o_proj.weight", l, 2, 32, 64);
        fx_add(m, "model.layers.#.post_attention_layernorm.weight", l, 1, 32, 0);
        fx_add(m, "model.layers.#.mlp.gate_proj.weight", l, 2, 96, 32);
        fx_add(m, "model.layers.#.mlp.up_proj.weight", l, 2, 96, 32);
        fx_add(m, "model.layers.#.mlp.down_proj.weight", l, 2, 32, 96);
    }
    fx_add(m, "model.norm.weight", 0, 1, 32, 0);
    fx_add(m, "lm_head.weight", 0, 2, 76, 32);
}

FX void fx_model_clean(struct fx_model *m) {
    for (size_t i = 0; i < m->n; i++) free(m->t[i].values);
    m->n = 0;
}

/* The tensor of a name with '#' for the layer. */
FX struct fx_tensor *fx_find(struct fx_model *m, const char *pattern, int layer) {
    const char *mark = strchr(pattern, '#');
    char name[128];
    snprintf(name, sizeof name, "%.*s", mark ? (int)(mark - pattern) : (int)strlen(pattern), pattern);
    if (mark) snprintf(name + strlen(name), sizeof name - strlen(name), "%d%s", layer, mark + 1);
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->t[i].name, name) == 0) return &m->t[i];
    fail_msg("the fixture has no tensor %s", name);
    return NULL;
}

/* Remove a beginning from all names that have it. */
FX void fx_strip(struct fx_model *m, const char *prefix) {
    for (size_t i = 0; i < m->n; i++)
        if (strncmp(m->t[i].name, prefix, strlen(prefix)) == 0)
            memmove(m->t[i].name, m->t[i].name + strlen(prefix), strlen(m->t[i].name) - strlen(prefix) + 1);
}

/* config.json and model.safetensors. */
FX void fx_write_folder(const struct fx_folder *f, const struct fx_model *m, enum fx_type type) {
    struct stac_strbuf b = {0};
    fx_safetensors(&b, m->t, m->n, type);
    fx_write_text(f, "config.json", m->config);
    fx_write(f, "model.safetensors", b.data, b.size);
    stac_strbuf_clean(&b);
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

enum fx_change { FX_AS_IS, FX_TRANSPOSE, FX_PERMUTE };

/* Append a tensor as llama.cpp's converter writes it: Conv1D transposed, rows of q and k of each head of 16 channels
 * shuffled, vectors as F32. */
FX void fx_convert(struct fx_gguf *g, const char *name, const struct fx_tensor *t, enum fx_change change, enum fx_type type) {
    int64_t shape[2] = {t->shape[0], t->n_dims == 2 ? t->shape[1] : 1}, rows = shape[0], cols = shape[1];
    float *x = malloc(fx_count(t) * sizeof *x);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) {
            int64_t to = r * cols + c;
            if (change == FX_TRANSPOSE) to = c * rows + r;
            if (change == FX_PERMUTE) to = (r / 16 * 16 + r % 8 * 2 + r / 8 % 2) * cols + c;
            x[to] = t->values[r * cols + c];
        }
    if (change == FX_TRANSPOSE) shape[0] = cols, shape[1] = rows;
    fx_gguf_tensor(g, name, t->n_dims, shape, t->n_dims == 1 ? FX_F32 : type, x);
    free(x);
}

FX void fx_convert_layers(struct fx_gguf *g, struct fx_model *m, const char *const (*names)[2], const enum fx_change *changes,
                          size_t n, enum fx_type type) {
    char name[64];
    for (int l = 0; l < 2; l++)
        for (size_t i = 0; i < n; i++) {
            snprintf(name, sizeof name, "blk.%d.%s", l, names[i][1]);
            fx_convert(g, name, fx_find(m, names[i][0], l), changes[i], type);
        }
}

FX void fx_gpt2_keys(struct fx_gguf *g) {
    fx_key_text(g, "general.architecture", "gpt2");
    fx_key_u32(g, "gpt2.block_count", 2);
    fx_key_u32(g, "gpt2.embedding_length", 75);
    fx_key_u32(g, "gpt2.attention.head_count", 3);
    fx_key_u32(g, "gpt2.context_length", 6);
    fx_key_u32(g, "gpt2.feed_forward_length", 300);
    fx_key_f32(g, "gpt2.attention.layer_norm_epsilon", 1e-5f);
    fx_key_u32(g, "tokenizer.ggml.bos_token_id", 7);
    fx_key_u32(g, "tokenizer.ggml.eos_token_id", 9);
}

FX void fx_gpt2_tensors(struct fx_gguf *g, struct fx_model *m, enum fx_type type) {
    static const char *const names[][2] = {
        {"transformer.h.#.ln_1.weight", "attn_norm.weight"},          {"transformer.h.#.ln_1.bias", "attn_norm.bias"},
        {"transformer.h.#.attn.c_attn.weight", "attn_qkv.weight"},    {"transformer.h.#.attn.c_attn.bias", "attn_qkv.bias"},
        {"transformer.h.#.attn.c_proj.weight", "attn_output.weight"}, {"transformer.h.#.attn.c_proj.bias", "attn_output.bias"},
        {"transformer.h.#.ln_2.weight", "ffn_norm.weight"},           {"transformer.h.#.ln_2.bias", "ffn_norm.bias"},
        {"transformer.h.#.mlp.c_fc.weight", "ffn_up.weight"},         {"transformer.h.#.mlp.c_fc.bias", "ffn_up.bias"},
        {"transformer.h.#.mlp.c_proj.weight", "ffn_down.weight"},     {"transformer.h.#.mlp.c_proj.bias", "ffn_down.bias"}};
    static const enum fx_change changes[12] = {[2] = FX_TRANSPOSE, [4] = FX_TRANSPOSE, [8] = FX_TRANSPOSE, [10] = FX_TRANSPOSE};
    fx_convert(g, "token_embd.weight", fx_find(m, "transformer.wte.weight", 0), FX_AS_IS, type);
    fx_convert(g, "position_embd.weight", fx_find(m, "transformer.wpe.weight", 0), FX_AS_IS, type);
    fx_convert_layers(g, m, names, changes, 12, type);
    fx_convert(g, "output_norm.weight", fx_find(m, "transformer.ln_f.weight", 0), FX_AS_IS, type);
    fx_convert(g, "output_norm.bias", fx_find(m, "transformer.ln_f.bias", 0), FX_AS_IS, type);
}

FX void fx_llama_keys(struct fx_gguf *g) {
    fx_key_text(g, "general.architecture", "llama");
    fx_key_u32(g, "llama.block_count", 2);
    fx_key_u32(g, "llama.embedding_length", 32);
    fx_key_u32(g, "llama.attention.head_count", 4);
    fx_key_u32(g, "llama.attention.head_count_kv", 2);
    fx_key_u32(g, "llama.attention.key_length", 16);
    fx_key_u32(g, "llama.attention.value_length", 16);
    fx_key_u32(g, "llama.rope.dimension_count", 16);
    fx_key_f32(g, "llama.rope.freq_base", 50000);
    fx_key_u32(g, "llama.context_length", 16);
    fx_key_u32(g, "llama.feed_forward_length", 96);
    fx_key_u32(g, "llama.vocab_size", 76);
    fx_key_f32(g, "llama.attention.layer_norm_rms_epsilon", 1e-6f);
    fx_key_u32(g, "tokenizer.ggml.bos_token_id", 1);
    fx_key_u32(g, "tokenizer.ggml.eos_token_id", 2);
    fx_key_u32(g, "tokenizer.ggml.eot_token_id", 3);
}

FX void fx_llama_tensors(struct fx_gguf *g, struct fx_model *m, enum fx_type type) {
    static const char *const names[][2] = {{"model.layers.#.input_layernorm.weight", "attn_norm.weight"},
                                           {"model.layers.#.self_attn.q_proj.weight", "attn_q.weight"},
                                           {"model.layers.#.self_attn.k_proj.weight", "attn_k.weight"},
                                           {"model.layers.#.self_attn.v_proj.weight", "attn_v.weight"},
                                           {"model.layers.#.self_attn.o_proj.weight", "attn_output.weight"},
                                           {"model.layers.#.post_attention_layernorm.weight", "ffn_norm.weight"},
                                           {"model.layers.#.mlp.gate_proj.weight", "ffn_gate.weight"},
                                           {"model.layers.#.mlp.up_proj.weight", "ffn_up.weight"},
                                           {"model.layers.#.mlp.down_proj.weight", "ffn_down.weight"}};
    static const enum fx_change changes[9] = {[1] = FX_PERMUTE, [2] = FX_PERMUTE};
    fx_convert(g, "token_embd.weight", fx_find(m, "model.embed_tokens.weight", 0), FX_AS_IS, type);
    fx_convert_layers(g, m, names, changes, 9, type);
    fx_convert(g, "output_norm.weight", fx_find(m, "model.norm.weight", 0), FX_AS_IS, type);
    fx_convert(g, "output.weight", fx_find(m, "lm_head.weight", 0), FX_AS_IS, type);
}

/* Finish the file and write it as model.gguf. */
FX const char *fx_write_gguf(const struct fx_folder *f, struct fx_gguf *g) {
    struct stac_strbuf b = {0};
    fx_gguf_finish(g, &b);
    const char *path = fx_write(f, "model.gguf", b.data, b.size);
    stac_strbuf_clean(&b);
    return path;
}

#endif
