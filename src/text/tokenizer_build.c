/* The steps of building a tokenizer that tokenizer.json and GGUF have in common. */
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/normalizer.h"
#include "text/tokenizer_internal.h"

int stac_tokenizer_add(struct stac_tokenizer *t, struct stac_added_token token, struct stac_error *err) {
    struct stac_vocabulary_token *entry = &t->vocabulary.tokens[token.id];
    STAC_TRY(stac_grow(&t->added, &t->added_cap, t->n_added + 1, sizeof *t->added, "the added tokens", err));
    if (entry->added) {
        struct stac_piece text = stac_vocabulary_text(&t->vocabulary, token.id);
        return stac_fail(err, STAC_ERR_INPUT, "the added token \"%.*s\" is listed twice", STAC_SHOWN(text.size), text.data);
    }
    entry->added = true;
    entry->special = token.special;
    t->added[t->n_added++] = token;
    return STAC_OK;
}

/* A control token must not be what ordinary text turns into: `how` says by which way it would. */
static int refuse_special(const struct stac_tokenizer *t, int32_t id, const char *how, struct stac_error *err) {
    if (id < 0 || !t->vocabulary.tokens[id].special) return STAC_OK;
    struct stac_piece text = stac_vocabulary_text(&t->vocabulary, id);
    return stac_fail(err, STAC_ERR_INPUT,
                     "the special token \"%.*s\" is also %s, so ordinary text would become a control token",
                     STAC_SHOWN(text.size), text.data, how);
}

int stac_tokenizer_vocabulary_done(struct stac_tokenizer *t, size_t n_merges, struct stac_error *err) {
    STAC_TRY(stac_vocabulary_finish(&t->vocabulary, err));
    STAC_TRY(stac_bpe_init(&t->bpe, n_merges, err));
    for (int byte = 0; byte < 256; byte++) {
        char text[2];
        size_t size = stac_byte_level_put((uint8_t)byte, text);
        t->bpe.byte_id[byte] = stac_vocabulary_find(&t->vocabulary, text, size);
        STAC_TRY(refuse_special(t, t->bpe.byte_id[byte], "the token of a single byte", err));
    }
    return STAC_OK;
}

static int find_half(const struct stac_tokenizer *t, const char *text, size_t size, int32_t *id, struct stac_error *err) {
    *id = stac_vocabulary_find(&t->vocabulary, text, size);
    if (*id >= 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "merge %zu names \"%.*s\", which is not in the vocabulary", t->bpe.n_merges,
                     STAC_SHOWN(size), text);
}

int stac_tokenizer_merge(struct stac_tokenizer *t, const char *left, size_t left_size, const char *right, size_t right_size,
                         struct stac_error *err) {
    char whole[2 * STAC_TOKEN_BYTES_MAX];
    int32_t left_id, right_id, whole_id;
    STAC_TRY(find_half(t, left, left_size, &left_id, err)); /* found: so neither half is longer than a token may be */
    STAC_TRY(find_half(t, right, right_size, &right_id, err));
    memcpy(whole, left, left_size);
    memcpy(whole + left_size, right, right_size);
    STAC_TRY(find_half(t, whole, left_size + right_size, &whole_id, err));
    STAC_TRY(refuse_special(t, whole_id, "the result of a merge", err));
    return stac_bpe_add(&t->bpe, left_id, right_id, whole_id, err);
}

static bool holds_space(struct stac_piece text) {
    for (size_t at = 0; at < text.size;) {
        struct stac_utf8_char c = stac_utf8_at(text.data, text.size, at);
        if (stac_utf8_is_space(c.code)) return true;
        at += c.size;
    }
    return false;
}

static int add_pattern(struct stac_tokenizer *t, uint32_t i, struct stac_error *err) {
    const struct stac_added_token *token = &t->added[i];
    struct stac_piece text = stac_vocabulary_text(&t->vocabulary, token->id);
    if (token->special) STAC_TRY(stac_matcher_add(&t->specials, text.data, text.size, i, err));
    if (!token->normalized) return stac_matcher_add(&t->raw, text.data, text.size, i, err);
    if (!t->nfc) return stac_matcher_add(&t->normalized, text.data, text.size, i, err);
    struct stac_strbuf normal = {0};
    int status = stac_normalizer_nfc(&normal, text.data, text.size, err);
    if (status == STAC_OK) status = stac_matcher_add(&t->normalized, normal.data, normal.size, i, err);
    stac_strbuf_clean(&normal);
    return status;
}

int stac_tokenizer_complete(struct stac_tokenizer *t, struct stac_error *err) {
    t->cuttable = true;
    for (uint32_t i = 0; i < t->n_added; i++) {
        STAC_TRY(add_pattern(t, i, err));
        if (t->added[i].rstrip || holds_space(stac_vocabulary_text(&t->vocabulary, t->added[i].id))) t->cuttable = false;
    }
    STAC_TRY(stac_matcher_sort(&t->raw, err));
    STAC_TRY(stac_matcher_sort(&t->normalized, err));
    STAC_TRY(stac_matcher_sort(&t->specials, err));
    return stac_pretokenizer_compile(&t->pretokenizer, err);
}
