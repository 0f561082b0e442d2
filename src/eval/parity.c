#include "eval/parity.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "dist/share.h"
#include "eval/conversation.h"
#include "net/logits.h"

enum {
    TOGETHER = 8,         /* conversations at once */
    ANSWER = 16,          /* tokens of an answer */
    CLOSING = 8,          /* and of what closes it at most */
    BYTES_AN_ANSWER = 500 /* of text that are read in the time of an answer, about */
};

/* A turn of one conversation: what all ranks add up. Each is written by one rank only, so the sum is exact. */
struct spoken {
    double tokens, kl, agree, nll[STAC_SIDES], read, right[STAC_SIDES], compared, different, left_out;
};

struct parity {
    struct stac_subject *s;
    const struct stac_dialogues *set;
    struct stac_stand stand[STAC_SIDES];
    struct stac_sessions sessions[STAC_SIDES]; /* the last one is for reading again */
    struct stac_conversation talk[STAC_SIDES][TOGETHER];
    int n; /* at work */
    size_t dialogue[TOGETHER];
    bool left_out[TOGETHER];             /* a turn of it does not fit the context */
    size_t from[TOGETHER], to[TOGETHER]; /* indices of the logits that predict the answer of this turn: [from, to) */
    float *original[TOGETHER];           /* [to - from][n_vocab] of the baseline; last stage */
    size_t cap[TOGETHER];
    float *scratch;
    struct spoken *spoken;      /* [set->n][STAC_MOST_TURNS] */
    struct stac_counts *events; /* [STAC_MOST_TURNS] of the SNN */
    int turn;
    double *cost;  /* [set->n] */
    size_t *order; /* [set->n] the longest first */
    struct stac_progress progress;
};

static bool is_last(const struct parity *p) {
    return stac_pipeline_is_last(&p->stand[0].pipeline);
}

static const struct stac_dialogue *dialogue(const struct parity *p, int i) {
    return &p->set->at[p->dialogue[i]];
}

static bool speaks(const struct parity *p, int i) {
    return !p->left_out[i] && p->turn < dialogue(p, i)->n_turns;
}

static struct spoken *spoken_of(const struct parity *p, int i) {
    return &p->spoken[p->dialogue[i] * STAC_MOST_TURNS + (size_t)p->turn];
}

static size_t vocabulary(const struct parity *p) {
    return (size_t)p->s->hp.n_vocab;
}

/* ---- answers of their own ----------------------------------------------------------------------------------------- */

/* One side answers what it is asked; then it is as if it had not, and what all have said is yet to be read. */
static int answer_alone(struct parity *p, int side, struct stac_error *err) {
    static const struct stac_sampling greedy = {.temperature = 0, .top_p = 1};
    struct stac_sessions *s = &p->sessions[side];
    struct stac_conversation asked[TOGETHER];
    size_t length[TOGETHER], read[TOGETHER];
    int which[TOGETHER], n = 0, status = STAC_OK;
    for (int i = 0; i < p->n; i++) {
        bool asks = speaks(p, i) && dialogue(p, i)->turn[p->turn].n_expected > 0;
        if (asks) STAC_TRY(stac_sessions_reserve(s, i, ANSWER + CLOSING, err));
        length[i] = s->at[i].n;
        read[i] = s->at[i].read;
        if (!asks) continue;
        asked[n] = p->talk[side][i];
        which[n++] = i;
    }
    if (n) status = stac_conversations_answer(asked, n, &greedy, ANSWER, NULL, NULL, err);
    for (int k = 0; k < n; k++) {
        int i = which[k];
        p->talk[side][i].said = asked[k].said;
        spoken_of(p, i)->right[side] = stac_turn_is_right(&dialogue(p, i)->turn[p->turn], stac_conversation_last(&asked[k]));
    }
    for (int i = 0; i < p->n; i++) {
        stac_sessions_take_back(s, i, length[i]);
        stac_sessions_unread(s, i, read[i]);
    }
    return status;
}

/* ---- the same answers --------------------------------------------------------------------------------------------- */

static void keep_original(void *ctx, int id, size_t index, const float *logits) {
    struct parity *p = ctx;
    if (id >= p->n || index < p->from[id] || index >= p->to[id]) return;
    memcpy(p->original[id] + (index - p->from[id]) * vocabulary(p), logits, vocabulary(p) * sizeof *logits);
}

