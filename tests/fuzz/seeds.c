/* The first inputs of the harnesses, and the HDF5 files that damage is done to, out of the fixtures of the unit tests.
 *
 *     fuzz_inputs FOLDER         writes FOLDER/corpus/NAME/seed-* and FOLDER/bases/NAME.h5; they are kept beside this file
 *
 * bases/ is written anew when a format's version changes; the kept inputs stay good, as damage somewhere else. metrics.h5 is
 * one that stac-eval wrote (see README.md here). */
#include "unit.h"

#include "fixture_models.h"
#include "fixture_schemes.h"
#include "fixture_stores.h"
#include "dist/record.h"
#include "store/session_file.h"
#include "store/windows_file.h"

static struct fx_folder folder;

/* ---- HDF5 --------------------------------------------------------------------------------------------------------- */

static void write_network(const char *name, const char *model, int scheme, int timesteps) {
    struct stac_error err = {0};
    struct fx_spiking s;
    struct stac_scheme how = fx_scheme(scheme, timesteps);
    char path[64];
    fx_spiking_make_with(&s, model, &how, 8, 1);
    snprintf(path, sizeof path, "bases/%s", name);
    OK(fx_store(&s, fx_path(&folder, path), &err));
    fx_spiking_clean(&s);
}

static void write_windows(void) {
    struct stac_error err = {0};
    int32_t token[4 * 12];
    fx_tokens(token, 48, 61, 5);
    struct stac_windows w = {.n = 4, .length = 12, .n_vocab = 61, .tokens = token, .source = "random tokens"};
    OK(stac_windows_write(fx_path(&folder, "bases/windows.h5"), &w, &err));
}

static void write_session(void) {
    struct stac_error err = {0};
    int32_t token[40];
    size_t turn[] = {3, 11, 20};
    fx_tokens(token, 40, 61, 6);
    struct stac_session q = {.token = token, .n = 40, .kept = 3, .turn = turn, .n_turns = 3, .forgotten = 17};
    OK(stac_session_write(fx_path(&folder, "bases/session.h5"), &q, 61, "0123456789abcdef", &err));
}

/* ---- models ------------------------------------------------------------------------------------------------------- */

/* A llama of one layer and one head, whose tensors any number format holds: 32 is the size of a block. */
static void small_llama(struct fx_model *m) {
    *m = (struct fx_model){.config = NULL};
    fx_add(m, "token_embd.weight", 0, 2, 11, 32);
    fx_add(m, "blk.#.attn_norm.weight", 0, 1, 32, 0);
    fx_add(m, "blk.#.attn_q.weight", 0, 2, 32, 32);
    fx_add(m, "blk.#.attn_k.weight", 0, 2, 32, 32);
    fx_add(m, "blk.#.attn_v.weight", 0, 2, 32, 32);
    fx_add(m, "blk.#.attn_output.weight", 0, 2, 32, 32);
    fx_add(m, "blk.#.ffn_norm.weight", 0, 1, 32, 0);
    fx_add(m, "blk.#.ffn_gate.weight", 0, 2, 32, 32);
    fx_add(m, "blk.#.ffn_up.weight", 0, 2, 32, 32);
    fx_add(m, "blk.#.ffn_down.weight", 0, 2, 32, 32);
    fx_add(m, "output_norm.weight", 0, 1, 32, 0);
}

static void vocabulary_keys(struct fx_gguf *g) {
    static const char *const tokens[11] = {"a", "b", "c", "d", "!", "ab", "cd", "abc", "\xC4\xA0", "<end>", "<|x|>"};
    static const char *const merges[] = {"a b", "c d", "ab c"};
    fx_key_text(g, "tokenizer.ggml.model", "gpt2");
    fx_key_text(g, "tokenizer.ggml.pre", "smollm");
    fx_key_array(g, "tokenizer.ggml.tokens", 8, 11);
    for (int i = 0; i < 11; i++) fx_text(&g->keys, tokens[i]);
    fx_key_array(g, "tokenizer.ggml.token_type", 5, 11);
    for (int i = 0; i < 11; i++) fx_u32(&g->keys, i < 9 ? 1 : i == 9 ? 3 : 4);
    fx_key_array(g, "tokenizer.ggml.merges", 8, 3);
    for (int i = 0; i < 3; i++) fx_text(&g->keys, merges[i]);
    fx_key_u32(g, "tokenizer.ggml.bos_token_id", 9);
    fx_key_u32(g, "tokenizer.ggml.eos_token_id", 9);
    fx_key_bool(g, "tokenizer.ggml.add_bos_token", 1);
    fx_key_text(g, "tokenizer.chat_template", "{% for message in messages %}{% endfor %}");
}

