/* Llama and what shares its form, SmolLM2 first: rotary positions, RMSNorm, grouped key and value heads, a gated
 * feed-forward part, no biases. Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023. Names as
 * in transformers' LlamaForCausalLM and in llama.cpp's "llama". */
#include <stdio.h>

#include "model/arch.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])
#define DEFAULT_THETA 10000.0
#define MAX_THETA 1e15

static const struct stac_granted granted[] = {
    {"attention_bias", STAC_GRANT_FALSE},       {"mlp_bias", STAC_GRANT_FALSE},
    {"sliding_window", STAC_GRANT_ABSENT},      {"rope_interleaved", STAC_GRANT_FALSE},
    {"partial_rotary_factor", STAC_GRANT_ONE},  {"add_cross_attention", STAC_GRANT_FALSE},
    {"quantization_config", STAC_GRANT_ABSENT},
};

/* Of rope_parameters, and of rope_scaling as it was called before. */
static const struct stac_granted rope_granted[] = {
    {"rope_type", STAC_GRANT_DEFAULT},
    {"type", STAC_GRANT_DEFAULT},
    {"partial_rotary_factor", STAC_GRANT_ONE},
};

static const struct stac_activation_name activations[] = {{"silu", STAC_ACT_SILU}, {NULL, 0}};

static int finish(struct stac_hparams *hp) {
    snprintf(hp->arch, sizeof hp->arch, "llama");
    hp->norm = STAC_NORM_RMS;
    hp->activation = STAC_ACT_SILU;
    hp->gated = true;
    return STAC_OK;
}

/* The width of a head where the file does not say it. */
static int divide_heads(struct stac_hparams *hp, const char *path, struct stac_error *err) {
    hp->head_dim = hp->n_embd / hp->n_head;
    if (hp->n_embd % hp->n_head == 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: %d heads do not divide the width %d", path, hp->n_head, hp->n_embd);
}

/* Rotary positions: "rope_theta" beside the other values, or in "rope_parameters" (transformers 5). */
static int read_rope_object(const struct stac_config *c, const char *key, double *theta, struct stac_error *err) {
    const json_t *object = json_object_get(c->json, key);
    if (!object || json_is_null(object)) return STAC_OK;
    if (!json_is_object(object)) return stac_config_refuse(c, key, err);
    struct stac_config inner = {object, c->path};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        if (json_is_object(value)) return stac_config_refuse(c, key, err); /* other positions in each type of layer */
    }
    if (stac_config_check_granted(&inner, rope_granted, LENGTH(rope_granted), err) != STAC_OK)
        return stac_fail_in(err, "%s", key);
    double outer = *theta;
    STAC_TRY(stac_json_real_or(object, c->path, "rope_theta", 1, MAX_THETA, outer, theta, err));
    if (outer == 0 || *theta == outer) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: \"rope_theta\" is %g, but %g in \"%s\"", c->path, outer, *theta, key);
}

static int read_rope(const struct stac_config *c, struct stac_hparams *hp, struct stac_error *err) {
    double theta;
    STAC_TRY(stac_json_real_or(c->json, c->path, "rope_theta", 1, MAX_THETA, 0, &theta, err));
    STAC_TRY(read_rope_object(c, "rope_scaling", &theta, err));
    STAC_TRY(read_rope_object(c, "rope_parameters", &theta, err));
    hp->rope_theta = theta > 0 ? theta : DEFAULT_THETA;
    return STAC_OK;
}

static int read_config(const struct stac_config *c, struct stac_hparams *hp, struct stac_error *err) {
    STAC_TRY(stac_config_check_granted(c, granted, LENGTH(granted), err));
    STAC_TRY(stac_config_activation(c, "hidden_act", activations, &hp->activation, err));
    STAC_TRY(stac_config_int(c, "num_hidden_layers", STAC_MAX_LAYERS, &hp->n_layer, err));
    STAC_TRY(stac_config_int(c, "hidden_size", STAC_MAX_WIDTH, &hp->n_embd, err));
    STAC_TRY(stac_config_int(c, "intermediate_size", STAC_MAX_FF, &hp->n_ff, err));
    STAC_TRY(stac_config_int(c, "max_position_embeddings", STAC_MAX_CONTEXT, &hp->n_ctx, err));
    STAC_TRY(stac_config_int(c, "vocab_size", STAC_MAX_VOCAB, &hp->n_vocab, err));
    STAC_TRY(stac_config_int(c, "num_attention_heads", STAC_MAX_HEADS, &hp->n_head, err));
    STAC_TRY(stac_config_int_or(c, "num_key_value_heads", STAC_MAX_HEADS, hp->n_head, &hp->n_head_kv, err));
    STAC_TRY(stac_config_int_or(c, "head_dim", STAC_MAX_HEAD_DIM, 0, &hp->head_dim, err));
    if (hp->head_dim == 0) STAC_TRY(divide_heads(hp, c->path, err));
    STAC_TRY(stac_json_real_or(c->json, c->path, "rms_norm_eps", 0, 1, 1e-6, &hp->norm_eps, err));
    STAC_TRY(stac_json_bool_or(c->json, c->path, "tie_word_embeddings", false, &hp->tied, err));
    STAC_TRY(read_rope(c, hp, err));
    return finish(hp);
}

