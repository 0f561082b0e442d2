/* model/: config.json and GGUF metadata as hyper-parameters, and the refusal by name of what is not computed. At the
 * end the real files: the GPT-2 of tests/models, and the SmolLM2 that STAC_SMOLLM2_GGUF names. */
#include "fixture_models.h"

#include <jansson.h>

#include "model/model.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

/* The configuration with some of its values changed ("{...}"), as a new string; a value of "absent" removes a key. */
static char *patched(const char *config, const char *patch) {
    json_t *base = json_loads(config, 0, NULL), *change = json_loads(patch, 0, NULL), *value;
    const char *key;
    if (!base || !change) fail_msg("the test's own JSON is wrong: %s", patch);
    json_object_foreach(change, key, value) {
        if (json_is_string(value) && strcmp(json_string_value(value), "absent") == 0)
            json_object_del(base, key);
        else
            json_object_set(base, key, value);
    }
    char *text = json_dumps(base, 0);
    json_decref(base);
    json_decref(change);
    return text;
}

static int open_patched(const struct fx_folder *f, const char *config, const char *patch, struct stac_model **m,
                        struct stac_error *err) {
    char *text = patched(config, patch);
    fx_write_text(f, "config.json", text);
    free(text);
    return stac_model_open(f->path, m, err);
}

struct refusal {
    const char *patch, *says;
};

static void assert_refusals(const struct fx_folder *f, const char *config, const struct refusal *cases, size_t n) {
    struct stac_error err = {0};
    for (size_t i = 0; i < n; i++) {
        struct stac_model *m;
        FAILS(open_patched(f, config, cases[i].patch, &m, &err), STAC_ERR_INPUT, cases[i].says);
        assert_null(m);
        if (!strstr(err.text, "config.json")) fail_msg("\"%s\" does not name the file", err.text);
    }
}

/* ---- config.json ------------------------------------------------------------------------------------------------ */

static void gpt2_values_that_are_refused(void **state) {
    static const struct refusal cases[] = {
        {"{\"model_type\":\"absent\"}", "\"model_type\" is missing"},
        {"{\"model_type\":\"mistral\"}", "the architecture \"mistral\" is not supported; supported are: gpt2, llama"},
        {"{\"model_type\":7}", "\"model_type\" is not a text"},
        {"{\"n_layer\":\"absent\"}", "\"n_layer\" is missing"},
        {"{\"n_layer\":0}", "\"n_layer\" is 0; accepted are 1 to 1024"},
        {"{\"n_layer\":-2}", "\"n_layer\" is -2; accepted are 1 to 1024"},
        {"{\"n_layer\":1025}", "\"n_layer\" is 1025; accepted are 1 to 1024"},
        {"{\"n_layer\":9223372036854775807}", "accepted are 1 to 1024"},
        {"{\"n_layer\":2.0}", "\"n_layer\" is not a whole number"},
        {"{\"n_layer\":\"2\"}", "\"n_layer\" is not a whole number"},
        {"{\"n_embd\":65537}", "\"n_embd\" is 65537; accepted are 1 to 65536"},
        {"{\"n_head\":7}", "7 heads do not divide the width 75"},
        {"{\"n_head\":150}", "150 heads do not divide the width 75"},
        {"{\"n_positions\":16777217}", "\"n_positions\" is 16777217"},
        {"{\"vocab_size\":0}", "\"vocab_size\" is 0"},
        {"{\"n_inner\":1048577}", "\"n_inner\" is 1048577"},
        {"{\"layer_norm_epsilon\":-1e-5}", "\"layer_norm_epsilon\" is -1e-05; accepted are 0 to 1"},
        {"{\"activation_function\":\"swish\"}", "\"activation_function\" is \"swish\", which is not supported"},
        {"{\"scale_attn_weights\":false}", "\"scale_attn_weights\" is false, which is not supported"},
        {"{\"scale_attn_by_inverse_layer_idx\":true}", "\"scale_attn_by_inverse_layer_idx\" is true, which is not supported"},
        {"{\"add_cross_attention\":true}", "\"add_cross_attention\" is true, which is not supported"},
        {"{\"quantization_config\":{\"bits\":4}}", "\"quantization_config\" is {\"bits\":4}, which is not supported"},
        {"{\"tie_word_embeddings\":1}", "\"tie_word_embeddings\" is not true or false"},
        {"{\"bos_token_id\":1001}", "the bos token 1001 lies outside the vocabulary of 1001"},
        {"{\"bos_token_id\":-1}", "\"bos_token_id\" is -1"},
        {"{\"bos_token_id\":[1]}", "\"bos_token_id\" is not a whole number"},
        {"{\"eos_token_id\":1001}", "the eos token 1001 lies outside the vocabulary of 1001"},
        {"{\"eos_token_id\":[1,-1]}", "\"eos_token_id\" is neither a token id nor a list of them"},
        {"{\"eos_token_id\":\"</s>\"}", "\"eos_token_id\" is neither a token id nor a list of them"},
        {"{\"eos_token_id\":[1,2,3,4,5,6,7,8,9]}", "\"eos_token_id\" lists 9 tokens, more than the 8 accepted"},
    };
    assert_refusals(*state, GPT2_CONFIG, cases, LENGTH(cases));
}

