#include "net/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { HEAD_ROWS = 16 }; /* logits at a time */

static const struct stac_run *run_of(const struct stac_sessions *s) {
    return s->pipeline->run[0];
}

static size_t vocabulary(const struct stac_sessions *s) {
    return (size_t)run_of(s)->net->hp.n_vocab;
}

void stac_session_clean(struct stac_session *q) {
    free(q->token);
    free(q->turn);
    *q = (struct stac_session){0};
}

int stac_sessions_init(struct stac_sessions *s, struct stac_pipeline *pipeline, uint64_t seed, struct stac_error *err) {
    const struct stac_run *run = pipeline->run[0];
    size_t vocab = (size_t)run->net->hp.n_vocab;
    int status = STAC_OK;
    *s = (struct stac_sessions){.pipeline = pipeline, .n = run->cache->n_slots};
    STAC_TRY_DONE(STAC_NEW(s->at, s->n, "sessions", err));
    STAC_TRY_DONE(STAC_NEW(s->index, 4 * (size_t)run->max_rows, "sessions", err));
    if (stac_pipeline_is_last(pipeline)) {
        STAC_TRY_DONE(STAC_NEW(s->logits, (size_t)s->n * vocab, "logits", err));
        STAC_TRY_DONE(STAC_NEW(s->rows, HEAD_ROWS * vocab, "logits", err));
        STAC_TRY_DONE(STAC_NEW(s->scratch, vocab, "candidates", err));
    }
    for (int i = 0; i < s->n; i++) s->at[i].random = stac_random_seeded(seed, (uint64_t)i);
    stac_cache_reset(run->cache, -1);
done:
    if (status != STAC_OK) stac_sessions_clean(s);
    return status;
}

void stac_sessions_clean(struct stac_sessions *s) {
    for (int i = 0; i < s->n && s->at; i++) stac_session_clean(&s->at[i]);
    free(s->at);
    free(s->logits);
    free(s->rows);
    free(s->index);
    free(s->scratch);
    *s = (struct stac_sessions){0};
}

/* ---- tokens ------------------------------------------------------------------------------------------------------- */

void stac_sessions_unread(struct stac_sessions *s, int id, size_t n) {
    struct stac_session *q = &s->at[id];
    if (q->read <= n) return;
    q->read = n;
    run_of(s)->cache->length[id] = (int)n;
}

void stac_sessions_reset(struct stac_sessions *s, int id) {
    for (int i = 0; i < s->n; i++) {
        struct stac_session *q = &s->at[i];
        if (id >= 0 && i != id) continue;
        stac_sessions_unread(s, i, 0);
        q->n = q->kept = q->n_turns = q->forgotten = 0;
    }
}

size_t stac_sessions_room(const struct stac_sessions *s) {
    return (size_t)run_of(s)->cache->capacity;
}

int32_t stac_sessions_position(const struct stac_sessions *s, size_t index) {
    int32_t last = run_of(s)->net->hp.n_ctx - 1;
    return index < (size_t)last ? (int32_t)index : last;
}

int stac_sessions_turn(struct stac_sessions *s, int id, struct stac_error *err) {
    struct stac_session *q = &s->at[id];
    STAC_TRY(stac_grow(&q->turn, &q->turn_cap, q->n_turns + 1, sizeof *q->turn, "turns", err));
    q->turn[q->n_turns++] = q->n;
    return STAC_OK;
}

/* Index of the first token behind `kept` that stays when `more` are to be added; n + 1: they do not fit. */
static size_t first_to_stay(const struct stac_sessions *s, int id, size_t more) {
    const struct stac_session *q = &s->at[id];
    size_t room = stac_sessions_room(s), usual = room - room / 4, kept = q->kept < q->n ? q->kept : q->n;
    if (q->n + more <= room) return kept;
    if (q->n_turns == 0) {
        if (kept + more > room) return q->n + 1;
        size_t rest = kept + more < usual ? usual - kept - more : 0;
        return q->n - (rest < q->n - kept ? rest : q->n - kept);
    }
    for (size_t i = 0; i < q->n_turns; i++) {
        size_t from = q->turn[i] < kept ? kept : q->turn[i], left = kept + q->n - from + more;
        if (left <= usual || (i + 1 == q->n_turns && left <= room)) return from;
    }
    return q->n + 1;
}

bool stac_sessions_fit(const struct stac_sessions *s, int id, size_t n) {
    return first_to_stay(s, id, n) <= s->at[id].n;
}

/* Everything between the kept tokens and token `from` goes. */
static void forget(struct stac_sessions *s, int id, size_t from) {
    struct stac_session *q = &s->at[id];
    size_t gone = from - q->kept, turns = 0;
    memmove(q->token + q->kept, q->token + from, (q->n - from) * sizeof *q->token);
    for (size_t i = 0; i < q->n_turns; i++)
        if (q->turn[i] >= from) q->turn[turns++] = q->turn[i] - gone;
    q->n -= gone;
    q->n_turns = turns;
    q->forgotten += gone;
    stac_sessions_unread(s, id, q->kept);
}

int stac_sessions_reserve(struct stac_sessions *s, int id, size_t n, struct stac_error *err) {
    const struct stac_session *q = &s->at[id];
    size_t from = first_to_stay(s, id, n);
    if (from > q->n)
        return stac_fail(err, STAC_ERR_USAGE,
                         "a turn of %zu tokens behind %zu that are kept; max_context_length leaves room for %zu in all",
                         n + q->n - (q->n_turns ? q->turn[q->n_turns - 1] : q->n), q->kept, stac_sessions_room(s));
    if (from > q->kept) forget(s, id, from);
    return STAC_OK;
}

