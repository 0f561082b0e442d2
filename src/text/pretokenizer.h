/* The cut of a text into words, none of which a token crosses: GPT-2's pattern, with or without single digits. */
#ifndef STAC_TEXT_PRETOKENIZER_H
#define STAC_TEXT_PRETOKENIZER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct stac_pretokenizer {
    bool digits;       /* every numeral is a word of its own: Digits(individual_digits) before ByteLevel */
    bool prefix_space; /* a text that does not start with a space gets one: ByteLevel(add_prefix_space) */
    void *code;        /* pcre2_code, read-only once compiled */
};

/* Compile for the two flags, which the caller has set. */
int stac_pretokenizer_compile(struct stac_pretokenizer *p, struct stac_error *err);
void stac_pretokenizer_clean(struct stac_pretokenizer *p);

/* The words of a text, which must be valid UTF-8: one reader for each thread, any number of texts. */
struct stac_word_reader {
    const struct stac_pretokenizer *pretokenizer; /* borrowed */
    void *match;                                  /* pcre2_match_data */
};
int stac_word_reader_open(const struct stac_pretokenizer *p, struct stac_word_reader *out, struct stac_error *err);
void stac_word_reader_close(struct stac_word_reader *r);

/* The end of the word that begins at text[at], at < size. */
int stac_word_reader_end(struct stac_word_reader *r, const char *text, size_t size, size_t at, size_t *end,
                         struct stac_error *err);

#endif