static void hold_against(void *ctx, int id, size_t index, const float *logits) {
    struct parity *p = ctx;
    const struct stac_kernels *k = p->stand[STAC_SNN].run[0].kernels_here;
    int n = p->s->hp.n_vocab;
    if (id >= p->n || index < p->from[id] || index >= p->to[id]) return;
    const float *a = p->original[id] + (index - p->from[id]) * vocabulary(p);
    double za = stac_log_partition(k, n, a, p->scratch), zb = stac_log_partition(k, n, logits, p->scratch);
    struct spoken *out = spoken_of(p, id);
    out->kl += stac_divergence(k, n, a, za, logits, zb, p->scratch);
    out->agree += stac_most_likely(n, a) == stac_most_likely(n, logits);
    int32_t said = p->sessions[STAC_SNN].at[id].token[index + 1];
    out->nll[STAC_BASELINE] += za - (double)a[said], out->nll[STAC_SNN] += zb - (double)logits[said];
    out->tokens++;
}

/* The answer of the set is added on one side, and where its tokens are is noted; the same on both sides. */
static int tell(struct parity *p, int side, int i, struct stac_error *err) {
    const struct stac_session *q = &p->sessions[side].at[i];
    size_t before = q->n + q->forgotten;
    STAC_TRY(stac_conversation_tell(&p->talk[side][i], dialogue(p, i)->turn[p->turn].assistant, err));
    size_t added = q->n + q->forgotten - before, rows = added;
    p->from[i] = q->n - added - 1;
    p->to[i] = q->n - 1;
    if (!is_last(p) || rows <= p->cap[i]) return STAC_OK;
    free(p->original[i]);
    p->original[i] = NULL;
    STAC_TRY(STAC_NEW(p->original[i], rows * vocabulary(p), "logits of an answer", err));
    p->cap[i] = rows;
    return STAC_OK;
}

static void add_events(struct parity *p, struct stac_run *run) {
    for (int i = 0; i < run->n_sites; i++) stac_counts_add(&p->events[p->turn], &run->counts[i]);
}

/* One turn of all conversations that have it. */
static int run_turn(struct parity *p, struct stac_error *err) {
    for (int side = 0; side < STAC_SIDES; side++)
        for (int i = 0; i < p->n; i++)
            if (speaks(p, i)) STAC_TRY(stac_conversation_ask(&p->talk[side][i], dialogue(p, i)->turn[p->turn].user, err));
    for (int side = 0; side < STAC_SIDES; side++) STAC_TRY(answer_alone(p, side, err));
    for (int side = 0; side < STAC_SIDES; side++) {
        for (int i = 0; i < p->n; i++)
            if (speaks(p, i)) STAC_TRY(tell(p, side, i, err));
        for (int i = 0; i < p->n && side == STAC_SNN; i++)
            if (speaks(p, i)) spoken_of(p, i)->read = (double)(p->sessions[side].at[i].n - p->sessions[side].at[i].read);
        stac_run_clear_counts(&p->stand[side].run[0]);
        STAC_TRY(stac_sessions_read(&p->sessions[side], side == STAC_SNN ? hold_against : keep_original, p, err));
    }
    add_events(p, &p->stand[STAC_SNN].run[0]);
    return STAC_OK;
}

/* A conversation that is over is read again by itself. */
static int read_again(struct parity *p, int side, int i, struct stac_error *err) {
    struct stac_sessions *s = &p->sessions[side];
    struct spoken *out = spoken_of(p, i);
    size_t n = vocabulary(p);
    if (!stac_subject_holds_in_pieces(p->s, (enum stac_side)side)) return STAC_OK;
    stac_sessions_reset(s, TOGETHER);
    STAC_TRY(stac_sessions_add(s, TOGETHER, s->at[i].token, s->at[i].n, err));
    STAC_TRY(stac_sessions_read(s, NULL, NULL, err));
    out->compared += (double)n;
    for (size_t v = 0; v < n && is_last(p); v++)
        out->different += memcmp(&s->logits[(size_t)i * n + v], &s->logits[TOGETHER * n + v], sizeof *s->logits) != 0;
    return STAC_OK;
}

/* ---- all of them -------------------------------------------------------------------------------------------------- */

/* Whether every turn of a conversation fits the context, by itself and with the answer that a side may give. */
static int begin_talk(struct parity *p, int side, int i, struct stac_error *err) {
    struct stac_conversation *c = &p->talk[side][i];
    STAC_TRY(stac_conversation_init(c, p->s, &p->sessions[side], i, NULL, err));
    p->left_out[i] = false;
    for (int t = 0; t < dialogue(p, i)->n_turns; t++) {
        const struct stac_turn *turn = &dialogue(p, i)->turn[t];
        size_t n;
        STAC_TRY(stac_conversation_measure(c, turn->user, turn->assistant, &n, err));
        p->left_out[i] = p->left_out[i] || n + ANSWER + CLOSING > stac_sessions_room(&p->sessions[side]);
    }
    p->turn = 0;
    spoken_of(p, i)->left_out = p->left_out[i];
    return STAC_OK;
}