static void llama_values_that_are_refused(void **state) {
    static const struct refusal cases[] = {
        {"{\"hidden_act\":\"gelu\"}", "\"hidden_act\" is \"gelu\", which is not supported"},
        {"{\"num_key_value_heads\":3}", "4 heads cannot share 3 key and value heads evenly"},
        {"{\"num_key_value_heads\":8}", "4 heads cannot share 8 key and value heads evenly"},
        {"{\"num_attention_heads\":5,\"head_dim\":null,\"num_key_value_heads\":5}", "5 heads do not divide the width 32"},
        {"{\"head_dim\":15}", "rotary positions need an even number of channels in a head, not 15"},
        {"{\"head_dim\":4096,\"num_attention_heads\":4096,\"num_key_value_heads\":1}", "4096 heads of 4096 channels are wider"},
        {"{\"rope_theta\":0}", "\"rope_theta\" is 0; accepted are 1 to"},
        {"{\"rope_theta\":\"1e4\"}", "\"rope_theta\" is not a number"},
        {"{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}", "rope_scaling: "},
        {"{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}", "\"type\" is \"linear\", which is not supported"},
        {"{\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8}}", "\"rope_type\" is \"llama3\", which is not supported"},
        {"{\"rope_scaling\":2.5}", "\"rope_scaling\" is 2.5, which is not supported"},
        {"{\"rope_parameters\":{\"rope_theta\":50000,\"rope_type\":\"yarn\"}}", "\"rope_type\" is \"yarn\""},
        {"{\"rope_parameters\":{\"rope_theta\":1000,\"rope_type\":\"default\"}}",
         "\"rope_theta\" is 50000, but 1000 in \"rope_parameters\""},
        {"{\"rope_parameters\":{\"rope_type\":\"default\",\"partial_rotary_factor\":0.5}}", "\"partial_rotary_factor\" is 0.5"},
        {"{\"rope_parameters\":{\"full_attention\":{\"rope_theta\":1e4}}}", "\"rope_parameters\" is {\"full_attention\""},
        {"{\"rope_parameters\":[]}", "\"rope_parameters\" is [], which is not supported"},
        {"{\"partial_rotary_factor\":0.25}", "\"partial_rotary_factor\" is 0.25, which is not supported"},
        {"{\"rope_interleaved\":true}", "\"rope_interleaved\" is true, which is not supported"},
        {"{\"attention_bias\":true}", "\"attention_bias\" is true, which is not supported"},
        {"{\"mlp_bias\":true}", "\"mlp_bias\" is true, which is not supported"},
        {"{\"sliding_window\":4096}", "\"sliding_window\" is 4096, which is not supported"},
        {"{\"quantization_config\":{\"quant_method\":\"bitsandbytes\",\"more\":\"than an error line can take in with "
         "comfort\"}}",
         "..., which is not supported"},
        {"{\"rms_norm_eps\":null,\"rms_norm_eps\":\"small\"}", "\"rms_norm_eps\" is not a number"},
        {"{\"torch_dtype\":16}", "\"torch_dtype\" is not a text"},
    };
    assert_refusals(*state, LLAMA_CONFIG, cases, LENGTH(cases));
}

