/* A GGUF file, as a file, as a model and as a vocabulary. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "model/gguf.h"
#include "model/model.h"
#include "text/tokenizer.h"

enum { MOST_VALUES = 1 << 20 };

/* ---- the file ----------------------------------------------------------------------------------------------------- */

static void read_keys(const struct stac_gguf *g, size_t size) {
    static const char *const lists[] = {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"};
    struct stac_gguf_string *strings;
    int32_t *numbers;
    size_t n;
    for (int i = 0; i < 2; i++) {
        struct stac_error err = {0};
        if (!fuzz_accepted(stac_gguf_strings(g, lists[i], &strings, &n, &err), &err)) continue;
        PROMISE(n < size && (strings == NULL) == !stac_gguf_has(g, lists[i]));
        for (size_t k = 0; k < n; k++) fuzz_touch(strings[k].data, strings[k].size);
        free(strings);
    }
    struct stac_error err = {0};
    if (!fuzz_accepted(stac_gguf_ints(g, "tokenizer.ggml.token_type", &numbers, &n, &err), &err)) return;
    PROMISE(n < size);
    fuzz_touch(numbers, n * sizeof *numbers);
    free(numbers);
}

static void read_tensor(const struct stac_gguf *g, const struct stac_gguf_tensor *t, size_t size) {
    struct stac_error err = {0};
    size_t count = 1;
    PROMISE(stac_gguf_find(g, t->name) == t && *t->name && t->n_dims >= 1 && t->n_dims <= 4 && t->size < size);
    for (int d = 0; d < 4; d++) {
        PROMISE(t->ne[d] >= 1);
        count *= (size_t)t->ne[d];
    }
    fuzz_touch(t->data, t->size);
    if (count > MOST_VALUES) return;
    float *out = malloc(count * sizeof *out);
    PROMISE(out != NULL);
    if (fuzz_accepted(stac_gguf_decode(t, out, &err), &err)) fuzz_touch(out, count * sizeof *out);
    free(out);
}

static bool read_file(const char *path, size_t size) {
    struct stac_error err = {0};
    struct stac_gguf *g;
    if (!fuzz_accepted(stac_gguf_open(path, &g, &err), &err)) {
        PROMISE(g == NULL);
        return false;
    }
    read_keys(g, size);
    for (size_t i = 0; i < stac_gguf_n_tensors(g); i++) read_tensor(g, stac_gguf_tensor_at(g, i), size);
    stac_gguf_close(g);
    return true;
}

/* ---- the model ---------------------------------------------------------------------------------------------------- */

static void read_weight(struct stac_model *m, enum stac_weight weight, int layer) {
    struct stac_error err = {0};
    size_t n = stac_model_count(m, weight, layer);
    if (n == 0 || n > MOST_VALUES) return;
    float *out = malloc(n * sizeof *out);
    PROMISE(out != NULL);
    if (fuzz_accepted(stac_model_read(m, weight, layer, out, &err), &err))
        for (size_t i = 0; i < n; i++) PROMISE(isfinite(out[i]));
    free(out);
}

static void read_model(const char *path, bool whole) {
    struct stac_error err = {0};
    struct stac_model *m;
    if (!fuzz_accepted(stac_model_open(path, &m, &err), &err)) {
        PROMISE(m == NULL);
        return;
    }
    PROMISE(whole);
    for (int l = 0; l < stac_model_hparams(m)->n_layer; l++)
        for (int w = 0; w < STAC_W_COUNT; w++) read_weight(m, (enum stac_weight)w, l);
    stac_model_close(m);
}

/* ---- the vocabulary ----------------------------------------------------------------------------------------------- */

static void read_vocabulary(const char *path, bool whole) {
    static const char text[] = "abc cab! <end>a  d\xC4\xA0\xff"
                               "b";
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    if (!fuzz_accepted(stac_tokenizer_open(path, &t, &err), &err)) {
        PROMISE(t == NULL);
        return;
    }
    PROMISE(whole);
    for (int specials = 0; specials < 2; specials++) {
        struct stac_tokens tokens = {0};
        struct stac_strbuf decoded = {0};
        MUST(stac_tokenizer_encode(t, text, sizeof text - 1, specials, &tokens, &err));
        for (size_t i = 0; i < tokens.n; i++) PROMISE(tokens.id[i] >= 0 && tokens.id[i] < stac_tokenizer_n_vocab(t));
        MUST(stac_tokenizer_decode(t, tokens.id, tokens.n, false, &decoded, &err));
        stac_strbuf_clean(&decoded);
        stac_tokens_clean(&tokens);
    }
    stac_tokenizer_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(0, data, size);
    bool whole = read_file(path, size);
    read_model(path, whole);
    read_vocabulary(path, whole);
    return 0;
}
