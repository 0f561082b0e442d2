#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "eval/finding.h"

enum { CONVERSATIONS = 3, STEPS = 4, PIECE = 5, ROOM = 40, LENGTH = STEPS * PIECE };

/* A side at work: what it predicts after each piece is held against the same tokens read by themselves. */
struct looking {
    struct stac_subject *s;
    struct stac_finding *f;
    struct stac_processor *processor;
    int32_t token[CONVERSATIONS][LENGTH];
    float *logits, *again; /* [CONVERSATIONS][PIECE][n_vocab]; [ROOM][n_vocab] */
};

static int room_of(const struct stac_subject *s) {
    return s->hp.n_ctx < ROOM ? s->hp.n_ctx : ROOM;
}

static size_t vocabulary(const struct looking *l) {
    return (size_t)l->s->hp.n_vocab;
}

/* The last prediction of a conversation against that of its tokens, which are `token`[n], read at once without being kept. */
static int hold(struct looking *l, int conversation, const int32_t *token, int n, struct stac_error *err) {
    struct stac_input in = {.n_seq = 1, .length = n, .input_ids = token, .forget = true};
    STAC_TRY(stac_processor_forward(l->processor, &in, l->again, err));
    const float *last = stac_processor_last(l->processor, conversation);
    if (last) stac_finding_compare(l->f, last, l->again + (size_t)(n - 1) * vocabulary(l), vocabulary(l));
    return STAC_OK;
}

/* A piece each of n conversations, as one batch: conversation which[i] reads its piece step[which[i]]. */
static int go_on(struct looking *l, const int step[CONVERSATIONS], int n, const int *which, struct stac_error *err) {
    int32_t ids[CONVERSATIONS * PIECE];
    for (int i = 0; i < n; i++) memcpy(ids + i * PIECE, l->token[which[i]] + step[which[i]] * PIECE, PIECE * sizeof *ids);
    struct stac_input in = {.n_seq = n, .length = PIECE, .input_ids = ids, .batch_ids = which};
    return stac_processor_forward(l->processor, &in, l->logits, err);
}

/* Conversations take turns; each must be as if it were alone, and count its positions on. */
static int take_turns(struct looking *l, struct stac_error *err) {
    static const int which[STEPS][CONVERSATIONS] = {{0, 1, 2}, {2, 0}, {1}, {1, 2}}, n[STEPS] = {3, 2, 1, 2};
    int32_t position[ROOM];
    int done[CONVERSATIONS] = {0};
    for (int step = 0; step < STEPS; step++) {
        STAC_TRY(go_on(l, done, n[step], which[step], err));
        for (int i = 0; i < n[step]; i++) done[which[step][i]]++;
        for (int c = 0; c < CONVERSATIONS; c++) {
            size_t length;
            stac_processor_position_ids(l->processor, c, position, &length);
            stac_finding_fault(l->f, length != (size_t)(done[c] * PIECE) || (length && position[length - 1] != (int)length - 1),
                               "positions do not count on");
            STAC_TRY(hold(l, c, l->token[c], done[c] * PIECE, err));
        }
    }
    return STAC_OK;
}

/* Piece `step` of one conversation. */
static int go_on_alone(struct looking *l, int step, int conversation, struct stac_error *err) {
    int steps[CONVERSATIONS] = {0};
    steps[conversation] = step;
    return go_on(l, steps, 1, &conversation, err);
}

/* One is forgotten and begins anew; the others stay. */
static int begin_anew(struct looking *l, struct stac_error *err) {
    stac_processor_reset_cache(l->processor, 0);
    STAC_TRY(go_on_alone(l, 1, 0, err));
    STAC_TRY(hold(l, 0, l->token[0] + PIECE, PIECE, err));
    return hold(l, 1, l->token[1], 3 * PIECE, err);
}