static void text_that_is_no_configuration(void **state) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "not valid JSON"},
        {"[1]", "does not hold a JSON object"},
        {"{\"model_type\":\"gpt2\",\"model_type\":\"llama\"}", "duplicate"},
        {"{\"model_type\":\"gpt2\xff\"}", "not valid JSON"},
    };
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_model *m;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        fx_write_text(f, "config.json", cases[i].text);
        FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT, cases[i].says);
    }
    struct stac_strbuf large = {0};
    fx_zeros(&large, (1 << 20) + 1);
    fx_write(f, "config.json", large.data, large.size);
    FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT, "1048577 bytes, more than the 1048576 accepted");
    stac_strbuf_clean(&large);
}

static void gpt2_values_that_are_read(void **state) {
    static const struct {
        const char *patch;
        enum stac_activation activation;
    } cases[] = {{"{}", STAC_ACT_GELU_TANH},
                 {"{\"activation_function\":\"absent\",\"layer_norm_epsilon\":null}", STAC_ACT_GELU_TANH},
                 {"{\"activation_function\":\"gelu_pytorch_tanh\",\"n_inner\":300}", STAC_ACT_GELU_TANH},
                 {"{\"activation_function\":\"gelu\",\"n_inner\":\"absent\"}", STAC_ACT_GELU_ERF},
                 {"{\"activation_function\":\"relu\",\"reorder_and_upcast_attn\":true}", STAC_ACT_RELU},
                 {"{\"scale_attn_weights\":true,\"add_cross_attention\":false,\"unknown\":[]}", STAC_ACT_GELU_TANH}};
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_model source;
    fx_gpt2(&source);
    fx_write_folder(f, &source, FX_F32);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_model *m;
        OK(open_patched(f, GPT2_CONFIG, cases[i].patch, &m, &err));
        const struct stac_hparams *hp = stac_model_hparams(m);
        assert_string_equal(hp->arch, "gpt2");
        assert_true(hp->n_layer == 2 && hp->n_embd == 75 && hp->n_head == 3 && hp->n_head_kv == 3 && hp->head_dim == 25);
        assert_true(hp->n_ff == 300 && hp->n_vocab == 1001 && hp->n_ctx == 6 && hp->norm == STAC_NORM_LAYER);
        assert_true(hp->norm_eps == 1e-5 && !hp->gated && hp->learned_positions && hp->rope_theta == 0 && hp->tied);
        assert_true(hp->bos == 7 && hp->n_eos == 1 && hp->eos[0] == 9 && hp->activation == cases[i].activation);
        stac_model_close(m);
    }
    fx_model_clean(&source);
}

static void llama_values_that_are_read(void **state) {
    static const struct {
        const char *patch;
        double theta;
    } cases[] = {{"{}", 50000},
                 {"{\"rope_theta\":\"absent\"}", 10000},
                 {"{\"rope_theta\":null,\"rope_parameters\":{\"rope_theta\":130000,\"rope_type\":\"default\"}}", 130000},
                 {"{\"rope_parameters\":{\"rope_theta\":50000.0,\"rope_type\":\"default\"}}", 50000},
                 {"{\"rope_parameters\":{\"rope_type\":\"default\"}}", 50000},
                 {"{\"rope_scaling\":null,\"sliding_window\":null,\"attention_bias\":null}", 50000},
                 {"{\"rope_scaling\":{\"type\":\"default\"},\"partial_rotary_factor\":1.0}", 50000},
                 {"{\"rope_interleaved\":false,\"pretraining_tp\":1,\"is_llama_config\":true}", 50000}};
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_model source;
    fx_llama(&source);
    fx_write_folder(f, &source, FX_F32);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_model *m;
        OK(open_patched(f, LLAMA_CONFIG, cases[i].patch, &m, &err));
        const struct stac_hparams *hp = stac_model_hparams(m);
        assert_string_equal(hp->arch, "llama");
        assert_true(hp->n_layer == 2 && hp->n_embd == 32 && hp->n_head == 4 && hp->n_head_kv == 2 && hp->head_dim == 16);
        assert_true(hp->n_ff == 96 && hp->n_vocab == 76 && hp->n_ctx == 16 && hp->norm == STAC_NORM_RMS &&
                    hp->norm_eps == 1e-6);
        assert_true(hp->gated && !hp->learned_positions && !hp->tied && hp->activation == STAC_ACT_SILU);
        assert_true(hp->rope_theta == cases[i].theta && hp->bos == 1 && hp->n_eos == 2 && hp->eos[0] == 2 && hp->eos[1] == 3);
        stac_model_close(m);
    }
    fx_model_clean(&source);
}

