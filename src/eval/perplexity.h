/* Perplexity per token, per word and per byte, of a text that is predicted token by token.
 *
 *     nll = mean of -ln p(token) over the predicted tokens;   perplexity = exp(nll)
 *     word perplexity = exp(nll tokens / words);   byte perplexity = exp(nll tokens / bytes);   bits per byte = log2 of it
 *
 * where words and bytes are those that the predicted tokens spell: a token without a prediction (the first of a text, and of
 * each window when windows do not overlap) counts nowhere. With every token predicted (bos: always, stride < context) words and
 * bytes are those of the text, as in the lm-evaluation-harness. */
#ifndef STAC_EVAL_PERPLEXITY_H
#define STAC_EVAL_PERPLEXITY_H

#include "eval/score.h"
#include "text/spelling.h"

struct stac_perplexity {
    double token, word, byte, bits_per_byte;
};

/* `words`: as many as scored->tokens tokens spell, counted as the job says. */
struct stac_perplexity stac_perplexity_of(double nll, const struct stac_spelling *scored, size_t words);

/* The words of a spelling, as the job counts them. */
size_t stac_perplexity_words(const struct stac_spelling *s, const struct stac_job *job);

/* The token that goes before the text by the policy `bos` of the job, or -1. STAC_ERR_USAGE: there is none to put there. */
int stac_perplexity_prefix(const struct stac_tokenizer *t, const struct stac_job *job, int32_t *out, struct stac_error *err);

/* What the predicted tokens of a reading spell. Its first token is no text where `prefixed`. */
int stac_perplexity_spelling(const struct stac_tokenizer *t, const struct stac_reading *text, bool prefixed,
                             struct stac_spelling *scored, struct stac_error *err);

#endif
