/* Added tokens: texts that are found whole before anything else is cut, leftmost and longest first, with the rules of
 * Hugging Face's AddedVocabulary for the white space and the words beside them. */
#ifndef STAC_TEXT_ADDED_TOKENS_H
#define STAC_TEXT_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"

struct stac_added_token {
    int32_t id;
    bool special;
    bool lstrip, rstrip; /* swallows the white space before, behind it */
    bool single_word;    /* only where no word character touches it */
    bool normalized;     /* found in the normalized text, by its normalized form */
};

/* A set of texts, sorted, in which the longest that begins at some place is found by narrowing byte by byte. */
struct stac_matcher {
    struct stac_pattern {
        size_t at; /* in texts */
        uint32_t size;
        uint32_t token; /* index of the struct stac_added_token */
    } * patterns;
    size_t n, cap;
    struct stac_strbuf texts;
    uint32_t first[257]; /* patterns that start with byte b: [first[b], first[b + 1]) */
};

/* Add texts, then sort once; equal texts are refused. */
int stac_matcher_add(struct stac_matcher *m, const char *text, size_t size, uint32_t token, struct stac_error *err);
int stac_matcher_sort(struct stac_matcher *m, struct stac_error *err);
void stac_matcher_clean(struct stac_matcher *m);

struct stac_match {
    size_t begin, end;
    uint32_t token;
};

/* The leftmost match at or after `from`, the longest of those that begin there. */
bool stac_matcher_find(const struct stac_matcher *m, const char *text, size_t size, size_t from, struct stac_match *out);

/* The parts of a valid UTF-8 text: ordinary text and added tokens in turn. Without `specials`, the special tokens of the
 * matcher are passed over: their text is ordinary, and nothing else is found inside it. */
struct stac_splitter {
    const struct stac_matcher *matcher; /* borrowed, as are the next two */
    const struct stac_added_token *tokens;
    const char *text;
    size_t size;
    bool specials;
    size_t searched, taken; /* where the search goes on; where the last part ended */
    size_t token_end;       /* of the token that is to follow the text returned last */
    int32_t token_id;       /* -1: none */
};
struct stac_split {
    size_t begin, end;
    int32_t id; /* -1: ordinary text */
};
struct stac_splitter stac_splitter_over(const struct stac_matcher *m, const struct stac_added_token *tokens, const char *text,
                                        size_t size, bool specials);
bool stac_splitter_next(struct stac_splitter *s, struct stac_split *out);

#endif