static void end_tokens_come_in_many_forms(void **state) {
    static const struct {
        const char *patch, *generation; /* NULL: no generation_config.json */
        int bos, n, first;
    } cases[] = {
        {"{}", NULL, 1, 2, 2},
        {"{\"eos_token_id\":5,\"bos_token_id\":null}", NULL, -1, 1, 5},
        {"{\"eos_token_id\":null}", NULL, 1, 0, 0},
        {"{\"eos_token_id\":\"absent\",\"bos_token_id\":\"absent\"}", NULL, -1, 0, 0},
        {"{\"eos_token_id\":5}", "{\"eos_token_id\":[6,7,8]}", 1, 3, 6},
        {"{\"eos_token_id\":5}", "{\"eos_token_id\":9,\"bos_token_id\":4}", 1, 1, 9},
        {"{\"eos_token_id\":5}", "{\"temperature\":0.7}", 1, 1, 5},
    };
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_model source;
    struct stac_model *m;
    fx_llama(&source);
    fx_write_folder(f, &source, FX_F32);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        unlink(fx_path(f, "generation_config.json"));
        if (cases[i].generation) fx_write_text(f, "generation_config.json", cases[i].generation);
        OK(open_patched(f, LLAMA_CONFIG, cases[i].patch, &m, &err));
        const struct stac_hparams *hp = stac_model_hparams(m);
        assert_true(hp->bos == cases[i].bos && hp->n_eos == cases[i].n && (hp->n_eos == 0 || hp->eos[0] == cases[i].first));
        stac_model_close(m);
    }
    fx_write_text(f, "generation_config.json", "{\"eos_token_id\":76}");
    FAILS(open_patched(f, LLAMA_CONFIG, "{}", &m, &err), STAC_ERR_INPUT, "the eos token 76 lies outside the vocabulary of 76");
    fx_write_text(f, "generation_config.json", "{\"eos_token_id\":{}}");
    FAILS(open_patched(f, LLAMA_CONFIG, "{}", &m, &err), STAC_ERR_INPUT, "generation_config.json");
    fx_model_clean(&source);
}

