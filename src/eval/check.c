#include "eval/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "eval/conversation.h"
#include "net/batch.h"
#include "net/logits.h"

bool stac_check_holds_in_pieces(const struct stac_subject *s, enum stac_side side) {
    return side != STAC_SNN || s->snn.neuron != STAC_NEURON_ST_BIF;
}

/* What a check that compares pieces says where it did not. */
static void tell_left_out(const struct stac_subject *s, struct stac_check *out) {
    if (!s->side[STAC_SNN] || stac_check_holds_in_pieces(s, STAC_SNN)) return;
    snprintf(out->text + strlen(out->text), sizeof out->text - strlen(out->text),
             "; not compared on the SNN: what ST-BIF+ neurons do depends on the pieces");
}

void stac_check_perplexity(const struct stac_subject *s, const struct stac_score *score, struct stac_check *out) {
    *out = (struct stac_check){.name = "perplexity", .passed = true, .limit = s->hp.n_vocab};
    for (int side = 0; side < STAC_SIDES; side++) {
        if (!s->side[side]) continue;
        double p = score->perplexity[side];
        out->figure = p > out->figure || !isfinite(p) ? p : out->figure;
        out->passed = out->passed && isfinite(p) && p < s->hp.n_vocab;
    }
    snprintf(out->text, sizeof out->text, "largest perplexity of a side, over %zu tokens; a blind guess has %d", score->tokens,
             s->hp.n_vocab);
}

void stac_check_fidelity(const struct stac_subject *s, const struct stac_score *score, struct stac_check *out) {
    double ratio_max = s->job->fidelity_ratio_max, top1_min = s->job->fidelity_top1_min;
    double distinct = (double)score->distinct[STAC_SNN] / (double)score->distinct[STAC_BASELINE];
    *out = (struct stac_check){.name = "fidelity", .figure = score->ratio, .limit = ratio_max};
    const char *why = !(score->ratio <= ratio_max) ? "; the ratio is too large"
                      : !(score->top1 >= top1_min) ? "; too few predictions agree"
                      : !(distinct >= 0.5)         ? "; the predictions have collapsed"
                                                   : "";
    out->passed = !*why;
    snprintf(
        out->text, sizeof out->text,
        "perplexity ratio; top-1 agreement %.4f (at least %.2f), divergence %.5f nats, distinct predictions %lld of %lld%s",
        score->top1, top1_min, score->kl, (long long)score->distinct[STAC_SNN], (long long)score->distinct[STAC_BASELINE], why);
}

/* ---- comparisons -------------------------------------------------------------------------------------------------- */

/* What a check finds on the last stage, and all ranks get from there. */
struct finding {
    double compared, different, worst; /* logits compared, not equal in their bits, largest difference */
    double other;                      /* further faults, counted */
    double divergence;
};

static void compare(struct finding *f, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double gap = fabs((double)a[i] - (double)b[i]);
        f->compared++;
        f->different += memcmp(&a[i], &b[i], sizeof *a) != 0;
        f->worst = gap > f->worst || isnan(gap) ? gap : f->worst;
    }
}

/* From the last stage of the first group to all ranks. */
static int share(const struct stac_subject *s, struct finding *f, struct stac_error *err) {
    return stac_broadcast(s->ranks->comm, f, sizeof *f, s->grid.n_stages - 1, err);
}

/* Run one batch through a stand whose caches were emptied, and the logits of all its rows on the last stage. */
static int read_batch(struct stac_stand *t, const struct stac_batch *batch, bool fresh, float *logits, struct stac_error *err) {
    if (t->subject->grid.stage < 0) return STAC_OK;
    if (fresh) stac_cache_reset(t->run[0].cache, -1);
    STAC_TRY(stac_pipeline_pass(&t->pipeline, STAC_OK, batch, err));
    STAC_TRY(stac_pipeline_settle(&t->pipeline, err));
    if (!stac_pipeline_is_last(&t->pipeline)) return STAC_OK;
    return stac_run_head(&t->run[0], 0, batch->n, t->pipeline.x[0], logits, err);
}

/* A check is a function of one side; this runs it on all of them and merges what it finds. */
typedef int (*side_fn)(struct stac_subject *s, struct stac_stand *t, struct finding *f, struct stac_error *err);

static int on_every_side(struct stac_subject *s, int n_slots, int capacity, int max_rows, side_fn look, struct finding *f,
                         struct stac_error *err) {
    for (int side = 0; side < STAC_SIDES; side++) {
        struct stac_stand stand;
        if (!s->side[side]) continue;
        STAC_TRY(stac_stand_init(&stand, s, (enum stac_side)side, n_slots, capacity, max_rows, err));
        int status = look(s, &stand, f, err);
        status = stac_agree(s->ranks, s->ranks->comm, status, err);
        stac_stand_clean(&stand);
        STAC_TRY(status);
    }
    return share(s, f, err);
}

