/* model/model: every weight of both families comes out of every file format with the same values; what does not fit is
 * refused by name. The hyper-parameters are the matter of test_model_config.c. */
#include "fixture_models.h"

#include "base/hash.h"
#include "base/memory.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "model/stored_matrix.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

/* ---- what every weight must be ---------------------------------------------------------------------------------- */

enum storage { WHOLE, CONV1D, LINEAR }; /* vector or table; [inputs][outputs]; [outputs][inputs] */

struct expected {
    enum stac_weight weight;
    const char *name;
    enum storage storage;
    size_t inputs, outputs; /* of the weight */
    size_t all, first;      /* outputs of the tensor, and the weight's first one */
};

static const struct expected gpt2_weights[] = {
    {STAC_W_TOKEN_EMBD, "transformer.wte.weight", WHOLE, 1001, 75, 75, 0},
    {STAC_W_POSITION_EMBD, "transformer.wpe.weight", WHOLE, 6, 75, 75, 0},
    {STAC_W_ATTN_NORM, "transformer.h.#.ln_1.weight", WHOLE, 1, 75, 75, 0},
    {STAC_W_ATTN_NORM_BIAS, "transformer.h.#.ln_1.bias", WHOLE, 1, 75, 75, 0},
    {STAC_W_Q, "transformer.h.#.attn.c_attn.weight", CONV1D, 75, 75, 225, 0},
    {STAC_W_K, "transformer.h.#.attn.c_attn.weight", CONV1D, 75, 75, 225, 75},
    {STAC_W_V, "transformer.h.#.attn.c_attn.weight", CONV1D, 75, 75, 225, 150},
    {STAC_W_Q_BIAS, "transformer.h.#.attn.c_attn.bias", WHOLE, 1, 75, 225, 0},
    {STAC_W_K_BIAS, "transformer.h.#.attn.c_attn.bias", WHOLE, 1, 75, 225, 75},
    {STAC_W_V_BIAS, "transformer.h.#.attn.c_attn.bias", WHOLE, 1, 75, 225, 150},
    {STAC_W_O, "transformer.h.#.attn.c_proj.weight", CONV1D, 75, 75, 75, 0},
    {STAC_W_O_BIAS, "transformer.h.#.attn.c_proj.bias", WHOLE, 1, 75, 75, 0},
    {STAC_W_MLP_NORM, "transformer.h.#.ln_2.weight", WHOLE, 1, 75, 75, 0},
    {STAC_W_MLP_NORM_BIAS, "transformer.h.#.ln_2.bias", WHOLE, 1, 75, 75, 0},
    {STAC_W_UP, "transformer.h.#.mlp.c_fc.weight", CONV1D, 75, 300, 300, 0},
    {STAC_W_UP_BIAS, "transformer.h.#.mlp.c_fc.bias", WHOLE, 1, 300, 300, 0},
    {STAC_W_DOWN, "transformer.h.#.mlp.c_proj.weight", CONV1D, 300, 75, 75, 0},
    {STAC_W_DOWN_BIAS, "transformer.h.#.mlp.c_proj.bias", WHOLE, 1, 75, 75, 0},
    {STAC_W_FINAL_NORM, "transformer.ln_f.weight", WHOLE, 1, 75, 75, 0},
    {STAC_W_FINAL_NORM_BIAS, "transformer.ln_f.bias", WHOLE, 1, 75, 75, 0},
    {STAC_W_HEAD, "transformer.wte.weight", LINEAR, 75, 1001, 1001, 0},
};