static void bytes_of_a_layer_follow_the_file(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_model source;
    struct stac_model *m;
    size_t values = 2 * 32 + 3 * 96 * 32 + 2 * 64 * 32 + 2 * 32 * 32;
    fx_llama(&source);
    fx_write_folder(f, &source, FX_BF16);
    OK(stac_model_open(f->path, &m, &err));
    assert_int_equal(stac_model_layer_bytes(m, 0), 2 * values);
    assert_int_equal(stac_model_layer_bytes(m, 1), 2 * values);
    assert_int_equal(stac_model_layer_bytes(m, 2), 0);
    stac_model_close(m);
    fx_model_clean(&source);
    fx_gpt2(&source);
    fx_write_folder(f, &source, FX_F16);
    OK(stac_model_open(f->path, &m, &err));
    assert_int_equal(stac_model_layer_bytes(m, 0), 2 * (75 * 225 + 225 + 75 * 75 + 75 + 2 * 75 * 300 + 300 + 75 + 4 * 75));
    stac_model_close(m);
    fx_model_clean(&source);
    struct fx_gguf g = {0};
    fx_llama(&source);
    fx_llama_keys(&g);
    fx_llama_tensors(&g, &source, FX_Q4_1);
    OK(stac_model_open(fx_write_gguf(f, &g), &m, &err));
    assert_int_equal(stac_model_layer_bytes(m, 1), 2 * 32 * 4 + (values - 2 * 32) / 32 * 20);
    stac_model_close(m);
    fx_model_clean(&source);
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

static void gguf_values_are_read(void **state) {
    struct stac_error err = {0};
    struct fx_model source;
    struct fx_gguf g = {0};
    struct stac_model *m;
    fx_llama(&source);
    fx_llama_keys(&g);
    fx_llama_tensors(&g, &source, FX_Q8_0);
    OK(stac_model_open(fx_write_gguf(*state, &g), &m, &err));
    const struct stac_hparams *hp = stac_model_hparams(m);
    assert_string_equal(hp->arch, "llama");
    assert_true(hp->n_layer == 2 && hp->n_embd == 32 && hp->n_head == 4 && hp->n_head_kv == 2 && hp->head_dim == 16);
    assert_true(hp->n_ff == 96 && hp->n_vocab == 76 && hp->n_ctx == 16 && hp->norm == STAC_NORM_RMS && hp->gated && !hp->tied);
    assert_true(hp->norm_eps == (double)1e-6f && hp->rope_theta == 50000 && hp->activation == STAC_ACT_SILU);
    assert_true(hp->bos == 1 && hp->n_eos == 2 && hp->eos[0] == 2 && hp->eos[1] == 3);
    stac_model_close(m);
    fx_model_clean(&source);
    fx_gpt2(&source);
    fx_gpt2_keys(&g);
    fx_gpt2_tensors(&g, &source, FX_F32);
    OK(stac_model_open(fx_write_gguf(*state, &g), &m, &err));
    hp = stac_model_hparams(m);
    assert_string_equal(hp->arch, "gpt2");
    assert_true(hp->n_layer == 2 && hp->n_embd == 75 && hp->n_head == 3 && hp->n_head_kv == 3 && hp->head_dim == 25);
    assert_true(hp->n_ff == 300 && hp->n_vocab == 1001 && hp->n_ctx == 6 && hp->norm == STAC_NORM_LAYER && !hp->gated &&
                hp->tied);
    assert_true(hp->norm_eps == (double)1e-5f && hp->rope_theta == 0 && hp->learned_positions);
    assert_true(hp->activation == STAC_ACT_GELU_TANH && hp->bos == 7 && hp->n_eos == 1 && hp->eos[0] == 9);
    stac_model_close(m);
    fx_model_clean(&source);
}

/* One key more or another value: a text, or else a number as F32 or U32. */
static void gguf_values_that_are_refused(void **state) {
    static const struct {
        const char *key, *text;
        bool real;
        double number;
        const char *says;
    } cases[] = {
        {"llama.expert_count", NULL, false, 8, "\"llama.expert_count\" is 8, which is not supported"},
        {"llama.attention.sliding_window", NULL, false, 64, "\"llama.attention.sliding_window\" is 64, which is not supported"},
        {"llama.rope.scaling.type", "linear", false, 0, "\"llama.rope.scaling.type\" is \"linear\", which is not supported"},
        {"llama.rope.scaling.factor", NULL, true, 4, "\"llama.rope.scaling.factor\" is 4, which is not supported"},
        {"llama.rope.scale_linear", NULL, true, 2, "\"llama.rope.scale_linear\" is 2, which is not supported"},
        {"llama.rope.dimension_count", NULL, false, 8, "\"llama.rope.dimension_count\" is 8, which is not supported"},
        {"llama.attention.value_length", NULL, false, 8, "\"llama.attention.value_length\" is 8, which is not supported"},
        {"llama.attention.key_length", NULL, false, 8, "\"llama.attention.value_length\" is 16, which is not supported"},
        {"llama.vocab_size", NULL, false, 77, "\"llama.vocab_size\" is 77; accepted are 76 to 76"},
        {"llama.block_count", NULL, false, 0, "\"llama.block_count\" is 0; accepted are 1 to 1024"},
        {"llama.block_count", NULL, false, 1025,
         "\"llama.block_count\" is 1025; accepted are 1 to 1024"}, /* llama.cpp #25821 */
        {"llama.block_count", NULL, false, 1, "the tensor blk.1.attn_norm.weight is no part of a llama model of 1 layers"},
        {"llama.block_count", NULL, false, 3, "the tensor blk.2.attn_norm.weight is missing"},
        {"llama.attention.head_count_kv", NULL, false, 3, "4 heads cannot share 3 key and value heads evenly"},
        {"llama.feed_forward_length", NULL, false, 64,
         "tensor blk.0.ffn_gate.weight has the shape [96, 32]; the hyper-parameters ask for"},
        {"llama.rope.freq_base", NULL, true, -1, "\"llama.rope.freq_base\" is -1; accepted are 1"},
        {"llama.rope.freq_base", NULL, true, NAN, "\"llama.rope.freq_base\" is"},
        {"tokenizer.ggml.bos_token_id", NULL, false, 76, "\"tokenizer.ggml.bos_token_id\" is 76; accepted are 0 to 75"},
        {"tokenizer.ggml.eos_token_id", NULL, false, UINT32_MAX, "\"tokenizer.ggml.eos_token_id\" is 4294967295"},
        {"general.architecture", "gemma", false, 0, "the architecture \"gemma\" is not supported; supported are: gpt2, llama"},
        {"general.architecture", NULL, false, 1, "\"general.architecture\" is a uint32, not a string"},
    };
    struct stac_error err = {0};
    struct fx_model source;
    fx_llama(&source);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct fx_gguf g = {0};
        struct stac_model *m;
        fx_llama_keys(&g);
        fx_llama_tensors(&g, &source, FX_F16);
        char *old = memmem(g.keys.data, g.keys.size, cases[i].key, strlen(cases[i].key));
        if (old) old[0] = 'x'; /* the key of that name is now another one */
        if (cases[i].text)
            fx_key_text(&g, cases[i].key, cases[i].text);
        else if (cases[i].real)
            fx_key_f32(&g, cases[i].key, (float)cases[i].number);
        else
            fx_key_u32(&g, cases[i].key, (uint32_t)cases[i].number);
        FAILS(stac_model_open(fx_write_gguf(*state, &g), &m, &err), STAC_ERR_INPUT, cases[i].says);
        if (!strstr(err.text, "model.gguf")) fail_msg("\"%s\" does not name the file", err.text);
    }
    fx_model_clean(&source);
}