static void conclude(struct stac_check *out, const struct finding *f, const char *what) {
    out->figure = f->different + f->other;
    out->passed = out->figure == 0 && f->compared > 0;
    snprintf(out->text, sizeof out->text, "%s: %.0f of %.0f logits differ%s", what, f->different, f->compared,
             f->other > 0 ? ", and a rule is broken" : "");
    if (f->different > 0)
        snprintf(out->text + strlen(out->text), sizeof out->text - strlen(out->text), ", by up to %.3g", f->worst);
}

/* Tokens to look at: ordinary ones, none of them special, the same in every run. */
static int32_t some_token(const struct stac_subject *s, int i) {
    int64_t n = s->hp.n_vocab;
    return (int32_t)((n / 3 + 7919 * (int64_t)i) % n);
}

/* ---- positions ---------------------------------------------------------------------------------------------------- */

enum { PROBED = 8 };

static int look_at_positions(struct stac_subject *s, struct stac_stand *t, struct finding *f, struct stac_error *err) {
    int vocab = s->hp.n_vocab, end = s->hp.n_ctx, status = STAC_OK;
    int n = end < PROBED ? end : PROBED;
    int32_t token[PROBED], front[PROBED], back[PROBED], slot[PROBED] = {0};
    float *a = NULL, *b = NULL, *scratch = NULL;
    size_t all = (size_t)n * (size_t)vocab;
    bool last = s->grid.stage >= 0 && stac_pipeline_is_last(&t->pipeline);
    for (int i = 0; i < n; i++) token[i] = some_token(s, i), front[i] = i, back[i] = end - n + i;
    STAC_TRY_DONE(STAC_NEW(a, all, "logits", err));
    STAC_TRY_DONE(STAC_NEW(b, all, "logits", err));
    STAC_TRY_DONE(STAC_NEW(scratch, vocab, "logits", err));

    struct stac_batch at_once = {n, token, back, slot};
    STAC_TRY_DONE(read_batch(t, &at_once, true, a, err));
    for (int i = 0; i < n; i++) { /* one by one, up to the last position */
        struct stac_batch one = {1, token + i, back + i, slot};
        STAC_TRY_DONE(read_batch(t, &one, i == 0, b + (size_t)i * vocab, err));
    }
    if (last) {
        if (stac_check_holds_in_pieces(s, t->side[0])) compare(f, a, b, all);
        for (size_t i = 0; i < all; i++) f->other += !isfinite(a[i]);
    }
    struct stac_batch in_front = {n, token, front, slot};
    STAC_TRY_DONE(read_batch(t, &in_front, true, b, err));
    if (last) {
        const float *p = a + all - vocab, *q = b + all - vocab;
        double zp = stac_log_partition(t->run[0].kernels, vocab, p, scratch),
               zq = stac_log_partition(t->run[0].kernels, vocab, q, scratch);
        double divergence = stac_divergence(t->run[0].kernels, vocab, p, zp, q, zq, scratch);
        if (divergence > f->divergence || isnan(divergence)) f->divergence = divergence;
        if (s->hp.rope_theta > 0) f->other += !(divergence < 0.5); /* only distances count */
    }
    int32_t swapped[PROBED]; /* the order of the text must count */
    memcpy(swapped, token, sizeof swapped);
    if (n >= 3) swapped[0] = token[1], swapped[1] = token[0];
    struct stac_batch turned = {n, swapped, front, slot};
    STAC_TRY_DONE(read_batch(t, &turned, true, a, err));
    if (last && n >= 3) f->other += memcmp(a + all - vocab, b + all - vocab, (size_t)vocab * sizeof *a) == 0;

    if (s->grid.stage >= 0) {
        struct stac_error refusal = {0};
        int32_t beyond = end;
        struct stac_batch outside = {1, token, &beyond, slot};
        f->other += stac_run_begin(&t->run[0], &outside, &refusal) != STAC_ERR_USAGE;
    }
done:
    free(a);
    free(b);
    free(scratch);
    return status;
}

int stac_check_positions(struct stac_subject *s, struct stac_check *out, struct stac_error *err) {
    struct finding f = {0};
    *out = (struct stac_check){.name = "position_boundaries"};
    STAC_TRY(on_every_side(s, 1, PROBED, PROBED, look_at_positions, &f, err));
    conclude(out, &f, "the last positions, at once and one by one");
    if (s->hp.rope_theta > 0)
        snprintf(out->text + strlen(out->text), sizeof out->text - strlen(out->text), "; moving a text there: %.4f nats",
                 f.divergence);
    tell_left_out(s, out);
    return STAC_OK;
}