static const struct expected llama_weights[] = {
    {STAC_W_TOKEN_EMBD, "model.embed_tokens.weight", WHOLE, 76, 32, 32, 0},
    {STAC_W_ATTN_NORM, "model.layers.#.input_layernorm.weight", WHOLE, 1, 32, 32, 0},
    {STAC_W_Q, "model.layers.#.self_attn.q_proj.weight", LINEAR, 32, 64, 64, 0},
    {STAC_W_K, "model.layers.#.self_attn.k_proj.weight", LINEAR, 32, 32, 32, 0},
    {STAC_W_V, "model.layers.#.self_attn.v_proj.weight", LINEAR, 32, 32, 32, 0},
    {STAC_W_O, "model.layers.#.self_attn.o_proj.weight", LINEAR, 64, 32, 32, 0},
    {STAC_W_MLP_NORM, "model.layers.#.post_attention_layernorm.weight", WHOLE, 1, 32, 32, 0},
    {STAC_W_GATE, "model.layers.#.mlp.gate_proj.weight", LINEAR, 32, 96, 96, 0},
    {STAC_W_UP, "model.layers.#.mlp.up_proj.weight", LINEAR, 32, 96, 96, 0},
    {STAC_W_DOWN, "model.layers.#.mlp.down_proj.weight", LINEAR, 96, 32, 32, 0},
    {STAC_W_FINAL_NORM, "model.norm.weight", WHOLE, 1, 32, 32, 0},
    {STAC_W_HEAD, "lm_head.weight", LINEAR, 32, 76, 76, 0},
};

static void assert_weight(struct stac_model *m, struct fx_model *source, const struct expected *e, int layer) {
    struct stac_error err = {0};
    size_t n = e->inputs * e->outputs;
    const float *values = fx_find(source, e->name, layer)->values;
    float *x = malloc(n * sizeof *x);
    assert_true(stac_model_has(m, e->weight, layer));
    assert_int_equal(stac_model_count(m, e->weight, layer), n);
    OK(stac_model_read(m, e->weight, layer, x, &err));
    for (size_t i = 0; i < n; i++) {
        size_t in = i / e->outputs, out = e->first + i % e->outputs;
        float wanted = e->storage == LINEAR ? values[out * e->inputs + in] : values[in * e->all + out];
        if (x[i] != wanted)
            fail_msg("weight %d of layer %d: value %zu is %g, not %g", (int)e->weight, layer, i, (double)x[i], (double)wanted);
    }
    free(x);
}

static void assert_weights(const char *path, struct fx_model *source, const struct expected *expected, size_t n) {
    struct stac_error err = {0};
    struct stac_model *m;
    bool listed[STAC_W_COUNT] = {false};
    OK(stac_model_open(path, &m, &err));
    assert_string_equal(stac_model_path(m), path);
    for (size_t i = 0; i < n; i++) {
        listed[expected[i].weight] = true;
        assert_weight(m, source, &expected[i], 0);
        if (strchr(expected[i].name, '#')) assert_weight(m, source, &expected[i], 1);
        assert_false(stac_model_has(m, expected[i].weight, -1));
        assert_false(stac_model_has(m, expected[i].weight, 2));
    }
    for (int w = 0; w < STAC_W_COUNT; w++) {
        float one;
        if (listed[w]) continue;
        assert_false(stac_model_has(m, (enum stac_weight)w, 0));
        assert_int_equal(stac_model_count(m, (enum stac_weight)w, 0), 0);
        FAILS(stac_model_read(m, (enum stac_weight)w, 0, &one, &err), STAC_ERR_INTERNAL, "the model has no weight");
    }
    stac_model_close(m);
}

/* ---- both families in every format ------------------------------------------------------------------------------ */

static void a_gpt2_folder_in_every_type(void **state) {
    static const enum fx_type types[] = {FX_F32, FX_F16, FX_BF16};
    const struct fx_folder *f = *state;
    struct fx_model source;
    fx_gpt2(&source);
    for (size_t i = 0; i < LENGTH(types); i++) {
        fx_write_folder(f, &source, types[i]);
        assert_weights(f->path, &source, gpt2_weights, LENGTH(gpt2_weights));
    }
    fx_model_clean(&source);
    stac_model_close(NULL);
}

