/* Byte-pair encoding of one word: of all adjacent pairs of symbols the one with the lowest rank is merged, the leftmost
 * of equals first, until no pair has a merge. */
#ifndef STAC_TEXT_BPE_H
#define STAC_TEXT_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/tokenizer.h"

#define STAC_MERGES_MAX (1 << 22)

struct stac_bpe {
    int32_t byte_id[256]; /* token of a single byte; -1: the vocabulary has none, the byte is unknown */
    int32_t unknown;      /* token of an unknown byte; -1: it is left out, as Hugging Face's does */
    bool fuse_unknown;    /* one token for unknown bytes in a row */
    struct stac_merge {   /* open addressing by (left, right) */
        int32_t left, right, merged;
        uint32_t rank; /* STAC_NO_MERGE: an empty slot */
    } * merges;
    size_t n_merges, mask;
};

#define STAC_NO_MERGE UINT32_MAX

/* Room for n merges; then add them in the order of their rank. The same pair twice is STAC_ERR_INPUT. */
int stac_bpe_init(struct stac_bpe *b, size_t n, struct stac_error *err);
int stac_bpe_add(struct stac_bpe *b, int32_t left, int32_t right, int32_t merged, struct stac_error *err);
void stac_bpe_clean(struct stac_bpe *b);

/* Working memory of one thread for words of any length, about 24 bytes for each byte of a word of more than 64.
 * Zero-initialise. */
struct stac_bpe_scratch {
    uint32_t *symbols, *links; /* of long words */
    uint64_t *heap;
    size_t symbols_cap, links_cap, heap_cap, heap_n;
};
void stac_bpe_scratch_clean(struct stac_bpe_scratch *s);

/* Append the tokens of a word. `unknown` = false leaves unknown bytes out even where they have a token. */
int stac_bpe_encode(const struct stac_bpe *b, struct stac_bpe_scratch *s, const char *word, size_t size, bool unknown,
                    struct stac_tokens *out, struct stac_error *err);

#endif