static void gguf_strangers_are_refused(void **state) {
    static const char *const names[] = {"rope_freqs.weight", "blk.0.attn_q.bias", "blk.7.attn_q.weight", "blk..attn_q.weight"};
    static const int64_t shape[] = {32};
    struct stac_error err = {0};
    struct fx_model source;
    float x[32] = {0};
    fx_llama(&source);
    for (size_t i = 0; i < LENGTH(names); i++) {
        struct fx_gguf g = {0};
        struct stac_model *m;
        fx_llama_keys(&g);
        fx_llama_tensors(&g, &source, FX_F16);
        fx_gguf_tensor(&g, names[i], 1, shape, FX_F32, x);
        FAILS(stac_model_open(fx_write_gguf(*state, &g), &m, &err), STAC_ERR_INPUT, "is no part of a llama model");
        if (!strstr(err.text, names[i])) fail_msg("\"%s\" does not name %s", err.text, names[i]);
    }
    fx_model_clean(&source);
}

/* ---- real files ------------------------------------------------------------------------------------------------- */

/* Sums of weights times their index modulo 97, taken with numpy from the same files by another reader. */
struct checksum {
    enum stac_weight weight;
    int layer;
    double sum;
};

static void assert_checksums(struct stac_model *m, const struct checksum *sums, size_t n) {
    struct stac_error err = {0};
    for (size_t i = 0; i < n; i++) {
        size_t count = stac_model_count(m, sums[i].weight, sums[i].layer);
        float *x = malloc(count * sizeof *x);
        double sum = 0;
        OK(stac_model_read(m, sums[i].weight, sums[i].layer, x, &err));
        for (size_t k = 0; k < count; k++) sum += (double)x[k] * (double)(k % 97);
        free(x);
        if (fabs(sum - sums[i].sum) > 1e-6 * (1 + fabs(sums[i].sum)))
            fail_msg("weight %d of layer %d: %.9f, not %.9f", (int)sums[i].weight, sums[i].layer, sum, sums[i].sum);
    }
}

