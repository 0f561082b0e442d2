#include "eval/finding.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "eval/conversation.h"

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
static int read_again(struct stac_subject *s, struct talk *k, struct stac_finding *f, struct stac_error *err) {
    size_t vocab = (size_t)s->hp.n_vocab;
    for (int turn = 0; turn < TURNS; turn++) {
        stac_sessions_reset(&k->sessions, 1);
        if (!k->read[turn]) continue;
        STAC_TRY(stac_sessions_add(&k->sessions, 1, k->sessions.at[0].token, k->read[turn], err));
        STAC_TRY(stac_sessions_read(&k->sessions, NULL, NULL, err));
        if (k->sessions.logits) stac_finding_compare(f, k->logits[turn], k->sessions.logits + vocab, vocab);
    }
    return STAC_OK;
}

int stac_check_multi_turn(struct stac_subject *s, char *transcript[STAC_SIDES], struct stac_check *out,
                          struct stac_error *err) {
    struct stac_finding f = {0};
    int capacity = stac_subject_context(s);
    *out = (struct stac_check){.name = "multi_turn"};
    for (int side = 0; side < STAC_SIDES; side++) {
        struct stac_stand stand;
        struct talk talk = {0};
        if (!s->side[side]) continue;
        STAC_TRY(stac_stand_init(&stand, s, (enum stac_side)side, 2, capacity, 64, err));
        int status = s->grid.stage < 0 ? STAC_OK : converse(s, &stand, &talk, err);
        if (status == STAC_OK && s->grid.stage >= 0 && stac_subject_holds_in_pieces(s, (enum stac_side)side))
            status = read_again(s, &talk, &f, err);
        if (status == STAC_OK && transcript) transcript[side] = stac_strdup(stac_strbuf_text(&talk.text), err);
        status = stac_agree(s->ranks, s->ranks->comm, status, err);
        talk_clean(&talk);
        stac_stand_clean(&stand);
        STAC_TRY(status);
    }
    STAC_TRY(stac_finding_share(s, &f, err));
    stac_finding_conclude(out, &f, "three turns through the cache and the same text at once");
    stac_check_tell_left_out(s, out);
    return STAC_OK;
}
