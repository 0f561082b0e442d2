#include "net/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/logits.h"

int stac_sequence_init(struct stac_sequence *s, struct stac_pipeline *pipeline, int slot, uint64_t seed,
                       struct stac_error *err) {
    *s = (struct stac_sequence){.pipeline = pipeline, .slot = slot, .random = stac_random_seeded(seed, (uint64_t)slot)};
    return STAC_NEW(s->logits, pipeline->run[0]->net->hp.n_vocab, "logits", err);
}

void stac_sequence_clean(struct stac_sequence *s) {
    free(s->logits);
    *s = (struct stac_sequence){0};
}

void stac_sequence_reset(struct stac_sequence *s) {
    stac_cache_reset(s->pipeline->run[0]->cache, s->slot);
    s->position = 0;
}

/* One piece of at most max_rows tokens. */
static int read_piece(struct stac_sequence *s, const int32_t *tokens, int n, bool last, float *all, struct stac_error *err) {
    struct stac_pipeline *p = s->pipeline;
    struct stac_run *run = p->run[0];
    size_t width = (size_t)run->net->hp.n_embd;
    int32_t *index;
    STAC_TRY(STAC_NEW(index, 2 * (size_t)n, "positions", err));
    for (int i = 0; i < n; i++) {
        index[i] = s->position + i;
        index[n + i] = s->slot;
    }
    struct stac_batch batch = {n, tokens, index, index + n};
    int status = stac_pipeline_pass(p, STAC_OK, &batch, err);
    if (status == STAC_OK && stac_pipeline_is_last(p)) {
        if (all) status = stac_run_head(run, 0, n, p->x[0], all, err);
        if (status == STAC_OK && last) status = stac_run_head(run, n - 1, 1, p->x[0] + (size_t)(n - 1) * width, s->logits, err);
    }
    s->position += n;
    free(index);
    return status;
}

int stac_sequence_read(struct stac_sequence *s, const int32_t *tokens, int n, float *all, struct stac_error *err) {
    int most = s->pipeline->run[0]->max_rows;
    size_t vocab = (size_t)s->pipeline->run[0]->net->hp.n_vocab;
    for (int at = 0; at < n; at += most) {
        int piece = n - at < most ? n - at : most;
        STAC_TRY(read_piece(s, tokens + at, piece, at + piece == n, all ? all + (size_t)at * vocab : NULL, err));
    }
    return STAC_OK;
}

/* ---- sampling ----------------------------------------------------------------------------------------------------- */

static int by_logit_then_index(const void *a, const void *b, void *logits) {
    const float *logit = logits;
    int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    if (logit[i] != logit[j]) return logit[i] > logit[j] ? -1 : 1;
    return i < j ? -1 : 1;
}

/* Draw from candidates[n], or from all tokens 0 .. n - 1 when candidates is NULL. */
static int32_t draw(const struct stac_sampling *how, struct stac_random *random, int n, const float *logits,
                    const int32_t *candidates, double top) {
    double total = 0, sum = 0;
    int counted = n;
    for (int i = 0; i < n; i++) total += exp((logits[candidates ? candidates[i] : i] - top) / how->temperature);
    if (candidates && how->top_p < 1) { /* the nucleus: the fewest candidates, in falling order, that hold top_p */
        double within = 0;
        counted = 0;
        while (counted < n && (counted == 0 || within < how->top_p * total))
            within += exp((logits[candidates[counted++]] - top) / how->temperature);
        total = within;
    }
    double at = stac_random_uniform(random) * total;
    for (int i = 0; i < counted; i++) {
        int32_t token = candidates ? candidates[i] : i;
        sum += exp((logits[token] - top) / how->temperature);
        if (at < sum) return token;
    }
    return candidates ? candidates[counted - 1] : n - 1;
}

/* The k largest logits into kept[k], in falling order; equals by index. */
static void largest_few(int k, int n, const float *logits, int32_t *kept) {
    int held = 0;
    for (int32_t i = 0; i < n; i++) {
        if (held == k && !(logits[i] > logits[kept[k - 1]])) continue;
        int at = held < k ? held++ : k - 1;
        for (; at > 0 && logits[i] > logits[kept[at - 1]]; at--) kept[at] = kept[at - 1];
        kept[at] = i;
    }
}

int32_t stac_sample(const struct stac_sampling *how, struct stac_random *random, int n, const float *logits, int32_t *scratch) {
    enum { FEW = 256 }; /* up to so many are kept by insertion, more are sorted */
    int32_t best = stac_most_likely(n, logits);
    double top = logits[best];
    int k = how->top_k > 0 && how->top_k < n ? how->top_k : n;
    if (how->temperature <= 0 || k == 1) return best;
    if (k == n && how->top_p >= 1) return draw(how, random, n, logits, NULL, top);
    if (k <= FEW) {
        largest_few(k, n, logits, scratch);
    } else {
        for (int32_t i = 0; i < n; i++) scratch[i] = i;
        qsort_r(scratch, (size_t)n, sizeof *scratch, by_logit_then_index, (void *)(uintptr_t)logits);
    }
    return draw(how, random, k, logits, scratch, top);
}

int stac_sequence_next(struct stac_sequence *s, const struct stac_sampling *how, int32_t *token, struct stac_error *err) {
    struct stac_pipeline *p = s->pipeline;
    int n = p->run[0]->net->hp.n_vocab;
    if (stac_pipeline_is_last(p)) {
        int32_t *scratch;
        STAC_TRY(STAC_NEW(scratch, n, "the candidates", err));
        *token = stac_sample(how, &s->random, n, s->logits, scratch);
        free(scratch);
    }
    return stac_broadcast(p->grid->group_comm, token, sizeof *token, p->grid->n_stages - 1, err);
}
