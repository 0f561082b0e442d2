/* The tokens of a tokenizer by id and by text. Ids run from 0 without holes; no two tokens have the same text.
 *
 * A token's text is how tokenizer.json writes it: in the byte-level alphabet, or literally for an added token. Its bytes
 * are what it decodes to. */
#ifndef STAC_TEXT_VOCABULARY_H
#define STAC_TEXT_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"

#define STAC_VOCABULARY_MAX (1 << 20) /* tokens */
#define STAC_TOKEN_BYTES_MAX 4096     /* bytes of a token's text */

/* Precision of %.*s for a text in an error line. */
#define STAC_SHOWN(size) ((size) < 48 ? (int)(size) : 48)

struct stac_vocabulary_token {
    size_t text_at, bytes_at; /* in texts and bytes */
    uint32_t text_size, bytes_size;
    bool added;   /* text is literal and found in a text before it is cut into words */
    bool special; /* a control token */
};

struct stac_vocabulary {
    struct stac_vocabulary_token *tokens;
    size_t n;
    struct stac_strbuf texts, bytes;
    int32_t *slots; /* open addressing by text; id + 1, or 0 */
    size_t mask;
};

struct stac_piece { /* borrowed from the vocabulary; not NUL-terminated */
    const char *data;
    size_t size;
};

/* Room for n tokens, all still missing. The functions below refuse with STAC_ERR_INPUT, without naming the file. */
int stac_vocabulary_init(struct stac_vocabulary *v, size_t n, struct stac_error *err);
void stac_vocabulary_clean(struct stac_vocabulary *v);

/* Give id `id` its text: refused when empty, too long, taken, or when the id is outside [0, n) or taken. */
int stac_vocabulary_set(struct stac_vocabulary *v, int64_t id, const char *text, size_t size, struct stac_error *err);

/* After the last token was set and marked: refuse holes and characters outside the alphabet, and fill in the bytes. */
int stac_vocabulary_finish(struct stac_vocabulary *v, struct stac_error *err);

int32_t stac_vocabulary_find(const struct stac_vocabulary *v, const char *text, size_t size); /* or -1 */
struct stac_piece stac_vocabulary_text(const struct stac_vocabulary *v, int32_t id);
struct stac_piece stac_vocabulary_bytes(const struct stac_vocabulary *v, int32_t id);

#endif
