/* The tokens of words seen before in the same text: a fixed table in which a newcomer takes the place of the word with
 * the same hash. It belongs to one call, so tokenizers stay read-only. */
#ifndef STAC_TEXT_WORD_CACHE_H
#define STAC_TEXT_WORD_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Longer words, and words of more tokens, are not kept. An entry is one cache line. */
#define STAC_CACHED_BYTES 26
#define STAC_CACHED_TOKENS 9

struct stac_cached_word {
    char word[STAC_CACHED_BYTES];
    uint8_t size, n; /* size 0: empty */
    int32_t id[STAC_CACHED_TOKENS];
};

struct stac_word_cache {
    struct stac_cached_word *words; /* NULL: nothing is kept */
};

int stac_word_cache_init(struct stac_word_cache *c, struct stac_error *err);
void stac_word_cache_clean(struct stac_word_cache *c);

/* The place of a word and whether it holds that word. NULL: the word is not of the kind that is kept. */
struct stac_cached_word *stac_word_cache_find(struct stac_word_cache *c, const char *word, size_t size, bool *known);
void stac_word_cache_put(struct stac_cached_word *place, const char *word, size_t size, const int32_t *ids, size_t n);

#endif