static void a_llama_folder_in_every_type(void **state) {
    static const enum fx_type types[] = {FX_F32, FX_F16, FX_BF16};
    const struct fx_folder *f = *state;
    struct fx_model source;
    fx_llama(&source);
    for (size_t i = 0; i < LENGTH(types); i++) {
        fx_write_folder(f, &source, types[i]);
        assert_weights(f->path, &source, llama_weights, LENGTH(llama_weights));
    }
    fx_model_clean(&source);
}

static void a_gpt2_gguf_is_transposed_back(void **state) {
    static const enum fx_type types[] = {FX_F32, FX_F16, FX_BF16};
    struct fx_model source;
    fx_gpt2(&source);
    for (size_t i = 0; i < LENGTH(types); i++) {
        struct fx_gguf g = {0};
        fx_gpt2_keys(&g);
        fx_gpt2_tensors(&g, &source, types[i]);
        assert_weights(fx_write_gguf(*state, &g), &source, gpt2_weights, LENGTH(gpt2_weights));
    }
    fx_model_clean(&source);
}

static void a_llama_gguf_is_decoded_and_unpermuted(void **state) {
    static const enum fx_type types[] = {FX_F32, FX_F16, FX_BF16, FX_Q8_0, FX_Q4_0, FX_Q4_1};
    struct fx_model source;
    fx_llama(&source);
    for (size_t i = 0; i < LENGTH(types); i++) {
        struct fx_gguf g = {0};
        fx_llama_keys(&g);
        fx_llama_tensors(&g, &source, types[i]);
        assert_weights(fx_write_gguf(*state, &g), &source, llama_weights, LENGTH(llama_weights));
    }
    fx_model_clean(&source);
}

/* Base models are saved without the prefix; an untied head never has it. */
static void names_come_without_prefix(void **state) {
    const struct fx_folder *f = *state;
    struct fx_model gpt2, llama;
    fx_gpt2(&gpt2);
    fx_llama(&llama);
    struct fx_model bare = gpt2;
    fx_strip(&bare, "transformer.");
    fx_write_folder(f, &bare, FX_F32);
    assert_weights(f->path, &gpt2, gpt2_weights, LENGTH(gpt2_weights));
    bare = llama;
    fx_strip(&bare, "model.");
    fx_write_folder(f, &bare, FX_F32);
    assert_weights(f->path, &llama, llama_weights, LENGTH(llama_weights));
    fx_model_clean(&gpt2);
    fx_model_clean(&llama);
}

static void buffers_are_ignored_and_strangers_refused(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_model *m;
    struct fx_model source;
    fx_gpt2(&source);
    fx_add(&source, "transformer.h.#.attn.bias", 0, 2, 6, 6);
    fx_add(&source, "transformer.h.#.attn.masked_bias", 1, 0, 0, 0);
    fx_write_folder(f, &source, FX_F32);
    assert_weights(f->path, &source, gpt2_weights, LENGTH(gpt2_weights));
    struct fx_model bare = source;
    fx_strip(&bare, "transformer.");
    fx_write_folder(f, &bare, FX_F32);
    assert_weights(f->path, &source, gpt2_weights, LENGTH(gpt2_weights));
    strcpy(fx_find(&source, "transformer.h.#.attn.bias", 0)->name, "transformer.h.0.attn.q_attn.weight");
    fx_write_folder(f, &source, FX_F32);
    FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT,
          "the tensor transformer.h.0.attn.q_attn.weight is no part of a gpt2 model of 2 layers");
    strcpy(source.t[source.n - 2].name, "transformer.h.2.ln_1.weight"); /* a layer more than config.json says */
    fx_write_folder(f, &source, FX_F32);
    FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT, "the tensor transformer.h.2.ln_1.weight is no part");
    assert_null(m);
    fx_model_clean(&source);
}

/* ---- heads ------------------------------------------------------------------------------------------------------ */