/* ---- attention mask ----------------------------------------------------------------------------------------------- */

enum { SEQUENCES = 3, LENGTH = 10 };

/* Every sequence alone, against its rows in the batch of all. */
static int look_at_mask(struct stac_subject *s, struct stac_stand *t, struct finding *f, struct stac_error *err) {
    static const int8_t mask[SEQUENCES][LENGTH] = {
        {0, 0, 0, 0, 1, 1, 1, 1, 1, 1}, /* padded on the left */
        {1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
        {1, 1, 0, 1, 0, 0, 1, 1, 0, 0}, /* holes, and padded on the right */
    };
    size_t vocab = (size_t)s->hp.n_vocab;
    int32_t ids[SEQUENCES][LENGTH], row_of[SEQUENCES * LENGTH], *storage = NULL;
    float *all = NULL, *alone = NULL;
    struct stac_batch batch;
    int status = STAC_OK;
    bool last = s->grid.stage >= 0 && stac_pipeline_is_last(&t->pipeline);
    for (int q = 0; q < SEQUENCES; q++)
        for (int i = 0; i < LENGTH; i++) ids[q][i] = some_token(s, q * LENGTH + i);
    STAC_TRY_DONE(STAC_NEW(all, SEQUENCES * LENGTH * vocab, "logits", err));
    STAC_TRY_DONE(STAC_NEW(alone, LENGTH * vocab, "logits", err));
    STAC_TRY_DONE(stac_batch_from_padded(SEQUENCES, LENGTH, ids[0], mask[0], NULL, NULL, &batch, &storage, row_of, err));
    STAC_TRY_DONE(read_batch(t, &batch, true, all, err));
    for (int q = 0; q < SEQUENCES; q++) {
        int first = 0;
        while (row_of[q * LENGTH + first] < 0) first++;
        const float *rows = all + (size_t)row_of[q * LENGTH + first] * vocab;
        STAC_TRY_DONE(stac_batch_from_padded(1, LENGTH, ids[q], mask[q], NULL, NULL, &batch, &storage, NULL, err));
        STAC_TRY_DONE(read_batch(t, &batch, true, alone, err));
        if (last) compare(f, alone, rows, (size_t)batch.n * vocab);
        batch.n--; /* without its last token, the rows before it must stay */
        STAC_TRY_DONE(read_batch(t, &batch, true, alone, err));
        if (last) compare(f, alone, rows, (size_t)batch.n * vocab);
    }
done:
    free(all);
    free(alone);
    free(storage);
    return status;
}

int stac_check_mask(struct stac_subject *s, struct stac_check *out, struct stac_error *err) {
    struct finding f = {0};
    *out = (struct stac_check){.name = "attention_mask"};
    STAC_TRY(on_every_side(s, SEQUENCES, LENGTH, SEQUENCES * LENGTH, look_at_mask, &f, err));
    conclude(out, &f, "sequences in a batch and alone, with and without later tokens");
    return STAC_OK;
}

/* ---- temporal mode ------------------------------------------------------------------------------------------------ */

enum { STEPPED = 24 };

int stac_check_temporal(struct stac_subject *s, struct stac_check *out, struct stac_error *err) {
    struct finding f = {0};
    struct stac_stand stand;
    int32_t token[STEPPED], position[STEPPED], slot[STEPPED] = {0};
    int n = s->hp.n_ctx < STEPPED ? s->hp.n_ctx : STEPPED, n_sites = stac_site_count(&s->hp), status = STAC_OK;
    size_t all = (size_t)n * (size_t)s->hp.n_vocab;
    float *logits[2] = {NULL, NULL};
    struct stac_counts *counts[2] = {NULL, NULL};
    *out = (struct stac_check){.name = "temporal"};
    for (int i = 0; i < n; i++) token[i] = some_token(s, i), position[i] = i;
    STAC_TRY(stac_stand_init(&stand, s, STAC_SNN, 1, n, n, err));
    for (int m = 0; m < 2 && status == STAC_OK; m++) {
        status = STAC_NEW(logits[m], all, "logits", err);
        if (status == STAC_OK) status = STAC_NEW(counts[m], n_sites, "counts", err);
    }
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, status, err));
    for (int m = 0; m < 2; m++) {
        struct stac_batch batch = {n, token, position, slot};
        if (s->grid.stage >= 0) stac_run_clear_counts(&stand.run[0]);
        stand.run[0].mode = m ? STAC_MODE_TEMPORAL : STAC_MODE_COUNT;
        STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, read_batch(&stand, &batch, true, logits[m], err), err));
        STAC_TRY_DONE(stac_stand_counts(&stand, 0, counts[m], err));
    }
    if (s->grid.stage >= 0 && stac_pipeline_is_last(&stand.pipeline)) compare(&f, logits[0], logits[1], all);
    f.other = memcmp(counts[0], counts[1], (size_t)n_sites * sizeof *counts[0]) != 0;
    STAC_TRY_DONE(share(s, &f, err));
    conclude(out, &f, "time steps one by one and all at once");
