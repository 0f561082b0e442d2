#include "eval/perplexity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct stac_perplexity stac_perplexity_of(double nll, const struct stac_spelling *scored, size_t words) {
    double sum = nll * (double)scored->tokens, bytes = sum / (double)scored->bytes;
    return (struct stac_perplexity){exp(nll), exp(sum / (double)words), exp(bytes), bytes / log(2)};
}

size_t stac_perplexity_words(const struct stac_spelling *s, const struct stac_job *job) {
    return job->words == STAC_JOB_SPLIT ? s->parts : s->words;
}

int stac_perplexity_prefix(const struct stac_tokenizer *t, const struct stac_job *job, int32_t *out, struct stac_error *err) {
    int32_t bos = stac_tokenizer_bos(t);
    *out = job->bos == STAC_JOB_BOS_NEVER   ? -1
           : job->bos == STAC_JOB_BOS_MODEL ? stac_tokenizer_prefix(t)
           : bos >= 0                       ? bos
                                            : stac_tokenizer_eos(t);
    if (job->bos != STAC_JOB_BOS_ALWAYS || *out >= 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE, "bos: always, but the tokenizer has neither a BOS nor an EOS token");
}

int stac_perplexity_spelling(const struct stac_tokenizer *t, const struct stac_reading *text, bool prefixed,
                             struct stac_spelling *scored, struct stac_error *err) {
    struct stac_window *w = NULL;
    uint8_t *counted = NULL;
    size_t n;
    int status = STAC_OK;
    STAC_TRY_DONE(stac_windows_cut(text->n, text->context, text->stride, &w, &n, err));
    STAC_TRY_DONE(STAC_NEW(counted, text->n, "predicted tokens", err));
    for (size_t i = 0; i < n; i++) memset(counted + w[i].begin + w[i].skip, 1, w[i].size - w[i].skip);
    STAC_TRY_DONE(stac_spelling_count(t, text->tokens + prefixed, text->n - prefixed, counted + prefixed, scored, err));
done:
    free(counted);
    free(w);
    return status;
}
