#include "eval/finding.h"

#include <stdlib.h>

#include "base/memory.h"

enum { CONVERSATIONS = 3, TURNS = 2, LENGTH = 10, ROOM = CONVERSATIONS * LENGTH }; /* a turn is one batch */

/* Of the first turn: padded on the left, whole, with holes and padded on the right. */
static const int8_t mask[TURNS][CONVERSATIONS][LENGTH] = {
    {{0, 0, 0, 0, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 0, 1, 0, 0, 1, 1, 0, 0}},
    {{1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, {0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, {0, 0, 1, 1, 1, 1, 1, 1, 1, 1}}};
static const int which[TURNS][CONVERSATIONS] = {{0, 1, 2}, {2, 0, 1}}; /* the conversation of each row */

struct looking {
    struct stac_processor *p;
    struct stac_finding *f;
    int turns;
    size_t vocab;
    int32_t ids[TURNS][CONVERSATIONS][LENGTH];
    float *logits, *alone; /* [TURNS][CONVERSATIONS][LENGTH][n_vocab]; [ROOM][n_vocab] */
};

static float *row_of(const struct looking *l, int turn, int seq, int i) {
    return l->logits + (size_t)((turn * CONVERSATIONS + seq) * LENGTH + i) * l->vocab;
}

static bool is_silent(const float *row, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (row[i] != 0) return false;
    return true;
}

static int take_turns(struct looking *l, struct stac_error *err) {
    for (int turn = 0; turn < l->turns; turn++) {
        for (int k = 0; k < CONVERSATIONS * LENGTH; k++)
            l->ids[turn][k / LENGTH][k % LENGTH] = stac_finding_token(l->p->subject, turn * CONVERSATIONS * LENGTH + k);
        struct stac_input in = {CONVERSATIONS, LENGTH, l->ids[turn][0], mask[turn][0], which[turn], false};
        STAC_TRY(stac_processor_forward(l->p, &in, row_of(l, turn, 0, 0), err));
    }
    for (int k = 0; k < l->turns * CONVERSATIONS * LENGTH && stac_processor_has_logits(l->p); k++)
        if (!(&mask[0][0][0])[k])
            stac_finding_fault(l->f, !is_silent(row_of(l, 0, 0, k), l->vocab), "a masked token has logits");
    return STAC_OK;
}

/* The tokens of a conversation that are there, by themselves, where all others are forgotten; without the last `less`. */
static int hold(struct looking *l, int conversation, int less, struct stac_error *err) {
    int32_t there[ROOM];
    const float *row[ROOM];
    int n = 0;
    for (int turn = 0; turn < l->turns; turn++)
        for (int seq = 0; seq < CONVERSATIONS; seq++)
            for (int i = 0; i < LENGTH && which[turn][seq] == conversation; i++)
                if (mask[turn][seq][i]) row[n] = row_of(l, turn, seq, i), there[n++] = l->ids[turn][seq][i];
    struct stac_input in = {.n_seq = 1, .length = n - less, .input_ids = there};
    stac_processor_reset_cache(l->p, -1);
    STAC_TRY(stac_processor_forward(l->p, &in, l->alone, err));
    for (int i = 0; i < in.length && stac_processor_has_logits(l->p); i++)
        stac_finding_compare(l->f, l->alone + (size_t)i * l->vocab, row[i], l->vocab);
    return STAC_OK;
}

static int look_at_mask(struct stac_processor *p, enum stac_side side, struct stac_finding *f, struct stac_error *err) {
    struct looking l = {.p = p, .f = f, .vocab = (size_t)p->subject->hp.n_vocab};
    int status = STAC_OK;
    l.turns = stac_subject_holds_in_pieces(p->subject, side) ? TURNS : 1;
    STAC_TRY_DONE(STAC_NEW(l.logits, TURNS * CONVERSATIONS * LENGTH * l.vocab, "logits", err));
    STAC_TRY_DONE(STAC_NEW(l.alone, ROOM * l.vocab, "logits", err));
    STAC_TRY_DONE(take_turns(&l, err));
    for (int k = 0; k < 2 * CONVERSATIONS; k++) STAC_TRY_DONE(hold(&l, k / 2, k % 2, err));
done:
    free(l.logits);
    free(l.alone);
    return status;
}

int stac_check_mask(struct stac_subject *s, struct stac_check *out, struct stac_error *err) {
    struct stac_finding f = {0};
    *out = (struct stac_check){.name = "attention_mask"};
    STAC_TRY(stac_finding_on_processors(s, CONVERSATIONS, ROOM, look_at_mask, &f, err));
    stac_finding_conclude(out, &f, "padded turns of several conversations and their tokens alone, with and without later ones");
    return STAC_OK;
}
