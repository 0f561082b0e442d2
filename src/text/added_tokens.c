#include "text/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/vocabulary.h"

int stac_matcher_add(struct stac_matcher *m, const char *text, size_t size, uint32_t token, struct stac_error *err) {
    STAC_TRY(stac_grow(&m->patterns, &m->cap, m->n + 1, sizeof *m->patterns, "the added tokens", err));
    m->patterns[m->n++] = (struct stac_pattern){m->texts.size, (uint32_t)size, token};
    return stac_strbuf_add(&m->texts, text, size, err);
}

static int compare(const void *a, const void *b, void *texts) {
    const struct stac_pattern *x = a, *y = b;
    const char *base = texts;
    size_t shorter = x->size < y->size ? x->size : y->size;
    int order = memcmp(base + x->at, base + y->at, shorter);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

int stac_matcher_sort(struct stac_matcher *m, struct stac_error *err) {
    if (m->n) qsort_r(m->patterns, m->n, sizeof *m->patterns, compare, m->texts.data);
    for (size_t i = 1; i < m->n; i++) {
        const struct stac_pattern *p = &m->patterns[i];
        if (compare(p - 1, p, m->texts.data) == 0)
            return stac_fail(err, STAC_ERR_INPUT, "the added token \"%.*s\" is listed twice", STAC_SHOWN(p->size),
                             m->texts.data + p->at);
    }
    uint32_t i = 0;
    for (unsigned b = 0; b < 256; b++) {
        m->first[b] = i;
        while (i < m->n && (uint8_t)m->texts.data[m->patterns[i].at] == b) i++;
    }
    m->first[256] = i;
    return STAC_OK;
}

void stac_matcher_clean(struct stac_matcher *m) {
    free(m->patterns);
    stac_strbuf_clean(&m->texts);
    *m = (struct stac_matcher){0};
}

/* First of the patterns [low, high), which agree on their first `depth` bytes and are longer, whose next byte is at
 * least `byte`. */
static size_t lower_bound(const struct stac_matcher *m, size_t low, size_t high, size_t depth, unsigned byte) {
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uint8_t)m->texts.data[m->patterns[middle].at + depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest pattern that text begins with, among those that start with its first byte; NULL: none. */
static const struct stac_pattern *longest(const struct stac_matcher *m, const char *text, size_t size) {
    const struct stac_pattern *best = NULL;
    size_t low = m->first[(uint8_t)text[0]], high = m->first[(uint8_t)text[0] + 1u];
    for (size_t depth = 1; low < high; depth++) {
        if (m->patterns[low].size == depth) best = &m->patterns[low++]; /* sorted: the one that ends here comes first */
        if (depth == size) break;
        unsigned byte = (uint8_t)text[depth];
        low = lower_bound(m, low, high, depth, byte);
        high = lower_bound(m, low, high, depth, byte + 1);
    }
    return best;
}

bool stac_matcher_find(const struct stac_matcher *m, const char *text, size_t size, size_t from, struct stac_match *out) {
    if (m->n == 0) return false;
    for (size_t at = from; at < size; at++) {
        uint8_t byte = (uint8_t)text[at];
        if (m->first[byte] == m->first[byte + 1u]) continue;
        const struct stac_pattern *p = longest(m, text + at, size - at);
        if (!p) continue;
        *out = (struct stac_match){at, at + p->size, p->token};
        return true;
    }
    return false;
}

struct stac_splitter stac_splitter_over(const struct stac_matcher *m, const struct stac_added_token *tokens, const char *text,
                                        size_t size, bool specials) {
    struct stac_splitter s = {.matcher = m, .tokens = tokens, .text = text, .size = size, .specials = specials};
    s.token_id = -1;
    return s;
}

static bool touches_a_word(const struct stac_splitter *s, const struct stac_match *m) {
    return (m->begin > 0 && stac_utf8_is_word(stac_utf8_before(s->text, m->begin).code)) ||
           (m->end < s->size && stac_utf8_is_word(stac_utf8_at(s->text, s->size, m->end).code));
}

/* The next token that counts, with the white space that it swallows. */
static bool next_token(struct stac_splitter *s, struct stac_match *m) {
    while (stac_matcher_find(s->matcher, s->text, s->size, s->searched, m)) {
        const struct stac_added_token *token = &s->tokens[m->token];
        s->searched = m->end;
        if ((token->special && !s->specials) || (token->single_word && touches_a_word(s, m))) continue;
        while (token->lstrip && m->begin > s->taken) {
            struct stac_utf8_char c = stac_utf8_before(s->text, m->begin);
            if (!stac_utf8_is_space(c.code)) break;
            m->begin -= c.size;
        }
        if (token->lstrip && m->begin < s->taken) m->begin = s->taken;
        while (token->rstrip && m->end < s->size) {
            struct stac_utf8_char c = stac_utf8_at(s->text, s->size, m->end);
            if (!stac_utf8_is_space(c.code)) break;
            m->end += c.size;
        }
        if (m->begin < m->end) return true;
        s->taken = m->end; /* white space that the token before swallowed whole: nothing is left of this one */
    }
    return false;
}

bool stac_splitter_next(struct stac_splitter *s, struct stac_split *out) {
    struct stac_match m;
    if (s->token_id >= 0) {
        *out = (struct stac_split){s->taken, s->token_end, s->token_id};
        s->taken = s->token_end;
        s->token_id = -1;
        return true;
    }
    if (next_token(s, &m)) {
        int32_t id = s->tokens[m.token].id;
        *out = (struct stac_split){s->taken, m.begin, -1};
        if (s->taken < m.begin) {
            s->taken = m.begin;
            s->token_id = id;
            s->token_end = m.end;
        } else { /* a token swallowed white space in which this one begins: it still counts */
            *out = (struct stac_split){m.begin, m.end, id};
            s->taken = m.end;
        }
        return true;
    }
    *out = (struct stac_split){s->taken, s->size, -1};
    if (s->taken >= s->size) return false;
    s->taken = s->size;
    return true;
}
