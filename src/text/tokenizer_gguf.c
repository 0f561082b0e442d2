/* The vocabulary inside a GGUF file: tokenizer.ggml.* as llama.cpp's converter writes it for byte-level BPE. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "model/gguf.h"
#include "text/tokenizer_internal.h"

/* What is read from the file before anything is made of it. */
struct gguf_vocabulary {
    struct stac_gguf_string model, pre, chat_template;
    struct stac_gguf_string *tokens, *merges; /* owned; the strings are borrowed from the file */
    int32_t *types;                           /* owned */
    size_t n, n_types, n_merges;
    int64_t bos, eos;
    bool adds_bos;
};

static int fetch(const struct stac_gguf *g, struct gguf_vocabulary *v, struct stac_error *err) {
    STAC_TRY(stac_gguf_string(g, "tokenizer.ggml.model", &v->model, err));
    STAC_TRY(stac_gguf_string(g, "tokenizer.ggml.pre", &v->pre, err));
    STAC_TRY(stac_gguf_string(g, "tokenizer.chat_template", &v->chat_template, err));
    STAC_TRY(stac_gguf_strings(g, "tokenizer.ggml.tokens", &v->tokens, &v->n, err));
    STAC_TRY(stac_gguf_ints(g, "tokenizer.ggml.token_type", &v->types, &v->n_types, err));
    STAC_TRY(stac_gguf_strings(g, "tokenizer.ggml.merges", &v->merges, &v->n_merges, err));
    STAC_TRY(stac_gguf_int_or(g, "tokenizer.ggml.bos_token_id", 0, (int64_t)v->n - 1, -1, &v->bos, err));
    STAC_TRY(stac_gguf_bool_or(g, "tokenizer.ggml.add_bos_token", false, &v->adds_bos, err));
    return stac_gguf_int_or(g, "tokenizer.ggml.eos_token_id", 0, (int64_t)v->n - 1, -1, &v->eos, err);
}

static bool equals(struct stac_gguf_string s, const char *text) {
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

/* A text that tokenizer.json can hold. */
static int check_text(struct stac_gguf_string s, const char *what, size_t i, struct stac_error *err) {
    if (stac_utf8_valid(s.data, s.size) < s.size) return stac_fail(err, STAC_ERR_INPUT, "%s %zu is not valid UTF-8", what, i);
    if (s.size && memchr(s.data, 0, s.size)) return stac_fail(err, STAC_ERR_INPUT, "%s %zu holds a NUL byte", what, i);
    return STAC_OK;
}

static int build_pretokenizer(const struct gguf_vocabulary *v, struct stac_tokenizer *t, struct stac_error *err) {
    if (!v->model.data)
        return stac_fail(err, STAC_ERR_INPUT, "there is no tokenizer in the file (tokenizer.ggml.model is missing)");
    if (!equals(v->model, "gpt2"))
        return stac_fail(err, STAC_ERR_INPUT, "the tokenizer \"%.*s\" is not supported; \"gpt2\" (byte-level BPE) is",
                         STAC_SHOWN(v->model.size), v->model.data);
    t->pretokenizer.digits = equals(v->pre, "smollm");
    if (t->pretokenizer.digits || equals(v->pre, "gpt-2")) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, /* what "default" and no name stand for has changed with llama.cpp's versions */
                     "the pre-tokenizer \"%.*s\" (tokenizer.ggml.pre) is not supported; \"gpt-2\" and \"smollm\" are",
                     STAC_SHOWN(v->pre.size), v->pre.data ? v->pre.data : "");
}

enum { NORMAL = 1, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5 }; /* tokenizer.ggml.token_type */

static int build_token(struct stac_gguf_string text, int type, size_t id, struct stac_tokenizer *t, struct stac_error *err) {
    STAC_TRY(check_text(text, "token", id, err));
    STAC_TRY(stac_vocabulary_set(&t->vocabulary, (int64_t)id, text.data, text.size, err));
    if (type == NORMAL || type == UNUSED) return STAC_OK;
    if (type == CONTROL || type == USER_DEFINED)
        return stac_tokenizer_add(t, (struct stac_added_token){.id = (int32_t)id, .special = type == CONTROL}, err);
    return stac_fail(err, STAC_ERR_INPUT, "token %zu (\"%.*s\") has the type %d; byte-level BPE has 1, 3, 4 and 5", id,
                     STAC_SHOWN(text.size), text.data, type);
}

static int build_vocabulary(const struct gguf_vocabulary *v, struct stac_tokenizer *t, struct stac_error *err) {
    if (v->n != v->n_types)
        return stac_fail(err, STAC_ERR_INPUT, "tokenizer.ggml.tokens has %zu items and tokenizer.ggml.token_type %zu", v->n,
                         v->n_types);
    STAC_TRY(stac_vocabulary_init(&t->vocabulary, v->n, err));
    for (size_t i = 0; i < v->n; i++) STAC_TRY(build_token(v->tokens[i], v->types[i], i, t, err));
    return STAC_OK;
}

static int build_merges(const struct gguf_vocabulary *v, struct stac_tokenizer *t, struct stac_error *err) {
    if (!v->merges) return stac_fail(err, STAC_ERR_INPUT, "there are no merges (tokenizer.ggml.merges is missing)");
    STAC_TRY(stac_tokenizer_vocabulary_done(t, v->n_merges, err));
    for (size_t i = 0; i < v->n_merges; i++) {
        struct stac_gguf_string text = v->merges[i];
        const char *space = text.size ? memchr(text.data, ' ', text.size) : NULL;
        STAC_TRY(check_text(text, "merge", i, err));
        if (!space)
            return stac_fail(err, STAC_ERR_INPUT, "merge %zu (\"%.*s\") is not two texts with a space between", i,
                             STAC_SHOWN(text.size), text.data);
        size_t left = (size_t)(space - text.data);
        STAC_TRY(stac_tokenizer_merge(t, text.data, left, space + 1, text.size - left - 1, err));
    }
    return STAC_OK;
}

static int build_template(const struct gguf_vocabulary *v, struct stac_tokenizer *t, struct stac_error *err) {
    if (!v->chat_template.data) return STAC_OK;
    STAC_TRY(check_text(v->chat_template, "chat template", 0, err));
    STAC_TRY(STAC_NEW(t->chat_template, v->chat_template.size + 1, "the chat template", err));
    memcpy(t->chat_template, v->chat_template.data, v->chat_template.size);
    return STAC_OK;
}

static int build(const struct gguf_vocabulary *v, struct stac_tokenizer *t, struct stac_error *err) {
    STAC_TRY(build_pretokenizer(v, t, err));
    STAC_TRY(build_vocabulary(v, t, err));
    STAC_TRY(build_merges(v, t, err));
    STAC_TRY(build_template(v, t, err));
    t->bos = (int32_t)v->bos;
    t->eos = (int32_t)v->eos;
    t->prefix = v->adds_bos ? t->bos : -1;
    return stac_tokenizer_complete(t, err);
}

int stac_tokenizer_load_gguf(const char *path, struct stac_tokenizer *t, struct stac_error *err) {
    struct gguf_vocabulary v = {0};
    struct stac_gguf *g;
    STAC_TRY(stac_gguf_open(path, &g, err));
    int status = fetch(g, &v, err); /* its error lines name the file */
    if (status == STAC_OK && build(&v, t, err) != STAC_OK) status = stac_fail_in(err, "%s", path);
    free(v.tokens);
    free(v.merges);
    free(v.types);
    stac_gguf_close(g);
    return status;
}
