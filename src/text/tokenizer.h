/* Text <-> tokens: byte-level BPE as Hugging Face's tokenizers computes it, for the GPT-2 and SmolLM2 families.
 *
 * A tokenizer is read-only after it is opened and may be used by several threads. */
#ifndef STAC_TEXT_TOKENIZER_H
#define STAC_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"

/* A growing list of token ids. Zero-initialise to start empty. */
struct stac_tokens {
    int32_t *id;
    size_t n;
    size_t cap;
};

int stac_tokens_add(struct stac_tokens *t, int32_t id, struct stac_error *err);
void stac_tokens_clean(struct stac_tokens *t);

struct stac_tokenizer;

/* From a folder (tokenizer.json, and tokenizer_config.json, chat_template.jinja and special_tokens_map.json where
 * present) or from the vocabulary of a GGUF file. *out is owned by the caller. STAC_ERR_INPUT names the file and the
 * fault: holes or duplicates in the vocabulary, merges of unknown tokens, a control token that merges of ordinary text
 * would give, an unsupported normalizer or pre-tokenizer.
 *
 * Files of a GPT-2 tokenizer need not name BOS and EOS, and those on the hub do not: both are <|endoftext|> then, as in
 * transformers, or where the vocabulary has no such special token, what config.json beside them names. */
int stac_tokenizer_open(const char *path, struct stac_tokenizer **out, struct stac_error *err);
void stac_tokenizer_close(struct stac_tokenizer *t); /* accepts NULL */

int stac_tokenizer_n_vocab(const struct stac_tokenizer *t);
int32_t stac_tokenizer_find(const struct stac_tokenizer *t, const char *token); /* text as in tokenizer.json; or -1 */
int32_t stac_tokenizer_bos(const struct stac_tokenizer *t);                     /* -1: none */
int32_t stac_tokenizer_eos(const struct stac_tokenizer *t);                     /* -1: none */
int32_t stac_tokenizer_prefix(const struct stac_tokenizer *t); /* that Hugging Face's puts before every text; -1: none */
const char *stac_tokenizer_chat_template(const struct stac_tokenizer *t); /* borrowed; NULL: none */
bool stac_tokenizer_is_special(const struct stac_tokenizer *t, int32_t id);

/* Append the tokens of a text. Malformed UTF-8 is read as U+FFFD, one for each maximal part of a sequence, as Python's
 * errors="replace" does. With `specials`, special tokens spelled out in the text become control tokens; without, they
 * are ordinary text. No BOS or EOS is added, nothing is truncated or padded. A byte that the vocabulary has no token for
 * (SmolLM2's lacks 21) is left out, as Hugging Face's does. */
int stac_tokenizer_encode(const struct stac_tokenizer *t, const char *text, size_t size, bool specials, struct stac_tokens *out,
                          struct stac_error *err);

/* A text in parts of which only the trusted ones may spell control tokens, each by itself: no text beside a trusted part
 * completes or hides one. What lies between control tokens is tokenised as one run across parts, so a chat gives the
 * same tokens as its rendered text. */
struct stac_text_part {
    const char *text;
    size_t size;
    bool trusted;
};
int stac_tokenizer_encode_parts(const struct stac_tokenizer *t, const struct stac_text_part *parts, size_t n,
                                struct stac_tokens *out, struct stac_error *err);

/* Append the text of tokens: the bytes of the pieces, which may end inside a UTF-8 sequence; an added token is its own
 * text. An id outside the vocabulary is STAC_ERR_USAGE. */
int stac_tokenizer_decode(const struct stac_tokenizer *t, const int32_t *ids, size_t n, bool skip_specials,
                          struct stac_strbuf *out, struct stac_error *err);

/* Write tokenizer.json and tokenizer_config.json into a folder, so that this reader and Hugging Face's read back an
 * equal tokenizer. Files of a folder are copied as they are; a GGUF vocabulary is written anew. */
int stac_tokenizer_save(const struct stac_tokenizer *t, const char *folder, struct stac_error *err);

#endif
