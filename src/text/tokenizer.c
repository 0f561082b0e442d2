#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/gguf.h"
#include "text/tokenizer_internal.h"

int stac_tokens_add(struct stac_tokens *t, int32_t id, struct stac_error *err) {
    STAC_TRY(stac_grow(&t->id, &t->cap, t->n + 1, sizeof *t->id, "the tokens", err));
    t->id[t->n++] = id;
    return STAC_OK;
}

void stac_tokens_clean(struct stac_tokens *t) {
    free(t->id);
    *t = (struct stac_tokens){0};
}

int stac_tokenizer_open(const char *path, struct stac_tokenizer **out, struct stac_error *err) {
    struct stac_tokenizer *t;
    int status;
    *out = NULL;
    STAC_TRY(STAC_NEW(t, 1, "a tokenizer", err));
    t->bos = t->eos = t->prefix = -1;
    if (stac_file_is_folder(path))
        status = stac_tokenizer_load_folder(path, t, err);
    else if (!stac_file_exists(path))
        status = stac_fail(err, STAC_ERR_IO, "cannot open the tokenizer %s: there is no such file or folder", path);
    else if (stac_gguf_is(path))
        status = stac_tokenizer_load_gguf(path, t, err);
    else
        status = stac_fail(err, STAC_ERR_INPUT, "%s is neither a folder with tokenizer.json nor a GGUF file", path);
    if (status == STAC_OK)
        *out = t;
    else
        stac_tokenizer_close(t);
    return status;
}

void stac_tokenizer_close(struct stac_tokenizer *t) {
    if (!t) return;
    stac_vocabulary_clean(&t->vocabulary);
    stac_matcher_clean(&t->raw);
    stac_matcher_clean(&t->normalized);
    stac_matcher_clean(&t->specials);
    stac_pretokenizer_clean(&t->pretokenizer);
    stac_bpe_clean(&t->bpe);
    for (int i = 0; i < STAC_TOKENIZER_FILES; i++) free(t->files[i].data);
    free(t->added);
    free(t->chat_template);
    free(t);
}

int stac_tokenizer_n_vocab(const struct stac_tokenizer *t) {
    return (int)t->vocabulary.n;
}

int32_t stac_tokenizer_find(const struct stac_tokenizer *t, const char *token) {
    return stac_vocabulary_find(&t->vocabulary, token, strlen(token));
}

int32_t stac_tokenizer_bos(const struct stac_tokenizer *t) {
    return t->bos;
}

int32_t stac_tokenizer_eos(const struct stac_tokenizer *t) {
    return t->eos;
}

int32_t stac_tokenizer_prefix(const struct stac_tokenizer *t) {
    return t->prefix;
}

const char *stac_tokenizer_chat_template(const struct stac_tokenizer *t) {
    return t->chat_template;
}

bool stac_tokenizer_is_special(const struct stac_tokenizer *t, int32_t id) {
    return id >= 0 && (size_t)id < t->vocabulary.n && t->vocabulary.tokens[id].special;
}

int stac_tokenizer_decode(const struct stac_tokenizer *t, const int32_t *ids, size_t n, bool skip_specials,
                          struct stac_strbuf *out, struct stac_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= t->vocabulary.n)
            return stac_fail(err, STAC_ERR_USAGE, "token %zu has the id %d, which is not in the vocabulary of %zu", i, ids[i],
                             t->vocabulary.n);
        if (skip_specials && t->vocabulary.tokens[ids[i]].special) continue;
        struct stac_piece piece = stac_vocabulary_bytes(&t->vocabulary, ids[i]);
        STAC_TRY(stac_strbuf_add(out, piece.data, piece.size, err));
    }
    return STAC_OK;
}