/* Some conversations from their beginning to their end. */
static int run_together(struct parity *p, struct stac_error *err) {
    int status = STAC_OK;
    for (int side = 0; side < STAC_SIDES; side++)
        for (int i = 0; i < p->n && status == STAC_OK; i++) status = begin_talk(p, side, i, err);
    for (p->turn = 0; status == STAC_OK && p->turn < p->set->longest; p->turn++) {
        status = run_turn(p, err);
        for (int side = 0; side < STAC_SIDES; side++)
            for (int i = 0; i < p->n && status == STAC_OK; i++)
                if (speaks(p, i) && p->turn + 1 == dialogue(p, i)->n_turns) status = read_again(p, side, i, err);
    }
    for (int side = 0; side < STAC_SIDES; side++)
        for (int i = 0; i < p->n; i++) stac_conversation_clean(&p->talk[side][i]);
    return status;
}

/* About what a conversation takes: its texts, and the answers. */
static double cost_of(const struct stac_dialogue *d) {
    double bytes = 0;
    for (int t = 0; t < d->n_turns; t++) {
        const struct stac_turn *turn = &d->turn[t];
        bytes += (double)strlen(turn->user) + (turn->assistant ? (double)strlen(turn->assistant) : 0) + BYTES_AN_ANSWER;
    }
    return bytes;
}

/* All conversations, the longest first: beside each other run those that are about as long. */
static int sort_set(struct parity *p, struct stac_error *err) {
    size_t begin[2];
    STAC_TRY(STAC_NEW(p->cost, p->set->n, "conversations", err));
    STAC_TRY(STAC_NEW(p->order, p->set->n, "conversations", err));
    for (size_t i = 0; i < p->set->n; i++) p->cost[i] = cost_of(&p->set->at[i]);
    return stac_share_items(p->set->n, p->cost, 1, p->order, begin, err);
}

/* Of conversations [from, to) in that order those of this group: mine[*n]. */
static int share(const struct parity *p, size_t from, size_t to, size_t *mine, size_t *n, struct stac_error *err) {
    const struct stac_grid *g = &p->s->grid;
    double *cost = NULL;
    size_t *begin = NULL, *taken = NULL;
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(cost, to - from, "conversations", err));
    STAC_TRY_DONE(STAC_NEW(taken, to - from, "conversations", err));
    STAC_TRY_DONE(STAC_NEW(begin, g->n_groups + 1, "conversations", err));
    for (size_t i = from; i < to; i++) cost[i - from] = p->cost[p->order[i]];
    STAC_TRY_DONE(stac_share_items(to - from, cost, g->n_groups, taken, begin, err));
    *n = begin[g->group + 1] - begin[g->group];
    for (size_t i = 0; i < *n; i++) mine[i] = p->order[from + taken[begin[g->group] + i]];
done:
    free(cost);
    free(begin);
    free(taken);
    return status;
}

/* The share of this group in conversations [from, to). */
static int run_share(struct parity *p, size_t from, size_t to, struct stac_error *err) {
    size_t *mine, n = 0;
    STAC_TRY(STAC_NEW(mine, to - from, "conversations", err));
    int status = share(p, from, to, mine, &n, err);
    for (size_t next = 0; next < n && status == STAC_OK;) {
        for (p->n = 0; p->n < TOGETHER && next < n;) p->dialogue[p->n++] = mine[next++];
        status = run_together(p, err);
        stac_progress_step(&p->progress, (double)p->n * p->s->grid.n_groups);
    }
    free(mine);
    for (int side = 0; side < STAC_SIDES && status == STAC_OK; side++)
        status = stac_pipeline_settle(&p->stand[side].pipeline, err);
    return status;
}

/* A piece of the work. Only the last stage has the predictions; right and read are the same on all stages of a group: what the
 * others have of the conversations does not count. */
static int run_piece(void *ctx, int from, int to, struct stac_error *err) {
    struct parity *p = ctx;
    const struct stac_subject *s = p->s;
    int status = s->grid.stage >= 0 ? run_share(p, (size_t)from, (size_t)to, err) : STAC_OK;
    for (int i = from; i < to && (s->grid.stage < 0 || !is_last(p)); i++)
        memset(&p->spoken[p->order[i] * STAC_MOST_TURNS], 0, STAC_MOST_TURNS * sizeof *p->spoken);
    return stac_agree(s->ranks, s->ranks->comm, status, err);
}

static void skip_conversations(void *ctx, int n) {
    stac_progress_skip(&((struct parity *)ctx)->progress, n);
}