static void the_gpt2_of_the_tests(void **state) {
    (void)state;
    static const struct checksum sums[] = {
        {STAC_W_TOKEN_EMBD, 0, -4281.252779126},
        {STAC_W_POSITION_EMBD, 0, -44.661624372},
        {STAC_W_Q, 0, 329.574859560},
        {STAC_W_K, 3, 423.471188664},
        {STAC_W_V, 5, -33.138271570},
        {STAC_W_K_BIAS, 2, -0.001447201},
        {STAC_W_O, 1, -29.808965921},
        {STAC_W_UP, 4, -91.428689897},
        {STAC_W_DOWN, 5, -704.313885391},
        {STAC_W_FINAL_NORM_BIAS, 0, -23.343933105},
        {STAC_W_HEAD, 0, -5416.855582833},
    };
    struct stac_error err = {0};
    struct stac_model *m;
    char hex[STAC_SHA256_HEX];
    OK(stac_model_open(STAC_TEST_DATA "/models/gpt2-tiny-shakespeare", &m, &err));
    const struct stac_hparams *hp = stac_model_hparams(m);
    assert_true(hp->n_layer == 6 && hp->n_embd == 192 && hp->n_head == 6 && hp->n_ff == 768 && hp->n_vocab == 1024 &&
                hp->n_ctx == 256);
    assert_true(hp->tied && hp->bos == 0 && hp->n_eos == 1 && hp->eos[0] == 0 && hp->activation == STAC_ACT_GELU_TANH);
    assert_checksums(m, sums, LENGTH(sums));
    OK(stac_model_digest(m, hex, &err));
    assert_string_equal(hex, "cb572b025800e8212fe22bfeffa20f32f7c6371307c771d41ca03e664b0d780e");
    stac_model_close(m);
}

static void the_real_smollm2(void **state) {
    (void)state;
    static const struct checksum sums[] = {
        {STAC_W_TOKEN_EMBD, 0, -740630.334349632},
        {STAC_W_ATTN_NORM, 3, 7942.040985107},
        {STAC_W_Q, 0, 1755.239151001},
        {STAC_W_K, 29, 6187.900215149},
        {STAC_W_V, 7, 424.951232910},
        {STAC_W_O, 15, 3673.273040771},
        {STAC_W_GATE, 11, 8993.807518005},
        {STAC_W_UP, 22, -3200.123519897},
        {STAC_W_DOWN, 29, -1269.817047119},
        {STAC_W_FINAL_NORM, 0, 49451.531250000},
        {STAC_W_HEAD, 0, -749984.359195709},
    };
    const char *path = getenv("STAC_SMOLLM2_GGUF");
    if (!path) {
        printf("skipped: STAC_SMOLLM2_GGUF does not name a SmolLM2-135M-Instruct.Q4_1.gguf\n");
        skip();
    }
    struct stac_error err = {0};
    struct stac_model *m;
    OK(stac_model_open(path, &m, &err));
    const struct stac_hparams *hp = stac_model_hparams(m);
    assert_string_equal(hp->arch, "llama");
    assert_true(hp->n_layer == 30 && hp->n_embd == 576 && hp->n_head == 9 && hp->n_head_kv == 3 && hp->head_dim == 64);
    assert_true(hp->n_ff == 1536 && hp->n_vocab == 49152 && hp->n_ctx == 8192 && hp->rope_theta == 100000 && hp->tied);
    assert_true(hp->bos == 1 && hp->n_eos == 1 && hp->eos[0] == 2 && hp->norm_eps == (double)1e-5f);
    assert_checksums(m, sums, LENGTH(sums));
    stac_model_close(m);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fx_folder_make, fx_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(gpt2_values_that_are_refused),     IN_FOLDER(llama_values_that_are_refused),
        IN_FOLDER(text_that_is_no_configuration),    IN_FOLDER(gpt2_values_that_are_read),
        IN_FOLDER(llama_values_that_are_read),       IN_FOLDER(end_tokens_come_in_many_forms),
        IN_FOLDER(bytes_of_a_layer_follow_the_file), IN_FOLDER(gguf_values_are_read),
        IN_FOLDER(gguf_values_that_are_refused),     IN_FOLDER(gguf_strangers_are_refused),
        cmocka_unit_test(the_gpt2_of_the_tests),     cmocka_unit_test(the_real_smollm2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
