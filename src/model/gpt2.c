/* GPT-2 and DistilGPT-2: learned positions, LayerNorm, biases everywhere, an ungated feed-forward part, tied head.
 * Radford et al., "Language Models are Unsupervised Multitask Learners", 2019. Names as in transformers' GPT2LMHeadModel
 * and in llama.cpp's "gpt2". */
#include <stdio.h>

#include "model/arch.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

static const struct stac_granted granted[] = {
    {"scale_attn_weights", STAC_GRANT_TRUE},
    {"scale_attn_by_inverse_layer_idx", STAC_GRANT_FALSE},
    {"add_cross_attention", STAC_GRANT_FALSE},
    {"quantization_config", STAC_GRANT_ABSENT},
};

static const struct stac_activation_name activations[] = {
    {"gelu_new", STAC_ACT_GELU_TANH},
    {"gelu_pytorch_tanh", STAC_ACT_GELU_TANH},
    {"gelu", STAC_ACT_GELU_ERF},
    {"relu", STAC_ACT_RELU},
    {NULL, 0},
};

/* What every model of the family has, whatever its file says. */
static int finish(struct stac_hparams *hp, const char *path, struct stac_error *err) {
    snprintf(hp->arch, sizeof hp->arch, "gpt2");
    hp->norm = STAC_NORM_LAYER;
    hp->learned_positions = true;
    hp->n_head_kv = hp->n_head;
    hp->head_dim = hp->n_embd / hp->n_head;
    if (hp->n_embd % hp->n_head == 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: %d heads do not divide the width %d", path, hp->n_head, hp->n_embd);
}

static int read_config(const struct stac_config *c, struct stac_hparams *hp, struct stac_error *err) {
    STAC_TRY(stac_config_check_granted(c, granted, LENGTH(granted), err));
    STAC_TRY(stac_config_int(c, "n_layer", STAC_MAX_LAYERS, &hp->n_layer, err));
    STAC_TRY(stac_config_int(c, "n_embd", STAC_MAX_WIDTH, &hp->n_embd, err));
    STAC_TRY(stac_config_int(c, "n_head", STAC_MAX_HEADS, &hp->n_head, err));
    STAC_TRY(stac_config_int(c, "n_positions", STAC_MAX_CONTEXT, &hp->n_ctx, err));
    STAC_TRY(stac_config_int(c, "vocab_size", STAC_MAX_VOCAB, &hp->n_vocab, err));
    STAC_TRY(stac_config_int_or(c, "n_inner", STAC_MAX_FF, 4 * hp->n_embd, &hp->n_ff, err));
    STAC_TRY(stac_json_real_or(c->json, c->path, "layer_norm_epsilon", 0, 1, 1e-5, &hp->norm_eps, err));
    STAC_TRY(stac_config_activation(c, "activation_function", activations, &hp->activation, err));
    STAC_TRY(stac_json_bool_or(c->json, c->path, "tie_word_embeddings", true, &hp->tied, err));
    return finish(hp, c->path, err);
}

static int read_gguf(const struct stac_gguf *g, struct stac_hparams *hp, struct stac_error *err) {
    struct stac_gguf_config c = {g, "gpt2"};
    STAC_TRY(stac_gguf_config_int(&c, "block_count", STAC_MAX_LAYERS, &hp->n_layer, err));
    STAC_TRY(stac_gguf_config_int(&c, "embedding_length", STAC_MAX_WIDTH, &hp->n_embd, err));
    STAC_TRY(stac_gguf_config_int(&c, "attention.head_count", STAC_MAX_HEADS, &hp->n_head, err));
    STAC_TRY(stac_gguf_config_int(&c, "context_length", STAC_MAX_CONTEXT, &hp->n_ctx, err));
    STAC_TRY(stac_gguf_config_int(&c, "feed_forward_length", STAC_MAX_FF, &hp->n_ff, err));
    STAC_TRY(stac_gguf_config_real_or(&c, "attention.layer_norm_epsilon", 0, 1, 1e-5, &hp->norm_eps, err));
    STAC_TRY(stac_gguf_config_tokens(&c, hp, err));
    hp->activation = STAC_ACT_GELU_TANH; /* the format has no key for it */
    hp->tied = !stac_gguf_find(g, "output.weight");
    return finish(hp, stac_gguf_path(g), err);
}

static const struct stac_weight_row rows[] = {
    {STAC_W_TOKEN_EMBD, "transformer.wte.weight", "token_embd.weight", 0},
    {STAC_W_POSITION_EMBD, "transformer.wpe.weight", "position_embd.weight", 0},
    {STAC_W_ATTN_NORM, "transformer.h.#.ln_1.weight", "blk.#.attn_norm.weight", 0},
    {STAC_W_ATTN_NORM_BIAS, "transformer.h.#.ln_1.bias", "blk.#.attn_norm.bias", 0},
    {STAC_W_Q, "transformer.h.#.attn.c_attn.weight", "blk.#.attn_qkv.weight", STAC_CONV1D | STAC_FUSED_QKV},
    {STAC_W_K, "transformer.h.#.attn.c_attn.weight", "blk.#.attn_qkv.weight", STAC_CONV1D | STAC_FUSED_QKV},
    {STAC_W_V, "transformer.h.#.attn.c_attn.weight", "blk.#.attn_qkv.weight", STAC_CONV1D | STAC_FUSED_QKV},
    {STAC_W_Q_BIAS, "transformer.h.#.attn.c_attn.bias", "blk.#.attn_qkv.bias", STAC_FUSED_QKV},
    {STAC_W_K_BIAS, "transformer.h.#.attn.c_attn.bias", "blk.#.attn_qkv.bias", STAC_FUSED_QKV},
    {STAC_W_V_BIAS, "transformer.h.#.attn.c_attn.bias", "blk.#.attn_qkv.bias", STAC_FUSED_QKV},
    {STAC_W_O, "transformer.h.#.attn.c_proj.weight", "blk.#.attn_output.weight", STAC_CONV1D},
    {STAC_W_O_BIAS, "transformer.h.#.attn.c_proj.bias", "blk.#.attn_output.bias", 0},
    {STAC_W_MLP_NORM, "transformer.h.#.ln_2.weight", "blk.#.ffn_norm.weight", 0},
    {STAC_W_MLP_NORM_BIAS, "transformer.h.#.ln_2.bias", "blk.#.ffn_norm.bias", 0},
    {STAC_W_UP, "transformer.h.#.mlp.c_fc.weight", "blk.#.ffn_up.weight", STAC_CONV1D},
    {STAC_W_UP_BIAS, "transformer.h.#.mlp.c_fc.bias", "blk.#.ffn_up.bias", 0},
    {STAC_W_DOWN, "transformer.h.#.mlp.c_proj.weight", "blk.#.ffn_down.weight", STAC_CONV1D},
    {STAC_W_DOWN_BIAS, "transformer.h.#.mlp.c_proj.bias", "blk.#.ffn_down.bias", 0},
    {STAC_W_FINAL_NORM, "transformer.ln_f.weight", "output_norm.weight", 0},
    {STAC_W_FINAL_NORM_BIAS, "transformer.ln_f.bias", "output_norm.bias", 0},
    {STAC_W_HEAD, "lm_head.weight", "output.weight", STAC_UNTIED},
};

/* The causal mask, which old versions of transformers saved. */
static const char *const ignored[] = {"transformer.h.#.attn.bias", "transformer.h.#.attn.masked_bias", NULL};

const struct stac_arch stac_arch_gpt2 = {
    .name = "gpt2",
    .prefix = "transformer.",
    .read_config = read_config,
    .read_gguf = read_gguf,
    .rows = rows,
    .n_rows = LENGTH(rows),
    .ignored = ignored,
};