static void a_tied_head_is_the_embedding(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_model *m;
    struct fx_model source;
    struct expected head = llama_weights[LENGTH(llama_weights) - 1];
    fx_llama(&source);
    char config[1024];
    snprintf(config, sizeof config, "{\"tie_word_embeddings\":true,%s", &LLAMA_CONFIG[1]);
    source.config = config;
    fx_write_folder(f, &source, FX_F32); /* with a head of its own, which transformers ignores too */
    OK(stac_model_open(f->path, &m, &err));
    head.name = "model.embed_tokens.weight";
    assert_weight(m, &source, &head, 0);
    stac_model_close(m);
    free(source.t[--source.n].values);
    fx_write_folder(f, &source, FX_F32);
    OK(stac_model_open(f->path, &m, &err));
    assert_weight(m, &source, &head, 0);
    stac_model_close(m);
    source.config = LLAMA_CONFIG;
    fx_write_folder(f, &source, FX_F32);
    FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT, "the tensor lm_head.weight is missing");
    fx_model_clean(&source);
}

static void gguf_ties_by_leaving_the_head_out(void **state) {
    struct stac_error err = {0};
    struct stac_model *m;
    struct fx_model source;
    struct fx_gguf g = {0};
    fx_gpt2(&source);
    fx_gpt2_keys(&g);
    fx_gpt2_tensors(&g, &source, FX_F16);
    const char *path = fx_write_gguf(*state, &g);
    OK(stac_model_open(path, &m, &err));
    assert_true(stac_model_hparams(m)->tied);
    stac_model_close(m);
    fx_gpt2_keys(&g);
    fx_gpt2_tensors(&g, &source, FX_F16);
    fx_convert(&g, "output.weight", fx_find(&source, "transformer.wte.weight", 0), FX_AS_IS, FX_F32); /* old converters */
    path = fx_write_gguf(*state, &g);
    OK(stac_model_open(path, &m, &err));
    assert_false(stac_model_hparams(m)->tied);
    stac_model_close(m);
    fx_model_clean(&source);
}

/* ---- shards ----------------------------------------------------------------------------------------------------- */

/* Layer 0 and what is outside of the blocks in shard 1, layer 1 in shard 2; `index` receives the index. */
static void write_shards(const struct fx_folder *f, const struct fx_model *m, struct stac_strbuf *index) {
    struct fx_tensor parts[2][64];
    size_t n[2] = {0};
    struct stac_error err = {0};
    OK(stac_strbuf_printf(index, &err, "{\"metadata\":{\"total_size\":1},\"weight_map\":{"));
    for (size_t i = 0; i < m->n; i++) {
        int part = strstr(m->t[i].name, ".1.") != NULL;
        parts[part][n[part]++] = m->t[i];
        OK(stac_strbuf_printf(index, &err, "%s\"%s\":\"s%d.safetensors\"", i ? "," : "", m->t[i].name, part + 1));
    }
    fx_puts(index, "}}");
    for (int part = 0; part < 2; part++) {
        struct stac_strbuf b = {0};
        fx_safetensors(&b, parts[part], n[part], FX_BF16);
        fx_write(f, part ? "s2.safetensors" : "s1.safetensors", b.data, b.size);
        stac_strbuf_clean(&b);
    }
    fx_write_text(f, "config.json", m->config);
    fx_write_text(f, "model.safetensors.index.json", index->data);
}

static void shards_are_opened_when_they_are_needed(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_strbuf index = {0};
    struct stac_model *m;
    struct fx_model source;
    float x[75];
    fx_llama(&source);
    write_shards(f, &source, &index);
    assert_weights(f->path, &source, llama_weights, LENGTH(llama_weights));
    fx_write_text(f, "s2.safetensors", "rubbish");
    OK(stac_model_open(f->path, &m, &err));
    size_t bytes = stac_model_layer_bytes(m, 1);
    assert_int_equal(bytes, 4 * (2 * 32 + 3 * 96 * 32 + 2 * 64 * 32 + 2 * 32 * 32)); /* float32, as config.json says nothing */
    OK(stac_model_read(m, STAC_W_ATTN_NORM, 0, x, &err));
    assert_int_equal(stac_model_layer_bytes(m, 0), bytes);
    FAILS(stac_model_read(m, STAC_W_ATTN_NORM, 1, x, &err), STAC_ERR_INPUT, "s2.safetensors");
    FAILS(stac_model_read(m, STAC_W_MLP_NORM, 1, x, &err), STAC_ERR_INPUT, "s2.safetensors");
    stac_model_close(m);
    unlink(fx_path(f, "s2.safetensors"));
    FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT, "the shard s2.safetensors is missing in the folder /tmp/");
    stac_strbuf_clean(&index);
    fx_model_clean(&source);
}

