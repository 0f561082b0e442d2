#include "convert/sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "net/placed.h"

enum { AT_ONCE = 32, AGAIN = 16 }; /* most texts that a group writes side by side; steps between two chances to stop */

/* All texts of the job, as far as they are written. */
struct texts {
    int n, length;
    int32_t *token;             /* [n][length] */
    int32_t *at;                /* [n] tokens that are there, from the first on */
    struct stac_random *random; /* [n] what draws the next one; last stage */
};

/* What a group writes: text i of the job is that of group i mod n_groups. */
struct writing {
    const struct stac_ranks *ranks;
    const struct stac_grid *grid;
    struct stac_checkpoint *checkpoint; /* or NULL */
    struct stac_pipeline pipeline;
    struct texts texts;
    int text[AT_ONCE], n; /* that are written side by side, by slot */
    int at_once, n_vocab;
    float *logits; /* [at_once][n_vocab], on processors */
    struct stac_progress progress;
};

/* What the last stage tells the others after each step. */
struct step {
    int32_t status;
    int32_t token[AT_ONCE];
};

/* ---- one step ----------------------------------------------------------------------------------------------------- */

/* One step: every text that is not whole grows by one token. Returns the agreed status of the group. */
static int grow(struct writing *w, struct stac_error *err) {
    struct texts *t = &w->texts;
    struct step step = {0};
    int32_t token[AT_ONCE], position[AT_ONCE], slot[AT_ONCE];
    int grows[AT_ONCE], n = 0;
    for (int i = 0; i < w->n; i++) {
        int text = w->text[i], last = t->at[text] - 1;
        if (last + 1 == t->length) continue;
        token[n] = t->token[(size_t)text * t->length + last], position[n] = last, slot[n] = i;
        grows[n++] = text;
    }
    if (n == 0) return STAC_OK;
    struct stac_batch batch = {n, token, position, slot};
    int status = stac_pipeline_pass(&w->pipeline, STAC_OK, &batch, err);
    if (stac_pipeline_is_last(&w->pipeline)) {
        double u[AT_ONCE];
        for (int i = 0; i < n; i++) u[i] = stac_random_uniform(&t->random[grows[i]]);
        if (status == STAC_OK)
            status = stac_run_draw(w->pipeline.run[0], n, w->pipeline.x[0], 1.0, u, w->logits, step.token, err);
        step.status = status;
    }
    STAC_TRY(stac_broadcast(w->grid->group_comm, &step, sizeof step, w->grid->n_stages - 1, err));
    if (status == STAC_OK && step.status != STAC_OK) status = stac_fail(err, step.status, "another stage failed");
    for (int i = 0; status == STAC_OK && i < n; i++) t->token[(size_t)grows[i] * t->length + t->at[grows[i]]++] = step.token[i];
    stac_progress_step(&w->progress, (double)n * w->grid->n_groups);
    return status;
}

/* Texts of which more than the first token is there are read up to the last one, which the next step reads. */
static int catch_up(struct writing *w, struct stac_error *err) {
    struct texts *t = &w->texts;
    int32_t position[AT_ONCE], slot[AT_ONCE];
    int status = STAC_OK;
    stac_cache_reset(w->pipeline.run[0]->cache, -1);
    for (int i = 0; i < w->n; i++) {
        int text = w->text[i], known = t->at[text] == t->length ? 0 : t->at[text] - 1;
        for (int from = 0; from < known; from += w->at_once) {
            struct stac_batch batch = {known - from < w->at_once ? known - from : w->at_once,
                                       t->token + (size_t)text * t->length + from, position, slot};
            for (int k = 0; k < batch.n; k++) position[k] = from + k, slot[k] = i;
            status = stac_pipeline_pass(&w->pipeline, status, &batch, err);
        }
    }
    return status;
}

/* ---- the checkpoint ----------------------------------------------------------------------------------------------- */

static const char record[] = "texts";

/* How a record holds them. */
static void parts_of(struct texts *t, struct stac_partial part[3]) {
    part[0] = (struct stac_partial){STAC_ADD_I32, t->token, (size_t)t->n * (size_t)t->length};
    part[1] = (struct stac_partial){STAC_ADD_I32, t->at, (size_t)t->n};
    part[2] = (struct stac_partial){STAC_ADD_I64, t->random, (size_t)t->n};
}