static void model_keys(struct fx_gguf *g) {
    fx_key_text(g, "general.architecture", "llama");
    fx_key_u32(g, "llama.block_count", 1);
    fx_key_u32(g, "llama.embedding_length", 32);
    fx_key_u32(g, "llama.attention.head_count", 1);
    fx_key_u32(g, "llama.context_length", 16);
    fx_key_u32(g, "llama.feed_forward_length", 32);
    fx_key_f32(g, "llama.attention.layer_norm_rms_epsilon", 1e-6f);
}

static void write_gguf(const char *name, enum fx_type type, bool model, bool vocabulary) {
    struct fx_gguf g = {0};
    struct fx_model m;
    struct stac_strbuf b = {0};
    char path[64];
    small_llama(&m);
    if (model) model_keys(&g);
    if (vocabulary) vocabulary_keys(&g);
    for (size_t i = 0; model && i < m.n; i++) fx_convert(&g, m.t[i].name, &m.t[i], FX_AS_IS, type);
    fx_gguf_finish(&g, &b);
    snprintf(path, sizeof path, "corpus/gguf/%s", name);
    fx_write(&folder, path, b.data, b.size);
    stac_strbuf_clean(&b);
    fx_model_clean(&m);
}

static void write_safetensors(const char *name, enum fx_type type) {
    struct fx_model m = {.config = NULL};
    struct stac_strbuf b = {0};
    char path[64];
    fx_add(&m, "a.weight", 0, 2, 2, 3);
    fx_add(&m, "b.bias", 0, 1, 5, 0);
    fx_add(&m, "h.#.empty", 3, 2, 4, 0);
    fx_safetensors(&b, m.t, m.n, type);
    snprintf(path, sizeof path, "corpus/safetensors/%s", name);
    fx_write(&folder, path, b.data, b.size);
    stac_strbuf_clean(&b);
    fx_model_clean(&m);
}

/* A record of a checkpoint, and what one holds of a layer of 3 inputs and 2 outputs; the first byte says which. */
static void write_records(void) {
    static const char body[] = "what was found";
    struct stac_bytes part = {body, sizeof body};
    struct stac_error err = {0};
    char job[STAC_SHA256_HEX], layer[1 + 3 * 2 + 2 * 2 * sizeof(float)] = {1, 5, -5, 127, 0, 3, -127}, *file;
    size_t size;
    memset(job, 'a', sizeof job - 1);
    job[sizeof job - 1] = 0;
    OK(stac_record_write(folder.path, "means", job, &part, 1, &err));
    snprintf(folder.path + strlen(folder.path), 8, "/means");
    OK(stac_file_read(folder.path, 4096, &file, &size, &err));
    unlink(folder.path);
    folder.path[strlen(folder.path) - strlen("/means")] = 0;
    char *whole = stac_alloc(size + 1, 1, "a record", &err);
    memcpy(whole + 1, file, size);
    fx_write(&folder, "corpus/checkpoint/seed-record", whole, size + 1);
    fx_write(&folder, "corpus/checkpoint/seed-layer", layer, sizeof layer);
    free(whole);
    free(file);
}

int main(int argc, char **argv) {
    static const char *const folders[] = {"", "/bases", "/corpus", "/corpus/gguf", "/corpus/safetensors", "/corpus/checkpoint"};
    struct stac_error err = {0};
    char path[256];
    if (argc != 2) return 2;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s%s", argv[1], folders[i]);
        OK(stac_file_make_folder(path, &err));
    }
    snprintf(folder.path, sizeof folder.path, "%s", argv[1]);
    if (fx_one_rank_begin(NULL) != 0) return 3;
    write_network("snn_table.h5", "gpt2-1head-relu", 0, 16);
    write_network("snn_causal.h5", "gpt2-1head-relu", 1, 8);
    write_network("snn_rate.h5", "llama-wide-heads-bf16", 5, 12);
    write_windows();
    write_session();
    write_gguf("seed-q4", FX_Q4_0, true, true);
    write_gguf("seed-q8", FX_Q8_0, true, false);
    write_gguf("seed-vocabulary", FX_F32, false, true);
    write_safetensors("seed-f32", FX_F32);
    write_safetensors("seed-bf16", FX_BF16);
    write_records();
    return fx_one_rank_end(NULL);
}