static void shards_must_be_what_the_index_says(void **state) {
    static const struct {
        const char *from, *to, *says; /* a change of the index */
    } cases[] = {
        {"layers.1.input_layernorm.weight\":\"s2", "layers.1.input_layernorm.weight\":\"s1",
         "lacks the tensor model.layers.1.input_layernorm"},
        {"layers.0.input_layernorm.weight\":\"s1", "layers.0.input_layernorm.weight\":\"s2",
         "holds the tensor model.layers.0.input_layernorm.weight, which the index puts into s2.safetensors"},
        {"\"s1.safetensors\"", "\"../s1.safetensors\"", "is not a plain file name"},
        {"\"s1.safetensors\"", "\"s9.safetensors\"", "the shard s9.safetensors is missing in the folder"},
        {"\"model.norm.weight\"", "\"model.norm.weighs\"", "the tensor model.norm.weight is missing"},
    };
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_model source;
    float x[75];
    fx_llama(&source);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_strbuf index = {0}, changed = {0};
        struct stac_model *m;
        write_shards(f, &source, &index);
        char *at = strstr(index.data, cases[i].from);
        assert_non_null(at);
        fx_put(&changed, index.data, (size_t)(at - index.data));
        fx_puts(&changed, cases[i].to);
        fx_puts(&changed, at + strlen(cases[i].from));
        fx_write_text(f, "model.safetensors.index.json", changed.data);
        stac_error_clear(&err);
        int status = stac_model_open(f->path, &m, &err);
        if (status == STAC_OK) status = stac_model_read(m, STAC_W_FINAL_NORM, 0, x, &err);
        if (!strstr(err.text, cases[i].says)) fail_msg("\"%s\" does not contain \"%s\"", err.text, cases[i].says);
        assert_int_equal(status, STAC_ERR_INPUT);
        stac_model_close(m);
        stac_strbuf_clean(&index);
        stac_strbuf_clean(&changed);
    }
    fx_model_clean(&source);
}

/* A shape that does not fit is found when its shard is opened, whichever weight of the shard is read. */
static void shapes_are_checked_shard_by_shard(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_strbuf index = {0};
    struct stac_model *m;
    struct fx_model source;
    float x[75];
    fx_llama(&source);
    fx_find(&source, "model.layers.#.mlp.up_proj.weight", 1)->shape[0] = 48;
    write_shards(f, &source, &index);
    OK(stac_model_open(f->path, &m, &err));
    OK(stac_model_read(m, STAC_W_FINAL_NORM, 0, x, &err));
    for (int again = 0; again < 2; again++)
        FAILS(stac_model_read(m, STAC_W_ATTN_NORM, 1, x, &err), STAC_ERR_INPUT,
              "s2.safetensors: tensor model.layers.1.mlp.up_proj.weight has the shape [48, 32]; the hyper-parameters ask for "
              "[96, 32]");
    stac_model_close(m);
    stac_strbuf_clean(&index);
    fx_model_clean(&source);
}

/* ---- weights that do not fit ------------------------------------------------------------------------------------ */