static int texts_init(struct texts *t, int n, int length, struct stac_error *err) {
    *t = (struct texts){.n = n, .length = length};
    STAC_TRY(STAC_NEW(t->token, (size_t)n * length, "texts", err));
    STAC_TRY(STAC_NEW(t->at, n, "texts", err));
    return STAC_NEW(t->random, n, "texts", err);
}

static void texts_clean(struct texts *t) {
    free(t->token);
    free(t->at);
    free(t->random);
    *t = (struct texts){0};
}

/* What this rank alone has to tell of all texts: the first stage those of its group, the last one what draws their tokens. */
static int own_share(const struct writing *w, struct texts *out, struct stac_error *err) {
    const struct texts *t = &w->texts;
    STAC_TRY(texts_init(out, t->n, t->length, err));
    for (int i = 0; i < t->n; i++) {
        if (w->grid->stage < 0 || i % w->grid->n_groups != w->grid->group) continue;
        if (w->grid->stage == w->grid->n_stages - 1) out->random[i] = t->random[i];
        if (w->grid->stage > 0) continue;
        out->at[i] = t->at[i];
        memcpy(out->token + (size_t)i * t->length, t->token + (size_t)i * t->length, (size_t)t->at[i] * sizeof *t->token);
    }
    return STAC_OK;
}

/* Keep what is there, now or (at the end) with what is due next; collective. */
static int keep(struct writing *w, bool whole, struct stac_error *err) {
    struct stac_checkpoint *c = w->checkpoint;
    struct texts all = {0};
    struct stac_partial part[3];
    bool due;
    STAC_TRY(stac_checkpoint_ask(c, &due, err));
    if (!due && !whole) return STAC_OK;
    int status = own_share(w, &all, err);
    STAC_TRY_DONE(stac_agree(w->ranks, w->ranks->comm, status, err));
    parts_of(&all, part);
    STAC_TRY_DONE(stac_merge_to_first(w->ranks, part, 3, err));
    if (w->ranks->rank == 0) {
        struct stac_bytes bytes[3];
        for (int i = 0; i < 3; i++) bytes[i] = (struct stac_bytes){part[i].data, stac_partial_bytes(&part[i], 1)};
        stac_checkpoint_put(c, record, bytes, 3, !due);
    }
    status = stac_checkpoint_leave(c, err);
done:
    texts_clean(&all);
    return status;
}

