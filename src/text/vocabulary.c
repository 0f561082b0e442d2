#include "text/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/byte_level.h"

int stac_vocabulary_init(struct stac_vocabulary *v, size_t n, struct stac_error *err) {
    *v = (struct stac_vocabulary){0};
    if (n == 0) return stac_fail(err, STAC_ERR_INPUT, "the vocabulary is empty");
    if (n > STAC_VOCABULARY_MAX)
        return stac_fail(err, STAC_ERR_INPUT, "the vocabulary has %zu tokens, more than the %d accepted", n,
                         STAC_VOCABULARY_MAX);
    size_t slots = 16;
    while (slots < 2 * n) slots *= 2;
    STAC_TRY(STAC_NEW(v->tokens, n, "the vocabulary", err));
    STAC_TRY(STAC_NEW(v->slots, slots, "the vocabulary's index", err));
    v->n = n;
    v->mask = slots - 1;
    return STAC_OK;
}

void stac_vocabulary_clean(struct stac_vocabulary *v) {
    free(v->tokens);
    free(v->slots);
    stac_strbuf_clean(&v->texts);
    stac_strbuf_clean(&v->bytes);
    *v = (struct stac_vocabulary){0};
}

struct stac_piece stac_vocabulary_text(const struct stac_vocabulary *v, int32_t id) {
    const struct stac_vocabulary_token *t = &v->tokens[id];
    return (struct stac_piece){v->texts.data + t->text_at, t->text_size};
}

struct stac_piece stac_vocabulary_bytes(const struct stac_vocabulary *v, int32_t id) {
    const struct stac_vocabulary_token *t = &v->tokens[id];
    return (struct stac_piece){v->bytes.data + t->bytes_at, t->bytes_size};
}

/* The slot of a text, or the empty one where it belongs: at most half of the slots are taken. */
static int32_t *slot_of(const struct stac_vocabulary *v, const char *text, size_t size) {
    for (size_t i = stac_xxh3(text, size) & v->mask;; i = (i + 1) & v->mask) {
        if (v->slots[i] == 0) return &v->slots[i];
        struct stac_piece known = stac_vocabulary_text(v, v->slots[i] - 1);
        if (known.size == size && memcmp(known.data, text, size) == 0) return &v->slots[i];
    }
}

int32_t stac_vocabulary_find(const struct stac_vocabulary *v, const char *text, size_t size) {
    return *slot_of(v, text, size) - 1;
}

int stac_vocabulary_set(struct stac_vocabulary *v, int64_t id, const char *text, size_t size, struct stac_error *err) {
    if (size == 0) return stac_fail(err, STAC_ERR_INPUT, "token %lld is an empty text", (long long)id);
    if (size > STAC_TOKEN_BYTES_MAX)
        return stac_fail(err, STAC_ERR_INPUT, "token %lld (\"%.40s...\") has %zu bytes, more than the %d accepted",
                         (long long)id, text, size, STAC_TOKEN_BYTES_MAX);
    if (id < 0 || (uint64_t)id >= v->n)
        return stac_fail(err, STAC_ERR_INPUT, "token \"%.*s\" has the id %lld; the ids of %zu tokens run from 0 to %zu",
                         STAC_SHOWN(size), text, (long long)id, v->n, v->n - 1);
    struct stac_vocabulary_token *t = &v->tokens[id];
    if (t->text_size)
        return stac_fail(err, STAC_ERR_INPUT, "tokens \"%.*s\" and \"%.*s\" have the same id %lld", STAC_SHOWN(t->text_size),
                         v->texts.data + t->text_at, STAC_SHOWN(size), text, (long long)id);
    int32_t *slot = slot_of(v, text, size);
    if (*slot)
        return stac_fail(err, STAC_ERR_INPUT, "tokens %d and %lld are the same text \"%.*s\"", *slot - 1, (long long)id,
                         STAC_SHOWN(size), text);
    t->text_at = v->texts.size;
    t->text_size = (uint32_t)size;
    STAC_TRY(stac_strbuf_add(&v->texts, text, size, err));
    *slot = (int32_t)id + 1;
    return STAC_OK;
}

static int add_bytes(struct stac_vocabulary *v, int32_t id, struct stac_error *err) {
    struct stac_piece text = stac_vocabulary_text(v, id);
    if (v->tokens[id].added) return stac_strbuf_add(&v->bytes, text.data, text.size, err);
    for (size_t at = 0; at < text.size;) {
        struct stac_utf8_char c = stac_utf8_at(text.data, text.size, at);
        int byte = c.valid ? stac_byte_level_byte(c.code) : -1;
        if (byte < 0)
            return stac_fail(err, STAC_ERR_INPUT, "token %d (\"%.*s\") holds U+%04X, which is not in the byte-level alphabet",
                             id, STAC_SHOWN(text.size), text.data, (unsigned)c.code);
        char one = (char)byte;
        STAC_TRY(stac_strbuf_add(&v->bytes, &one, 1, err));
        at += c.size;
    }
    return STAC_OK;
}

int stac_vocabulary_finish(struct stac_vocabulary *v, struct stac_error *err) {
    for (size_t i = 0; i < v->n; i++) {
        struct stac_vocabulary_token *t = &v->tokens[i];
        if (t->text_size == 0)
            return stac_fail(err, STAC_ERR_INPUT, "token %zu is missing: the ids of %zu tokens run from 0 to %zu without holes",
                             i, v->n, v->n - 1);
        t->bytes_at = v->bytes.size;
        STAC_TRY(add_bytes(v, (int32_t)i, err));
        t->bytes_size = (uint32_t)(v->bytes.size - t->bytes_at);
    }
    return STAC_OK;
}
