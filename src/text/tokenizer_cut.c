#include "base/utf8.h"
#include "text/tokenizer_internal.h"

/* No word, contraction or added token of a cuttable tokenizer holds a space behind another character, so between a
 * character that is no white space and a space one part ends and the other begins as they do in the whole. */
static bool can_cut(const struct stac_tokenizer *t, const char *text, size_t at) {
    bool space = text[at] == ' ' || (text[at] == '\n' && !t->pretokenizer.prefix_space);
    return space && !stac_utf8_is_space(stac_utf8_before(text, at).code);
}

size_t stac_tokenizer_cut(const struct stac_tokenizer *t, const char *text, size_t size, size_t wanted) {
    if (size <= wanted || !t->cuttable) return size;
    for (size_t at = wanted; at > 0; at--)
        if (can_cut(t, text, at)) return at;
    for (size_t at = wanted; at < size; at++)
        if (can_cut(t, text, at)) return at;
    return size;
}