/* What an earlier run left, the same on every rank. Tokens and counts that are not possible count for nothing. */
static int resume(struct writing *w, struct stac_error *err) {
    struct texts *t = &w->texts;
    struct stac_partial part[3];
    parts_of(t, part);
    char *body = w->ranks->rank == 0 ? stac_checkpoint_get(w->checkpoint, record, stac_partial_bytes(part, 3), NULL) : NULL;
    bool sane = body != NULL;
    if (sane) {
        const int32_t *token = (const int32_t *)(const void *)body, *at = token + (size_t)t->n * t->length;
        for (int i = 0; i < t->n; i++) sane = sane && at[i] >= 1 && at[i] <= t->length;
        for (size_t i = 0; i < (size_t)t->n * t->length; i++) sane = sane && token[i] >= 0 && token[i] < w->n_vocab;
    }
    char *from = body;
    for (int i = 0; i < 3 && sane; from += stac_partial_bytes(&part[i], 1), i++)
        memcpy(part[i].data, from, stac_partial_bytes(&part[i], 1));
    free(body);
    for (int i = 0; i < 3; i++) STAC_TRY(stac_broadcast(w->ranks->comm, part[i].data, stac_partial_bytes(&part[i], 1), 0, err));
    return STAC_OK;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

/* Texts of this group from `from` on that are written side by side. */
static void choose(struct writing *w, int from) {
    w->n = 0;
    for (int i = from + w->grid->group; i < w->texts.n && w->n < w->at_once; i += w->grid->n_groups) w->text[w->n++] = i;
}

/* Round after round, the same number of steps in every group, so that all are asked together. */
static int write_all(struct writing *w, struct stac_error *err) {
    struct texts *t = &w->texts;
    for (int from = 0; from < t->n; from += w->at_once * w->grid->n_groups) {
        int status = STAC_OK, left = 0, last = from + w->at_once * w->grid->n_groups;
        for (int i = from; i < t->n && i < last; i++) left = t->length - t->at[i] > left ? t->length - t->at[i] : left;
        if (w->grid->stage >= 0) choose(w, from), status = catch_up(w, err);
        for (int step = 0; step < left; step += AGAIN) {
            for (int k = 0; k < AGAIN && status == STAC_OK && w->grid->stage >= 0; k++) status = grow(w, err);
            STAC_TRY(stac_agree(w->ranks, w->ranks->comm, status, err));
            STAC_TRY(keep(w, false, err));
        }
        STAC_TRY(stac_agree(w->ranks, w->ranks->comm, status, err));
    }
    int settled = w->grid->stage >= 0 ? stac_pipeline_settle(&w->pipeline, err) : STAC_OK;
    return stac_agree(w->ranks, w->ranks->comm, settled, err);
}

int32_t stac_sample_start(const struct stac_hparams *hp) {
    return hp->n_eos > 0 ? hp->eos[0] : hp->bos >= 0 ? hp->bos : 0;
}

/* Where the network is that writes: on the device, if there is one. */
static int place(const struct writing *w, const struct stac_sample_request *q, struct stac_network *placed,
                 struct stac_error *err) {
    double cache = stac_cache_bytes(q->net, w->at_once, w->texts.length);
    double run = stac_run_bytes(q->net, STAC_MODE_DENSE, w->texts.length, w->at_once);
    return stac_network_place(q->net, q->device, stac_network_must_stream(q->net, q->device, cache + run, q->log), placed, err);
}

static int begin(struct writing *w, const struct stac_sample_request *q, struct stac_network *placed, struct stac_cache *cache,
                 struct stac_run *run, struct stac_error *err) {
    int share = (w->texts.n + w->grid->n_groups - 1) / w->grid->n_groups;
    w->at_once = share < AT_ONCE ? share : AT_ONCE;
    if (w->grid->stage < 0) return STAC_OK;
    if (q->device) STAC_TRY(place(w, q, placed, err));
    const struct stac_network *net = q->device ? placed : q->net;
    STAC_TRY(stac_cache_init(cache, net, w->at_once, w->texts.length, err));
    STAC_TRY(stac_run_init(run, net, cache, STAC_MODE_DENSE, w->at_once, err));
    STAC_TRY(stac_pipeline_init(&w->pipeline, w->grid, 1, &run, err));
    return q->device ? STAC_OK : STAC_NEW(w->logits, (size_t)w->at_once * w->n_vocab, "logits", err);
}

int stac_sample_windows(const struct stac_sample_request *q, int32_t *tokens, struct stac_error *err) {
    struct writing w = {.ranks = q->ranks, .grid = q->grid, .checkpoint = q->checkpoint, .n_vocab = q->n_vocab};
    struct stac_network placed = {0};
    struct stac_cache cache = {0};
    struct stac_run run = {0};
    struct texts share = {0};
    struct stac_partial part[3];
    double there = 0;
    int status = texts_init(&w.texts, q->n, q->length, err);
    for (int i = 0; status == STAC_OK && i < q->n; i++) {
        w.texts.token[(size_t)i * q->length] = q->first;
        w.texts.at[i] = 1;
        w.texts.random[i] = stac_random_seeded(q->seed, (uint64_t)i);
    }
    if (status == STAC_OK) status = begin(&w, q, &placed, &cache, &run, err);
    STAC_TRY_DONE(stac_agree(q->ranks, q->ranks->comm, status, err));
    STAC_TRY_DONE(resume(&w, err));
    stac_progress_begin(&w.progress, q->log, "calibrate: texts", (double)q->n * q->length, "tokens");
    for (int i = 0; i < q->n; i++) there += w.texts.at[i];
    stac_progress_skip(&w.progress, there);
    STAC_TRY_DONE(write_all(&w, err));
    if (there < (double)q->n * q->length) STAC_TRY_DONE(keep(&w, true, err));
    stac_progress_end(&w.progress);
    STAC_TRY_DONE(stac_agree(q->ranks, q->ranks->comm, own_share(&w, &share, err), err));
    parts_of(&share, part);
    STAC_TRY_DONE(stac_merge_to_all(q->ranks, part, 1, err)); /* each text is contributed once */
    memcpy(tokens, share.token, (size_t)q->n * (size_t)q->length * sizeof *tokens);
done:
    texts_clean(&share);
    texts_clean(&w.texts);
    free(w.logits);
    stac_pipeline_clean(&w.pipeline);
    stac_run_clean(&run);
    stac_cache_clean(&cache);
    stac_network_clean(&placed);
    return status;
}