static void wrong_shapes_are_refused(void **state) {
    static const struct {
        const char *name;
        int n_dims;
        int64_t shape[2];
        const char *says;
    } cases[] = {
        {"transformer.wte.weight", 2, {1000, 75}, "[1000, 75]; the hyper-parameters ask for [1001, 75]"},
        {"transformer.wpe.weight", 2, {5, 75}, "[5, 75]; the hyper-parameters ask for [6, 75]"},
        {"transformer.h.0.attn.c_attn.weight", 2, {225, 75}, "[225, 75]; the hyper-parameters ask for [75, 225]"}, /* Linear */
        {"transformer.h.1.mlp.c_proj.weight", 2, {75, 300}, "[75, 300]; the hyper-parameters ask for [300, 75]"},
        {"transformer.h.1.ln_1.bias", 2, {1, 75}, "[1, 75]; the hyper-parameters ask for [75]"},
        {"transformer.h.1.ln_1.bias", 2, {75, 1}, "[75, 1]; the hyper-parameters ask for [75]"},
        {"transformer.h.1.ln_1.bias", 0, {0}, "[]; the hyper-parameters ask for [75]"},
        {"transformer.h.0.attn.c_attn.bias", 1, {75}, "[75]; the hyper-parameters ask for [225]"},
    };
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_model source;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_model *m;
        fx_gpt2(&source);
        struct fx_tensor *t = fx_find(&source, cases[i].name, 0);
        t->n_dims = cases[i].n_dims;
        memcpy(t->shape, cases[i].shape, sizeof cases[i].shape);
        fx_write_folder(f, &source, FX_F16);
        FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT, cases[i].says);
        if (!strstr(err.text, cases[i].name)) fail_msg("\"%s\" does not name the tensor", err.text);
        strcpy(t->name, "transformer.h.0.attn.bias");
        fx_write_folder(f, &source, FX_F16);
        FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT, "is missing");
        fx_model_clean(&source);
    }
}

static void values_must_be_finite_and_of_a_read_type(void **state) {
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_model *m;
    struct fx_model source;
    float *x = malloc(1001 * 75 * sizeof *x);
    for (size_t i = 0; i < LENGTH(bad); i++) {
        fx_gpt2(&source);
        fx_find(&source, "transformer.wte.weight", 0)->values[75074] = bad[i];
        fx_find(&source, "transformer.h.#.ln_1.bias", 1)->values[0] = bad[i];
        fx_write_folder(f, &source, i == 1 ? FX_BF16 : FX_F32);
        OK(stac_model_open(f->path, &m, &err));
        FAILS(stac_model_read(m, STAC_W_TOKEN_EMBD, 0, x, &err), STAC_ERR_INPUT,
              "tensor transformer.wte.weight holds values that are not finite");
        FAILS(stac_model_read(m, STAC_W_HEAD, 0, x, &err), STAC_ERR_INPUT, "not finite");
        FAILS(stac_model_read(m, STAC_W_ATTN_NORM_BIAS, 1, x, &err), STAC_ERR_INPUT, "transformer.h.1.ln_1.bias");
        OK(stac_model_read(m, STAC_W_ATTN_NORM_BIAS, 0, x, &err));
        stac_model_close(m);
        fx_model_clean(&source);
    }
    fx_gpt2(&source);
    fx_safetensors(&b, source.t, source.n, FX_F16);
    for (char *at = b.data + 8; (at = memmem(at, b.size - (size_t)(at - b.data), "\"F16\"", 5)) != NULL; at++)
        memcpy(at, "\"I16\"", 5);
    fx_write(f, "model.safetensors", b.data, b.size);
    OK(stac_model_open(f->path, &m, &err));
    FAILS(stac_model_read(m, STAC_W_FINAL_NORM, 0, x, &err), STAC_ERR_INPUT,
          "tensor transformer.ln_f.weight is stored as I16, which is not read (F32, F16 and BF16 are)");
    stac_model_close(m);
    stac_strbuf_clean(&b);
    fx_model_clean(&source);
    free(x);
}