/* What may be stored in a file of this name and is not computed here: experts, scaled or partial rotary positions. */
static int check_gguf(const struct stac_gguf_config *c, const struct stac_hparams *hp, struct stac_error *err) {
    STAC_TRY(stac_gguf_config_grant_int(c, "expert_count", 0, err));
    STAC_TRY(stac_gguf_config_grant_int(c, "attention.sliding_window", 0, err));
    STAC_TRY(stac_gguf_config_grant_int(c, "attention.value_length", hp->head_dim, err));
    STAC_TRY(stac_gguf_config_grant_int(c, "rope.dimension_count", hp->head_dim, err));
    STAC_TRY(stac_gguf_config_grant_text(c, "rope.scaling.type", "none", err));
    STAC_TRY(stac_gguf_config_grant_real(c, "rope.scaling.factor", 1, err));
    return stac_gguf_config_grant_real(c, "rope.scale_linear", 1, err);
}

static int read_gguf(const struct stac_gguf *g, struct stac_hparams *hp, struct stac_error *err) {
    struct stac_gguf_config c = {g, "llama"};
    STAC_TRY(stac_gguf_config_int(&c, "block_count", STAC_MAX_LAYERS, &hp->n_layer, err));
    STAC_TRY(stac_gguf_config_int(&c, "embedding_length", STAC_MAX_WIDTH, &hp->n_embd, err));
    STAC_TRY(stac_gguf_config_int(&c, "feed_forward_length", STAC_MAX_FF, &hp->n_ff, err));
    STAC_TRY(stac_gguf_config_int(&c, "context_length", STAC_MAX_CONTEXT, &hp->n_ctx, err));
    STAC_TRY(stac_gguf_config_int(&c, "attention.head_count", STAC_MAX_HEADS, &hp->n_head, err));
    STAC_TRY(stac_gguf_config_int_or(&c, "attention.head_count_kv", STAC_MAX_HEADS, hp->n_head, &hp->n_head_kv, err));
    STAC_TRY(stac_gguf_config_int_or(&c, "attention.key_length", STAC_MAX_HEAD_DIM, 0, &hp->head_dim, err));
    if (hp->head_dim == 0) STAC_TRY(divide_heads(hp, stac_gguf_path(g), err));
    STAC_TRY(stac_gguf_config_real_or(&c, "attention.layer_norm_rms_epsilon", 0, 1, 1e-6, &hp->norm_eps, err));
    STAC_TRY(stac_gguf_config_real_or(&c, "rope.freq_base", 1, MAX_THETA, DEFAULT_THETA, &hp->rope_theta, err));
    STAC_TRY(stac_gguf_config_tokens(&c, hp, err));
    STAC_TRY(check_gguf(&c, hp, err));
    hp->tied = !stac_gguf_find(g, "output.weight");
    return finish(hp);
}

static const struct stac_weight_row rows[] = {
    {STAC_W_TOKEN_EMBD, "model.embed_tokens.weight", "token_embd.weight", 0},
    {STAC_W_ATTN_NORM, "model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", 0},
    {STAC_W_Q, "model.layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight", STAC_PERMUTED},
    {STAC_W_K, "model.layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight", STAC_PERMUTED},
    {STAC_W_V, "model.layers.#.self_attn.v_proj.weight", "blk.#.attn_v.weight", 0},
    {STAC_W_O, "model.layers.#.self_attn.o_proj.weight", "blk.#.attn_output.weight", 0},
    {STAC_W_MLP_NORM, "model.layers.#.post_attention_layernorm.weight", "blk.#.ffn_norm.weight", 0},
    {STAC_W_GATE, "model.layers.#.mlp.gate_proj.weight", "blk.#.ffn_gate.weight", 0},
    {STAC_W_UP, "model.layers.#.mlp.up_proj.weight", "blk.#.ffn_up.weight", 0},
    {STAC_W_DOWN, "model.layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight", 0},
    {STAC_W_FINAL_NORM, "model.norm.weight", "output_norm.weight", 0},
    {STAC_W_HEAD, "lm_head.weight", "output.weight", STAC_UNTIED},
};

/* The rotary frequencies, which old versions of transformers saved. */
static const char *const ignored[] = {"model.layers.#.self_attn.rotary_emb.inv_freq", NULL};

const struct stac_arch stac_arch_llama = {
    .name = "llama",
    .prefix = "model.",
    .read_config = read_config,
    .read_gguf = read_gguf,
    .rows = rows,
    .n_rows = LENGTH(rows),
    .ignored = ignored,
};
