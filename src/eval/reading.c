#include "eval/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/sample.h"
#include "eval/perplexity.h"
#include "text/corpus.h"

enum { OWN_WINDOWS = 4 };

size_t stac_text_context(const struct stac_subject *s) {
    size_t most = (size_t)s->hp.n_ctx;
    return s->job->context > 0 ? (size_t)s->job->context : most < 512 ? most : 512;
}

/* ---- a file ------------------------------------------------------------------------------------------------------- */

/* Its tokens on rank 0, after the token that the policy puts before it. */
static int load(const struct stac_subject *s, struct stac_text *out, struct stac_tokens *tokens, struct stac_error *err) {
    struct stac_corpus corpus = {0};
    int32_t prefix = -1;
    int status = STAC_OK;
    STAC_TRY_DONE(stac_perplexity_prefix(s->tokenizer, s->job, &prefix, err));
    STAC_TRY_DONE(stac_corpus_read(s->tokenizer, s->job->text, (size_t)s->job->limit_tokens, &corpus, err));
    out->prefixed = prefix >= 0;
    if (out->prefixed) STAC_TRY_DONE(stac_tokens_add(tokens, prefix, err));
    for (size_t i = 0; i < corpus.tokens.n; i++) STAC_TRY_DONE(stac_tokens_add(tokens, corpus.tokens.id[i], err));
    if (tokens->n < 2)
        status = stac_fail(err, STAC_ERR_INPUT, "%s has %zu tokens: nothing to predict", s->job->text, corpus.tokens.n);
    out->all = corpus.spelling;
    if (!(out->name = stac_strdup(s->job->text, err)) || !(out->sha256 = stac_strdup(corpus.sha256, err))) status = err->status;
done:
    stac_corpus_clean(&corpus);
    return status;
}

/* The same on all ranks. */
static int read_file(const struct stac_subject *s, struct stac_text *out, struct stac_error *err) {
    const struct stac_ranks *ranks = s->ranks;
    struct stac_tokens tokens = {0};
    uint64_t head[2] = {0};
    int status = STAC_OK;
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, ranks->rank == 0 ? load(s, out, &tokens, err) : STAC_OK, err));
    head[0] = tokens.n, head[1] = out->prefixed;
    STAC_TRY_DONE(stac_broadcast(ranks->comm, head, sizeof head, 0, err));
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, STAC_NEW(out->tokens, head[0], "the text", err), err));
    if (ranks->rank == 0) memcpy(out->tokens, tokens.id, head[0] * sizeof *out->tokens);
    STAC_TRY_DONE(stac_broadcast(ranks->comm, out->tokens, head[0] * sizeof *out->tokens, 0, err));
    out->reading.n = (size_t)head[0];
    out->prefixed = head[1] != 0;
done:
    stac_tokens_clean(&tokens);
    return status;
}

/* ---- its own texts ------------------------------------------------------------------------------------------------ */

static int write_windows(struct stac_subject *s, struct stac_text *out, size_t context, struct stac_error *err) {
    const struct stac_network *net = s->grid.stage >= 0 ? &s->net[STAC_BASELINE] : NULL;
    char what[120];
    uint64_t seed = (uint64_t)s->job->seed + (UINT64_C(1) << 32);
    int32_t first = stac_sample_start(&s->hp);
    size_t wanted = (size_t)s->job->limit_tokens, n = OWN_WINDOWS * context;
    snprintf(what, sizeof what, "%d texts written by the original after token %d, seed %lld + 2^32", OWN_WINDOWS, first,
             (long long)s->job->seed);
    int status = STAC_NEW(out->tokens, n, "the text", err);
    if (status == STAC_OK && s->ranks->rank == 0 && !(out->name = stac_strdup(what, err))) status = err->status;
    STAC_TRY(stac_agree(s->ranks, s->ranks->comm, status, err));
    out->reading.n = wanted > 1 && wanted < n ? wanted : n;
    struct stac_sample_request request = {.ranks = s->ranks,
                                          .grid = &s->grid,
                                          .log = s->log,
                                          .net = net,
                                          .checkpoint = s->checkpoint,
                                          .n_vocab = s->hp.n_vocab,
                                          .first = first,
                                          .seed = seed,
                                          .n = OWN_WINDOWS,
                                          .length = (int)context};
    return stac_sample_windows(&request, out->tokens, err);
}

/* ---- either ------------------------------------------------------------------------------------------------------- */

/* What the predicted tokens of a file spell. */
static int spell(const struct stac_subject *s, struct stac_text *text, struct stac_error *err) {
    if (s->ranks->rank != 0 || !text->sha256) return STAC_OK;
    return stac_perplexity_spelling(s->tokenizer, &text->reading, text->prefixed, &text->counted, err);
}

int stac_text_open(struct stac_subject *s, struct stac_text *out, struct stac_error *err) {
    size_t context = stac_text_context(s);
    *out = (struct stac_text){0};
    int status = s->job->text[0] ? read_file(s, out, err) : write_windows(s, out, context, err);
    out->reading.tokens = out->tokens;
    out->reading.context = context;
    out->reading.stride = s->job->stride > 0 ? (size_t)s->job->stride : context;
    if (status == STAC_OK) status = stac_agree(s->ranks, s->ranks->comm, spell(s, out, err), err);
    if (status != STAC_OK) stac_text_clean(out);
    return status;
}

void stac_text_clean(struct stac_text *text) {
    free(text->tokens);
    free(text->name);
    free(text->sha256);
    *text = (struct stac_text){0};
}
