/* Text to tokens: repair, added tokens, normalizer, added tokens again, words, merges. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/normalizer.h"
#include "text/tokenizer_internal.h"
#include "text/word_cache.h"

#define CACHE_FROM (32u << 10) /* bytes of text from which a word cache repays its making */

/* One call of encode. */
struct encoder {
    const struct stac_tokenizer *tokenizer;
    bool specials; /* special tokens that are spelled out count */
    struct stac_word_reader reader;
    struct stac_bpe_scratch scratch;
    struct stac_word_cache cache;
    struct stac_tokens *out;
    struct stac_error *err;
};

static int encoder_open(struct encoder *e, const struct stac_tokenizer *t, size_t size, struct stac_tokens *out,
                        struct stac_error *err) {
    *e = (struct encoder){.tokenizer = t, .out = out, .err = err};
    STAC_TRY(stac_word_reader_open(&t->pretokenizer, &e->reader, err));
    return size < CACHE_FROM ? STAC_OK : stac_word_cache_init(&e->cache, err);
}

static void encoder_close(struct encoder *e) {
    stac_word_reader_close(&e->reader);
    stac_bpe_scratch_clean(&e->scratch);
    stac_word_cache_clean(&e->cache);
}

static int encode_word(struct encoder *e, const char *word, size_t size) {
    const struct stac_tokenizer *t = e->tokenizer;
    struct stac_tokens *out = e->out;
    bool known = false;
    struct stac_cached_word *place = stac_word_cache_find(&e->cache, word, size, &known);
    if (known) {
        if (out->n + place->n > out->cap)
            STAC_TRY(stac_grow(&out->id, &out->cap, out->n + place->n, sizeof *out->id, "the tokens", e->err));
        for (size_t i = 0; i < place->n; i++) out->id[out->n++] = place->id[i];
        return STAC_OK;
    }
    bool unknown = e->specials || !stac_tokenizer_is_special(t, t->bpe.unknown);
    size_t before = out->n;
    STAC_TRY(stac_bpe_encode(&t->bpe, &e->scratch, word, size, unknown, out, e->err));
    if (place) stac_word_cache_put(place, word, size, out->id + before, out->n - before);
    return STAC_OK;
}

static int encode_words(struct encoder *e, const char *text, size_t size) {
    for (size_t at = 0, end = 0; at < size; at = end) {
        STAC_TRY(stac_word_reader_end(&e->reader, text, size, at, &end, e->err));
        STAC_TRY(encode_word(e, text + at, end - at));
    }
    return STAC_OK;
}

/* Text in which no added token is left. */
static int encode_plain(struct encoder *e, const char *text, size_t size) {
    if (!e->tokenizer->pretokenizer.prefix_space || text[0] == ' ') return encode_words(e, text, size);
    struct stac_strbuf prefixed = {0};
    int status = stac_strbuf_puts(&prefixed, " ", e->err);
    if (status == STAC_OK) status = stac_strbuf_add(&prefixed, text, size, e->err);
    if (status == STAC_OK) status = encode_words(e, prefixed.data, prefixed.size);
    stac_strbuf_clean(&prefixed);
    return status;
}

/* The added tokens of one matcher, and what is between them by `encode_rest`. */
static int encode_split(struct encoder *e, const struct stac_matcher *m, const char *text, size_t size,
                        int (*encode_rest)(struct encoder *, const char *, size_t)) {
    struct stac_splitter splitter = stac_splitter_over(m, e->tokenizer->added, text, size, e->specials);
    struct stac_split part;
    while (stac_splitter_next(&splitter, &part)) {
        if (part.id >= 0)
            STAC_TRY(stac_tokens_add(e->out, part.id, e->err));
        else
            STAC_TRY(encode_rest(e, text + part.begin, part.end - part.begin));
    }
    return STAC_OK;
}

static int encode_normalized(struct encoder *e, const char *text, size_t size) {
    if (!e->tokenizer->nfc) return encode_split(e, &e->tokenizer->normalized, text, size, encode_plain);
    struct stac_strbuf normal = {0};
    int status = stac_normalizer_nfc(&normal, text, size, e->err);
    if (status == STAC_OK) status = encode_split(e, &e->tokenizer->normalized, normal.data, normal.size, encode_plain);
    stac_strbuf_clean(&normal);
    return status;
}

/* Valid UTF-8. */
static int encode_run(struct encoder *e, const char *text, size_t size, bool specials) {
    e->specials = specials;
    return encode_split(e, &e->tokenizer->raw, text, size, encode_normalized);
}

int stac_tokenizer_encode(const struct stac_tokenizer *t, const char *text, size_t size, bool specials, struct stac_tokens *out,
                          struct stac_error *err) {
    if (size == 0) return STAC_OK;
    struct encoder e;
    struct stac_strbuf repaired = {0};
    int status = encoder_open(&e, t, size, out, err);
    if (status == STAC_OK && stac_utf8_valid(text, size) < size) {
        status = stac_utf8_repair(&repaired, text, size, err);
        text = repaired.data;
        size = repaired.size;
    }
    if (status == STAC_OK) status = encode_run(&e, text, size, specials);
    stac_strbuf_clean(&repaired);
    encoder_close(&e);
    return status;
}

/* The parts' texts, each repaired by itself, joined in `text`; part i ends at ends[i]. */
static int join_parts(const struct stac_text_part *parts, size_t n, struct stac_strbuf *text, size_t *ends,
                      struct stac_error *err) {
    for (size_t i = 0; i < n; i++) {
        STAC_TRY(stac_utf8_repair(text, parts[i].text, parts[i].size, err));
        ends[i] = text->size;
    }
    return STAC_OK;
}

/* Control tokens are looked for inside each trusted part alone: no text beside it can complete one or hide one. */
static int encode_joined(struct encoder *e, const struct stac_text_part *parts, size_t n, const struct stac_strbuf *text,
                         const size_t *ends) {
    const struct stac_matcher *specials = &e->tokenizer->specials;
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        struct stac_match m;
        size_t at = i ? ends[i - 1] : 0;
        for (; parts[i].trusted && stac_matcher_find(specials, text->data, ends[i], at, &m); at = done = m.end) {
            STAC_TRY(encode_run(e, text->data + done, m.begin - done, false));
            STAC_TRY(stac_tokens_add(e->out, e->tokenizer->added[m.token].id, e->err));
        }
    }
    return encode_run(e, text->data + done, text->size - done, false);
}

int stac_tokenizer_encode_parts(const struct stac_tokenizer *t, const struct stac_text_part *parts, size_t n,
                                struct stac_tokens *out, struct stac_error *err) {
    struct encoder e = {0};
    struct stac_strbuf text = {0};
    size_t *ends = stac_alloc(n, sizeof *ends, "the parts of a text", err);
    int status = ends ? join_parts(parts, n, &text, ends, err) : err->status;
    if (status == STAC_OK && text.size > 0) {
        status = encoder_open(&e, t, text.size, out, err);
        if (status == STAC_OK) status = encode_joined(&e, parts, n, &text, ends);
        encoder_close(&e);
    }
    stac_strbuf_clean(&text);
    free(ends);
    return status;
}
