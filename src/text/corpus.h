/* A text file as tokens, and the windows that perplexity and calibration read from it. */
#ifndef STAC_TEXT_CORPUS_H
#define STAC_TEXT_CORPUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/spelling.h"

/* Tokens of a text file of at most 1 GiB, without BOS. Special tokens spelled in the file, such as <|endoftext|> between
 * documents, become control tokens. `limit` > 0 keeps only that many tokens, and no more of the file than they need is
 * made tokens. The spelling is that of the kept tokens: for a whole file of valid UTF-8, that of the file. */
struct stac_corpus {
    struct stac_tokens tokens;
    struct stac_spelling spelling;
    char sha256[65]; /* of the whole file, also with a limit */
};
int stac_corpus_read(const struct stac_tokenizer *t, const char *path, size_t limit, struct stac_corpus *out,
                     struct stac_error *err);
void stac_corpus_clean(struct stac_corpus *c);

/* A window: tokens [begin, begin + size) are read, predictions of the tokens at [begin + skip, begin + size) count.
 * Windows of `context` tokens start every `stride` tokens; every token but the first of the text is predicted once,
 * with at least context - stride tokens before it where the text has them. With stride == context the first token of
 * each window is read and not predicted (skip = 1), which is the convention of the figures in the README. *out is owned
 * by the caller; context < 2 or a stride outside [1, context] is STAC_ERR_USAGE, fewer than 2 tokens STAC_ERR_INPUT. */
struct stac_window {
    size_t begin, size, skip;
};
int stac_windows_cut(size_t n_tokens, size_t context, size_t stride, struct stac_window **out, size_t *n,
                     struct stac_error *err);

#endif
