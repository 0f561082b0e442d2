#include "text/word_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define SLOTS 8192

int stac_word_cache_init(struct stac_word_cache *c, struct stac_error *err) {
    return STAC_NEW(c->words, SLOTS, "the word cache", err);
}

void stac_word_cache_clean(struct stac_word_cache *c) {
    free(c->words);
    c->words = NULL;
}

struct stac_cached_word *stac_word_cache_find(struct stac_word_cache *c, const char *word, size_t size, bool *known) {
    if (!c->words || size > STAC_CACHED_BYTES) return NULL;
    struct stac_cached_word *place = &c->words[stac_xxh3(word, size) % SLOTS];
    *known = place->size == size && memcmp(place->word, word, size) == 0;
    return place;
}

void stac_word_cache_put(struct stac_cached_word *place, const char *word, size_t size, const int32_t *ids, size_t n) {
    if (n > STAC_CACHED_TOKENS) return;
    memcpy(place->word, word, size);
    memcpy(place->id, ids, n * sizeof *ids);
    place->size = (uint8_t)size;
    place->n = (uint8_t)n;
}