/* One is put away, another takes its place, and it is taken up again. The file is on the machine of rank 0. */
static int put_away(struct looking *l, struct stac_error *err) {
    const char *place = getenv("TMPDIR");
    char folder[4040], path[4096];
    int status = STAC_OK;
    bool root = l->s->ranks->rank == 0;
    snprintf(folder, sizeof folder, "%.4000s/stac-state-XXXXXX", place && place[0] ? place : "/tmp");
    if (root && !mkdtemp(folder)) status = stac_fail(err, STAC_ERR_IO, "no temporary folder %s", folder);
    STAC_TRY(stac_agree(l->s->ranks, l->s->ranks->comm, status, err));
    snprintf(path, sizeof path, "%s/state.h5", folder);
    status = stac_processor_save(l->processor, 1, path, err);
    stac_processor_reset_cache(l->processor, 1);
    if (status == STAC_OK) status = go_on_alone(l, 0, 1, err);
    if (status == STAC_OK) status = stac_processor_restore(l->processor, 1, path, err);
    if (root) unlink(path), rmdir(folder);
    STAC_TRY(status);
    STAC_TRY(hold(l, 1, l->token[1], 3 * PIECE, err));
    STAC_TRY(go_on_alone(l, 3, 1, err));
    return hold(l, 1, l->token[1], LENGTH, err);
}

/* One grows far beyond its room: what is left is its kept tokens and its newest turns. */
static int grow(struct looking *l, int room, struct stac_error *err) {
    int32_t wanted[ROOM];
    const struct stac_session *q = &l->processor->sessions.at[2];
    stac_processor_reset_cache(l->processor, 2);
    for (int turn = 0; turn < 4 * room / PIECE; turn++) {
        STAC_TRY(stac_processor_turn(l->processor, 2, turn == 1, err)); /* the first turn is kept */
        STAC_TRY(go_on_alone(l, turn % STEPS, 2, err));
        if (l->s->grid.stage < 0) continue;
        int left = (int)q->n, behind = left - PIECE;
        for (int i = 0; i < PIECE; i++) wanted[i] = l->token[2][i];
        for (int i = 0; i < behind; i++) wanted[PIECE + i] = l->token[2][((turn + 1) * PIECE - behind + i) % LENGTH];
        stac_finding_fault(l->f, left > room || memcmp(wanted, q->token, (size_t)left * sizeof *wanted) != 0,
                           "a long conversation keeps something else than its first and newest turns");
        STAC_TRY(hold(l, 2, wanted, left, err));
    }
    stac_finding_fault(l->f, l->s->grid.stage >= 0 && q->forgotten == 0, "a long conversation forgets nothing");
    return STAC_OK;
}

static int look_at_state(struct stac_processor *p, enum stac_side side, struct stac_finding *f, struct stac_error *err) {
    struct looking l = {.s = p->subject, .f = f, .processor = p};
    int status = STAC_OK;
    if (!stac_subject_holds_in_pieces(l.s, side)) return STAC_OK;
    STAC_TRY_DONE(STAC_NEW(l.logits, CONVERSATIONS * PIECE * vocabulary(&l), "logits", err));
    STAC_TRY_DONE(STAC_NEW(l.again, ROOM * vocabulary(&l), "logits", err));
    for (int c = 0; c < CONVERSATIONS; c++)
        for (int i = 0; i < LENGTH; i++) l.token[c][i] = stac_finding_token(l.s, c * LENGTH + i);
    STAC_TRY_DONE(take_turns(&l, err));
    STAC_TRY_DONE(begin_anew(&l, err));
    STAC_TRY_DONE(put_away(&l, err));
    STAC_TRY_DONE(grow(&l, room_of(l.s), err));
done:
    free(l.logits);
    free(l.again);
    return status;
}

int stac_check_tsp_state(struct stac_subject *s, struct stac_check *out, struct stac_error *err) {
    struct stac_finding f = {0};
    *out = (struct stac_check){.name = "tsp_state"};
    STAC_TRY(stac_finding_on_processors(s, CONVERSATIONS, room_of(s), look_at_state, &f, err));
    stac_finding_conclude(out, &f, "conversations beside others, forgotten, restored and cut, against their tokens read alone");
    stac_check_tell_left_out(s, out);
    return STAC_OK;
}
