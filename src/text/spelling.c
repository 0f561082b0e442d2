#include "text/spelling.h"

#include <string.h>

#include "base/utf8.h"

/* A text as it grows, token by token. */
struct growing {
    struct stac_spelling *out;
    struct stac_strbuf text; /* what is not counted yet: at first the begin of a character */
    bool counts;             /* whether the token counts that this character begins in */
    bool in_word, in_gap;
};

static bool is_gap(uint32_t code) {
    return stac_utf8_is_space(code) || (code >= 0x1C && code <= 0x1F);
}

/* Count what the text completes; a sequence that may go on in the next token stays. `before` bytes are of earlier tokens. */
static void take(struct growing *g, size_t before, bool counts, bool last) {
    size_t at = 0;
    while (at < g->text.size) {
        struct stac_utf8_char ch = stac_utf8_at(g->text.data, g->text.size, at);
        if (!ch.valid && !last && at + ch.size == g->text.size) break;
        bool space = stac_utf8_is_space(ch.code), gap = is_gap(ch.code), in = at < before ? g->counts : counts;
        g->out->words += in && !space && !g->in_word;
        g->out->parts += in && gap && !g->in_gap;
        g->in_word = !space;
        g->in_gap = gap;
        at += ch.size;
    }
    if (at >= before) g->counts = counts;
    memmove(g->text.data, g->text.data + at, g->text.size - at);
    g->text.size -= at;
}

int stac_spelling_count(const struct stac_tokenizer *t, const int32_t *ids, size_t n, const uint8_t *counted,
                        struct stac_spelling *out, struct stac_error *err) {
    struct growing g = {.out = out};
    int status = STAC_OK;
    *out = (struct stac_spelling){.parts = 1};
    for (size_t i = 0; i < n && status == STAC_OK; i++) {
        bool counts = !counted || counted[i];
        size_t before = g.text.size;
        status = stac_tokenizer_decode(t, ids + i, 1, false, &g.text, err);
        if (status != STAC_OK || !g.text.data) continue;
        out->tokens += counts;
        out->bytes += counts ? g.text.size - before : 0;
        take(&g, before, counts, i + 1 == n);
    }
    stac_strbuf_clean(&g.text);
    return status;
}