/* Windows of a tensor whose rows are longer than what a thread converts at a time, and which no tile divides. */
static void long_rows_are_read_in_parts(void **state) {
    enum { ROWS = 5, COLS = 40001, FIRST = 7, WIDTH = 33331 };
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_safetensors *file;
    struct fx_tensor t = {"t", 2, {ROWS, COLS}, malloc(ROWS * COLS * sizeof(float))};
    float *x = malloc(ROWS * WIDTH * sizeof *x);
    for (size_t i = 0; i < ROWS * COLS; i++) t.values[i] = fx_value(5, i);
    fx_safetensors(&b, &t, 1, FX_F16);
    OK(stac_safetensors_open(fx_write(*state, "t.safetensors", b.data, b.size), &file, &err));
    struct stac_stored s = {
        .tensor = stac_safetensors_at(file, 0), .cols = COLS, .row = 1, .n_rows = 3, .col = FIRST, .n_cols = WIDTH};
    OK(stac_stored_copy(&s, x, &err));
    for (size_t i = 0; i < 3 * WIDTH; i++) assert_true(x[i] == t.values[(1 + i / WIDTH) * COLS + FIRST + i % WIDTH]);
    OK(stac_stored_transpose(&s, x, &err));
    for (size_t i = 0; i < 3 * WIDTH; i++) assert_true(x[i] == t.values[(1 + i % 3) * COLS + FIRST + i / 3]);
    stac_safetensors_close(file);
    stac_strbuf_clean(&b);
    free(t.values);
    free(x);
}

/* ---- paths ------------------------------------------------------------------------------------------------------ */

static void what_is_no_model_is_refused(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_model *m;
    FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT, "holds no config.json");
    fx_write_text(f, "config.json", GPT2_CONFIG);
    FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT,
          "holds neither model.safetensors nor model.safetensors.index.json");
    fx_write_text(f, "pytorch_model.bin", "x");
    FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT, "save the model as safetensors");
    FAILS(stac_model_open(fx_write_text(f, "x.safetensors", "x"), &m, &err), STAC_ERR_INPUT, "name the folder that holds both");
    FAILS(stac_model_open(fx_write_text(f, "x.bin", "something"), &m, &err), STAC_ERR_INPUT, "not a GGUF file");
    FAILS(stac_model_open(fx_path(f, "absent"), &m, &err), STAC_ERR_IO, "cannot open");
    fx_write_text(f, "model.safetensors.index.json", "{\"weight_map\":{\"a\":\"x.safetensors\"}}");
    FAILS(stac_model_open(f->path, &m, &err), STAC_ERR_INPUT, "the tensor transformer.wte.weight is missing");
    assert_null(m);
}

static void the_digest_covers_weights_and_config(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_strbuf all = {0}, index = {0};
    struct stac_model *m;
    struct fx_model source;
    char hex[STAC_SHA256_HEX], wanted[STAC_SHA256_HEX];
    fx_llama(&source);
    write_shards(f, &source, &index);
    static const char *const parts[] = {"s1.safetensors", "s2.safetensors", "config.json"};
    for (size_t i = 0; i < LENGTH(parts); i++) {
        FILE *file = fopen(fx_path(f, parts[i]), "rb");
        for (int c = fgetc(file); c != EOF; c = fgetc(file)) fx_put(&all, &(char){(char)c}, 1);
        fclose(file);
    }
    OK(stac_sha256_bytes(all.data, all.size, wanted, &err));
    OK(stac_model_open(f->path, &m, &err));
    OK(stac_model_digest(m, hex, &err));
    assert_string_equal(hex, wanted);
    unlink(fx_path(f, "s1.safetensors"));
    FAILS(stac_model_digest(m, hex, &err), STAC_ERR_IO, "s1.safetensors");
    stac_model_close(m);
    stac_strbuf_clean(&all);
    stac_strbuf_clean(&index);
    fx_model_clean(&source);
}

/* ---- damage ----------------------------------------------------------------------------------------------------- */