static int run_all(struct parity *p, struct stac_error *err) {
    struct stac_partial part[2] = {{STAC_ADD_F64, p->spoken,
                                    p->set->n * STAC_MOST_TURNS * (sizeof *p->spoken / sizeof(double))},
                                   {STAC_ADD_I64, p->events, STAC_MOST_TURNS * STAC_COUNT_FIELDS}};
    struct stac_pieces work = {p->s->ranks,
                               p->s->checkpoint,
                               "conversations",
                               part,
                               2,
                               (int)p->set->n,
                               TOGETHER * p->s->grid.n_groups,
                               run_piece,
                               skip_conversations,
                               p};
    stac_progress_begin(&p->progress, p->s->log, "conversations", (double)p->set->n, "conversations");
    STAC_TRY(stac_work_in_pieces(&work, err));
    stac_progress_end(&p->progress);
    return STAC_OK;
}

/* What all ranks found, conversation by conversation. */
static void add_up(const struct parity *p, struct stac_parity *out) {
    for (size_t d = 0; d < p->set->n; d++) {
        bool left_out = p->spoken[d * STAC_MOST_TURNS].left_out > 0;
        out->left_out += left_out;
        for (int t = 0; !left_out && t < p->set->at[d].n_turns; t++) {
            const struct spoken *one = &p->spoken[d * STAC_MOST_TURNS + (size_t)t];
            struct stac_parity_turn *turn = &out->turn[t];
            struct stac_parity_kind *kind = &out->kind[p->set->at[d].kind];
            turn->conversations++;
            turn->tokens += one->tokens, turn->kl += one->kl, turn->agree += one->agree, turn->read += one->read;
            out->compared += one->compared, out->different += one->different;
            kind->asked += p->set->at[d].turn[t].n_expected > 0;
            for (int side = 0; side < STAC_SIDES; side++)
                kind->right[side] += one->right[side], turn->nll[side] += one->nll[side];
        }
    }
    for (int t = 0; t < p->set->longest; t++) {
        const struct stac_counts *c = &p->events[t];
        out->turn[t].spikes = (double)c->spikes, out->turn[t].values = (double)c->values;
        out->turn[t].acs = (double)c->acs, out->turn[t].macs = (double)c->macs;
    }
}

static void parity_clean(struct parity *p) {
    for (int side = 0; side < STAC_SIDES; side++) {
        stac_sessions_clean(&p->sessions[side]);
        stac_stand_clean(&p->stand[side]);
    }
    for (int i = 0; i < TOGETHER; i++) free(p->original[i]);
    free(p->scratch);
    free(p->spoken);
    free(p->events);
    free(p->cost);
    free(p->order);
}

int stac_parity_run(struct stac_subject *s, const struct stac_dialogues *set, struct stac_parity *out, struct stac_error *err) {
    struct parity p = {.s = s, .set = set};
    int capacity = stac_subject_context(s), status = STAC_OK;
    *out = (struct stac_parity){.conversations = set->n, .n_turns = set->longest, .n_kinds = set->n_kinds};
    for (int k = 0; k < set->n_kinds; k++) {
        snprintf(out->kind_name[k], sizeof out->kind_name[k], "%s", set->kind[k]);
        stac_one_line(out->kind_name[k]);
    }
    for (int side = 0; side < STAC_SIDES; side++)
        STAC_TRY_DONE(stac_stand_init(&p.stand[side], s, (enum stac_side)side, TOGETHER + 1, capacity, 256, err));
    status = STAC_NEW(p.spoken, set->n * STAC_MOST_TURNS, "conversations", err);
    if (status == STAC_OK) status = STAC_NEW(p.events, STAC_MOST_TURNS, "conversations", err);
    if (status == STAC_OK) status = STAC_NEW(p.scratch, s->hp.n_vocab, "logits", err);
    if (status == STAC_OK) status = sort_set(&p, err);
    for (int side = 0; side < STAC_SIDES && s->grid.stage >= 0; side++)
        if (status == STAC_OK) status = stac_sessions_init(&p.sessions[side], &p.stand[side].pipeline, 0, err);
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, status, err));
    STAC_TRY_DONE(run_all(&p, err));
    add_up(&p, out);
done:
    parity_clean(&p);
    return status;
}

struct stac_parity_turn stac_parity_total(const struct stac_parity *p) {
    struct stac_parity_turn sum = {0};
    for (int t = 0; t < p->n_turns; t++) {
        const struct stac_parity_turn *one = &p->turn[t];
        sum.conversations += one->conversations, sum.tokens += one->tokens, sum.kl += one->kl, sum.agree += one->agree;
        sum.read += one->read, sum.spikes += one->spikes, sum.values += one->values;
        sum.acs += one->acs, sum.macs += one->macs;
        for (int side = 0; side < STAC_SIDES; side++) sum.nll[side] += one->nll[side];
    }
    return sum;
}

struct stac_parity_kind stac_parity_answers(const struct stac_parity *p) {
    struct stac_parity_kind sum = {0};
    for (int k = 0; k < p->n_kinds; k++) {
        sum.asked += p->kind[k].asked;
        for (int side = 0; side < STAC_SIDES; side++) sum.right[side] += p->kind[k].right[side];
    }
    return sum;
}