int stac_sessions_add(struct stac_sessions *s, int id, const int32_t *tokens, size_t n, struct stac_error *err) {
    struct stac_session *q = &s->at[id];
    STAC_TRY(stac_sessions_reserve(s, id, n, err));
    STAC_TRY(stac_grow(&q->token, &q->cap, q->n + n, sizeof *q->token, "tokens", err));
    memcpy(q->token + q->n, tokens, n * sizeof *tokens);
    q->n += n;
    return STAC_OK;
}

void stac_sessions_take_back(struct stac_sessions *s, int id, size_t n) {
    struct stac_session *q = &s->at[id];
    if (n >= q->n) return;
    q->n = n;
    while (q->n_turns > 0 && q->turn[q->n_turns - 1] >= n) q->n_turns--;
    stac_sessions_unread(s, id, n);
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/* The next batch: sessions in order, of each as much as there is room for. Its rows' logits are wanted at the end of a
 * session, or everywhere. */
static struct stac_batch next_batch(struct stac_sessions *s, bool everywhere) {
    int most = run_of(s)->max_rows, n = 0;
    int32_t *token = s->index, *position = token + most, *slot = position + most, *wanted = slot + most;
    for (int id = 0; id < s->n && n < most; id++) {
        struct stac_session *q = &s->at[id];
        for (; q->read < q->n && n < most; n++) {
            token[n] = q->token[q->read];
            position[n] = stac_sessions_position(s, q->read);
            s->clamped = s->clamped || (size_t)position[n] != q->read;
            slot[n] = id;
            wanted[n] = everywhere || ++q->read == q->n;
            q->read += everywhere;
        }
    }
    return (struct stac_batch){n, token, position, slot};
}

/* Logits of rows [first, first + n) of the batch: shown, and those of the last row of a session kept. */
static int take_logits(struct stac_sessions *s, const struct stac_batch *batch, int first, int n, stac_sessions_see see,
                       void *ctx, struct stac_error *err) {
    struct stac_run *run = s->pipeline->run[0];
    size_t width = (size_t)run->net->hp.n_embd, vocab = vocabulary(s);
    STAC_TRY(stac_run_head(run, first, n, s->pipeline->x[0] + (size_t)first * width, s->rows, err));
    for (int i = 0; i < n; i++) {
        int row = first + i, id = batch->slot[row], behind = 0;
        while (row + behind + 1 < batch->n && batch->slot[row + behind + 1] == id) behind++;
        size_t index = s->at[id].read - 1 - (size_t)behind;
        if (see) see(ctx, id, index, s->rows + (size_t)i * vocab);
        if (index + 1 == s->at[id].n)
            memcpy(s->logits + (size_t)id * vocab, s->rows + (size_t)i * vocab, vocab * sizeof(float));
    }
    return STAC_OK;
}

static int predict(struct stac_sessions *s, const struct stac_batch *batch, stac_sessions_see see, void *ctx,
                   struct stac_error *err) {
    const int32_t *wanted = s->index + 3 * (size_t)run_of(s)->max_rows;
    for (int first = 0; first < batch->n;) {
        int n = 0;
        while (n < HEAD_ROWS && first + n < batch->n && wanted[first + n]) n++;
        if (n) STAC_TRY(take_logits(s, batch, first, n, see, ctx, err));
        first += n ? n : 1;
    }
    return STAC_OK;
}

int stac_sessions_read(struct stac_sessions *s, stac_sessions_see see, void *ctx, struct stac_error *err) {
    for (;;) {
        struct stac_batch batch = next_batch(s, see != NULL);
        if (batch.n == 0) return STAC_OK;
        STAC_TRY(stac_pipeline_pass(s->pipeline, STAC_OK, &batch, err));
        s->passed += (size_t)batch.n;
        if (stac_pipeline_is_last(s->pipeline)) STAC_TRY(predict(s, &batch, see, ctx, err));
    }
}

int stac_sessions_next(struct stac_sessions *s, const struct stac_sampling *how, int n, const int *id, int32_t *token,
                       struct stac_error *err) {
    int vocab = (int)vocabulary(s);
    const struct stac_grid *grid = s->pipeline->grid;
    if (stac_pipeline_is_last(s->pipeline))
        for (int i = 0; i < n; i++)
            token[i] = stac_sample(how, &s->at[id[i]].random, vocab, s->logits + (size_t)id[i] * vocab, s->scratch);
    return stac_broadcast(grid->group_comm, token, (size_t)n * sizeof *token, grid->n_stages - 1, err);
}

int stac_sessions_replace(struct stac_sessions *s, int id, struct stac_session *other, struct stac_error *err) {
    struct stac_session old = s->at[id];
    if (other->n > stac_sessions_room(s))
        return stac_fail(err, STAC_ERR_USAGE, "a conversation of %zu tokens; max_context_length leaves room for %zu", other->n,
                         stac_sessions_room(s));
    stac_sessions_unread(s, id, 0);
    s->at[id] = *other;
    s->at[id].read = 0;
    *other = old;
    return stac_sessions_read(s, NULL, NULL, err);
}
