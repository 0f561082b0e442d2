/* What tokens spell: bytes and words, for figures per byte and per word. */
#ifndef STAC_TEXT_SPELLING_H
#define STAC_TEXT_SPELLING_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/tokenizer.h"

/* Counts over the tokens that count. A word or a gap belongs to the token that its first byte is in. */
struct stac_spelling {
    size_t tokens, bytes;
    size_t words; /* runs of characters that are not Unicode's White_Space */
    size_t parts; /* len(re.split(r"\s+", text)) of Python: gaps + 1, gaps being runs of White_Space and U+001C..U+001F. So
                   * the lm-evaluation-harness counts the words of wikitext: white space at either end makes one more */
};

/* Counts over ids[n], the whole of a text; counted[n] says which tokens count (NULL: all). Malformed UTF-8 is U+FFFD, which
 * is part of a word. An id outside the vocabulary is STAC_ERR_USAGE. */
int stac_spelling_count(const struct stac_tokenizer *t, const int32_t *ids, size_t n, const uint8_t *counted,
                        struct stac_spelling *out, struct stac_error *err);

#endif