/* Open a path and, if it opens, read all there is. Returns whether it opened. */
static bool try_everything(const char *path, uint64_t seed) {
    struct stac_error err = {0};
    struct stac_model *m;
    int status = stac_model_open(path, &m, &err);
    if (status != STAC_OK) {
        if (status != STAC_ERR_INPUT || !*err.text) fail_msg("seed %zu: status %d (%s)", (size_t)seed, status, err.text);
        return false;
    }
    for (int w = 0; w < STAC_W_COUNT; w++)
        for (int layer = 0; layer < 3; layer++) {
            size_t n = stac_model_count(m, (enum stac_weight)w, layer);
            float *x = n ? malloc(n * sizeof *x) : NULL;
            stac_error_clear(&err);
            status = n ? stac_model_read(m, (enum stac_weight)w, layer, x, &err) : STAC_OK;
            if (status != STAC_OK && status != STAC_ERR_INPUT)
                fail_msg("seed %zu: status %d (%s)", (size_t)seed, status, err.text);
            free(x);
        }
    stac_model_close(m);
    return true;
}

static void damaged_models_open_cleanly_or_not(void **state) {
    const struct fx_folder *f = *state;
    struct stac_strbuf whole = {0}, gguf = {0}, config = {0}, copy = {0};
    struct fx_gguf g = {0};
    struct fx_model source;
    size_t opened = 0, before = stac_peak_memory();
    fx_llama(&source);
    fx_safetensors(&whole, source.t, source.n, FX_F16);
    fx_puts(&config, source.config);
    fx_llama_keys(&g);
    fx_llama_tensors(&g, &source, FX_Q4_1);
    size_t header = fx_gguf_finish(&g, &gguf);
    for (uint64_t seed = 0; seed < 3000; seed++) {
        const struct stac_strbuf *victims[] = {&whole, &config, &gguf};
        struct stac_strbuf part = *victims[seed % 3]; /* damage headers rather than weights */
        size_t front = seed % 3 == 0 ? 2500 : seed % 3 == 1 ? part.size : header, rest = part.size - front;
        part.size = front;
        fx_damage(&copy, &part, seed);
        if (copy.size == front) fx_put(&copy, part.data + front, rest);
        if (seed % 3 != 0) fx_write(f, "model.safetensors", whole.data, whole.size);
        if (seed % 3 != 1) fx_write_text(f, "config.json", source.config);
        fx_write(f, seed % 3 == 0 ? "model.safetensors" : seed % 3 == 1 ? "config.json" : "model.gguf", copy.data, copy.size);
        opened += try_everything(seed % 3 == 2 ? fx_path(f, "model.gguf") : f->path, seed);
    }
    assert_true(opened > 0 && opened < 3000);
    assert_true(stac_peak_memory() - before < FX_MODEST);
    stac_strbuf_clean(&whole);
    stac_strbuf_clean(&gguf);
    stac_strbuf_clean(&config);
    stac_strbuf_clean(&copy);
    fx_model_clean(&source);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fx_folder_make, fx_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_gpt2_folder_in_every_type),
        IN_FOLDER(a_llama_folder_in_every_type),
        IN_FOLDER(a_gpt2_gguf_is_transposed_back),
        IN_FOLDER(a_llama_gguf_is_decoded_and_unpermuted),
        IN_FOLDER(names_come_without_prefix),
        IN_FOLDER(buffers_are_ignored_and_strangers_refused),
        IN_FOLDER(a_tied_head_is_the_embedding),
        IN_FOLDER(gguf_ties_by_leaving_the_head_out),
        IN_FOLDER(shards_are_opened_when_they_are_needed),
        IN_FOLDER(shards_must_be_what_the_index_says),
        IN_FOLDER(shapes_are_checked_shard_by_shard),
        IN_FOLDER(wrong_shapes_are_refused),
        IN_FOLDER(values_must_be_finite_and_of_a_read_type),
        IN_FOLDER(long_rows_are_read_in_parts),
        IN_FOLDER(what_is_no_model_is_refused),
        IN_FOLDER(the_digest_covers_weights_and_config),
        IN_FOLDER(damaged_models_open_cleanly_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