done:
    for (int m = 0; m < 2; m++) {
        free(logits[m]);
        free(counts[m]);
    }
    stac_stand_clean(&stand);
    return status;
}

/* ---- several turns ------------------------------------------------------------------------------------------------ */

enum { TURNS = 3, ANSWER = 24 };
static const char *const questions[TURNS] = {"My name is Ada and I keep bees.", "How many legs does a bee have?",
                                             "What is my name?"};

/* What the model predicted after each turn, and when. */
struct talk {
    struct stac_sessions sessions; /* the second one reads everything again */
    struct stac_conversation conversation;
    size_t read[TURNS];   /* tokens when the turn's logits were taken */
    float *logits[TURNS]; /* last stage */
    struct stac_strbuf text;
};

static void talk_clean(struct talk *k) {
    stac_conversation_clean(&k->conversation);
    stac_sessions_clean(&k->sessions);
    stac_strbuf_clean(&k->text);
    for (int i = 0; i < TURNS; i++) free(k->logits[i]);
}

static int converse(struct stac_subject *s, struct stac_stand *t, struct talk *k, struct stac_error *err) {
    static const struct stac_sampling greedy = {.temperature = 0};
    struct stac_conversation *c = &k->conversation;
    const struct stac_session *q;
    size_t vocab = (size_t)s->hp.n_vocab;
    STAC_TRY(stac_sessions_init(&k->sessions, &t->pipeline, (uint64_t)s->job->seed, err));
    STAC_TRY(stac_conversation_init(c, s, &k->sessions, 0, NULL, err));
    q = &k->sessions.at[0];
    for (int turn = 0; turn < TURNS; turn++) {
        STAC_TRY(stac_conversation_ask(c, questions[turn], err));
        STAC_TRY(stac_sessions_read(&k->sessions, NULL, NULL, err));
        k->read[turn] = q->forgotten ? 0 : q->n; /* a short context: what was forgotten is not compared */
        STAC_TRY(STAC_NEW(k->logits[turn], vocab, "logits", err));
        if (k->sessions.logits) memcpy(k->logits[turn], k->sessions.logits, vocab * sizeof(float));
        STAC_TRY(stac_conversations_answer(c, 1, &greedy, ANSWER, NULL, NULL, err));
        STAC_TRY(stac_strbuf_printf(&k->text, err, "user: %s\nassistant: %s\n", questions[turn], stac_conversation_last(c)));
    }
    return STAC_OK;
}

/* The same tokens from an empty cache, all at once. */
static int read_again(struct stac_subject *s, struct talk *k, struct finding *f, struct stac_error *err) {
    size_t vocab = (size_t)s->hp.n_vocab;
    for (int turn = 0; turn < TURNS; turn++) {
        stac_sessions_reset(&k->sessions, 1);
        if (!k->read[turn]) continue;
        STAC_TRY(stac_sessions_add(&k->sessions, 1, k->sessions.at[0].token, k->read[turn], err));
        STAC_TRY(stac_sessions_read(&k->sessions, NULL, NULL, err));
        if (k->sessions.logits) compare(f, k->logits[turn], k->sessions.logits + vocab, vocab);
    }
    return STAC_OK;
}

int stac_check_multi_turn(struct stac_subject *s, char *transcript[STAC_SIDES], struct stac_check *out,
                          struct stac_error *err) {
    struct finding f = {0};
    int capacity = stac_subject_context(s);
    *out = (struct stac_check){.name = "multi_turn"};
    for (int side = 0; side < STAC_SIDES; side++) {
        struct stac_stand stand;
        struct talk talk = {0};
        if (!s->side[side]) continue;
        STAC_TRY(stac_stand_init(&stand, s, (enum stac_side)side, 2, capacity, 64, err));
        int status = s->grid.stage < 0 ? STAC_OK : converse(s, &stand, &talk, err);
        if (status == STAC_OK && s->grid.stage >= 0 && stac_check_holds_in_pieces(s, (enum stac_side)side))
            status = read_again(s, &talk, &f, err);
        if (status == STAC_OK && transcript) transcript[side] = stac_strdup(stac_strbuf_text(&talk.text), err);
        status = stac_agree(s->ranks, s->ranks->comm, status, err);
        talk_clean(&talk);
        stac_stand_clean(&stand);
        STAC_TRY(status);
    }
    STAC_TRY(share(s, &f, err));
    conclude(out, &f, "three turns through the cache and the same text at once");
    tell_left_out(s, out);
    return STAC_OK;
}
