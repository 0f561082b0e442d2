/* What a tokenizer is made of, for the tokenizer_*.c files and the corpus reader. */
#ifndef STAC_TEXT_TOKENIZER_INTERNAL_H
#define STAC_TEXT_TOKENIZER_INTERNAL_H

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

enum { STAC_TOKENIZER_FILES = 5 };

struct stac_tokenizer {
    struct stac_vocabulary vocabulary;
    struct stac_added_token *added;
    size_t n_added, added_cap;
    struct stac_matcher raw, normalized; /* added tokens found before and after the normalizer */
    struct stac_matcher specials;        /* special tokens, as they are spelled */
    bool nfc;                            /* the normalizer */
    struct stac_pretokenizer pretokenizer;
    struct stac_bpe bpe;
    int32_t bos, eos; /* -1: none */
    int32_t prefix;   /* what the post-processor puts before a text; -1: nothing */
    char *chat_template;
    bool cuttable;            /* a long text may be cut between a word and a space */
    struct stac_source_file { /* the files of a folder as they were read, for stac_tokenizer_save */
        const char *name;
        char *data; /* NULL: there was none */
        size_t size;
    } files[STAC_TOKENIZER_FILES];
};

/* Fill a zeroed tokenizer from a folder or a GGUF file. */
int stac_tokenizer_load_folder(const char *folder, struct stac_tokenizer *t, struct stac_error *err);
int stac_tokenizer_load_gguf(const char *path, struct stac_tokenizer *t, struct stac_error *err);

/* The parts of tokenizer.json. The text is borrowed; `path` is for error lines. */
int stac_tokenizer_load_json(const char *path, const char *text, size_t size, struct stac_tokenizer *t, struct stac_error *err);

/* Steps that both loaders share, in this order: the vocabulary initialised and set; each added token; vocabulary_done;
 * the merges by the texts of their halves; then complete, when normalizer and pre-tokenizer are set as well. Error lines
 * do not name the file. */
int stac_tokenizer_add(struct stac_tokenizer *t, struct stac_added_token token, struct stac_error *err);
int stac_tokenizer_vocabulary_done(struct stac_tokenizer *t, size_t n_merges, struct stac_error *err);
int stac_tokenizer_merge(struct stac_tokenizer *t, const char *left, size_t left_size, const char *right, size_t right_size,
                         struct stac_error *err);
int stac_tokenizer_complete(struct stac_tokenizer *t, struct stac_error *err);

/* Where to cut a text so that its parts give the same tokens as the whole: at most `wanted` bytes where possible, else
 * as far as it takes, in the worst case all of it. */
size_t stac_tokenizer_cut(const struct stac_tokenizer *t, const char *text, size_t size, size_t wanted);

#endif
