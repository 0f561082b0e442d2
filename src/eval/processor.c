#include "eval/processor.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/session_file.h"

static int agree(const struct stac_processor *p, int status, struct stac_error *err) {
    return stac_agree(p->subject->ranks, p->subject->ranks->comm, status, err);
}

static bool works(const struct stac_processor *p) {
    return p->subject->grid.stage >= 0;
}

int stac_processor_init(struct stac_processor *p, struct stac_subject *s, enum stac_side side, int n_conversations,
                        int max_context_length, struct stac_error *err) {
    int capacity = max_context_length > 0 ? max_context_length : stac_subject_context(s), status = STAC_OK;
    *p = (struct stac_processor){.subject = s, .n_conversations = n_conversations};
    STAC_TRY(stac_stand_init(&p->stand, s, side, n_conversations + 1, capacity, capacity < 256 ? capacity : 256, err));
    if (works(p)) status = stac_sessions_init(&p->sessions, &p->stand.pipeline, (uint64_t)s->job->seed, err);
    status = agree(p, status, err);
    if (status != STAC_OK) stac_processor_clean(p);
    return status;
}

void stac_processor_clean(struct stac_processor *p) {
    stac_sessions_clean(&p->sessions);
    stac_stand_clean(&p->stand);
    *p = (struct stac_processor){0};
}

bool stac_processor_has_logits(const struct stac_processor *p) {
    return works(p) && stac_pipeline_is_last(&p->stand.pipeline);
}

/* ---- forward ------------------------------------------------------------------------------------------------------ */

/* Where the logits of an input go. */
struct forwarding {
    struct stac_processor *p;
    const struct stac_input *in;
    float *logits;
    int *sequence; /* [sessions] which sequence a session reads; -1: none */
    size_t *from;  /* [sessions] its index there of the first token of the sequence */
};

static bool present(const struct stac_input *in, int seq, int i) {
    return !in->attention_mask || in->attention_mask[(size_t)seq * (size_t)in->length + (size_t)i] != 0;
}

/* The k-th token that is there goes to the place that it has in the input. */
static void place(void *ctx, int id, size_t index, const float *logits) {
    struct forwarding *f = ctx;
    int seq = f->sequence[id], i = 0;
    size_t vocab = (size_t)f->p->subject->hp.n_vocab;
    if (seq < 0 || index < f->from[id]) return;
    for (size_t k = index - f->from[id]; i < f->in->length; i++)
        if (present(f->in, seq, i) && k-- == 0) break;
    memcpy(f->logits + ((size_t)seq * (size_t)f->in->length + (size_t)i) * vocab, logits, vocab * sizeof *logits);
}

/* The tokens of a sequence that are there join a session. */
static int add_sequence(struct forwarding *f, int seq, int id, struct stac_error *err) {
    const struct stac_session *q = &f->p->sessions.at[id];
    const struct stac_input *in = f->in;
    int32_t *token;
    size_t n = 0;
    STAC_TRY(STAC_NEW(token, in->length, "tokens", err));
    for (int i = 0; i < in->length; i++)
        if (present(in, seq, i)) token[n++] = in->input_ids[(size_t)seq * (size_t)in->length + (size_t)i];
    int status = stac_sessions_add(&f->p->sessions, id, token, n, err);
    free(token);
    f->sequence[id] = seq;
    f->from[id] = q->n - (status == STAC_OK ? n : 0);
    return status;
}

static int read_on(struct forwarding *f, struct stac_error *err) {
    STAC_TRY(stac_sessions_read(&f->p->sessions, f->logits ? place : NULL, f, err));
    return stac_pipeline_settle(&f->p->stand.pipeline, err);
}

static int forward(struct forwarding *f, struct stac_error *err) {
    struct stac_processor *p = f->p;
    const struct stac_input *in = f->in;
    for (int id = 0; id <= p->n_conversations; id++) f->sequence[id] = -1;
    for (int seq = 0; seq < in->n_seq; seq++) {
        int id = in->forget ? p->n_conversations : in->batch_ids ? in->batch_ids[seq] : seq;
        if (in->forget) stac_sessions_reset(&p->sessions, id);
        STAC_TRY(add_sequence(f, seq, id, err));
        if (in->forget) STAC_TRY(read_on(f, err));
    }
    return in->forget ? STAC_OK : read_on(f, err);
}

static int check_input(const struct stac_processor *p, const struct stac_input *in, struct stac_error *err) {
    size_t cells = (size_t)in->n_seq * (size_t)in->length;
    int vocab = p->subject->hp.n_vocab;
    for (size_t i = 0; i < cells; i++)
        if (in->input_ids[i] < 0 || in->input_ids[i] >= vocab)
            return stac_fail(err, STAC_ERR_USAGE, "token %d of sequence %zu is %d; the vocabulary has %d",
                             (int)(i % (size_t)in->length), i / (size_t)in->length, in->input_ids[i], vocab);
    for (int seq = 0; seq < in->n_seq && !in->forget; seq++) {
        int id = in->batch_ids ? in->batch_ids[seq] : seq;
        if (id < 0 || id >= p->n_conversations)
            return stac_fail(err, STAC_ERR_USAGE, "conversation %d; there are %d", id, p->n_conversations);
        for (int other = 0; other < seq && in->batch_ids; other++)
            if (in->batch_ids[other] == id) return stac_fail(err, STAC_ERR_USAGE, "conversation %d is named twice", id);
    }
    return STAC_OK;
}

int stac_processor_forward(struct stac_processor *p, const struct stac_input *in, float *logits, struct stac_error *err) {
    struct forwarding f = {.p = p, .in = in, .logits = logits};
    int status = check_input(p, in, err);
    size_t cells = (size_t)in->n_seq * (size_t)in->length, vocab = (size_t)p->subject->hp.n_vocab;
    if (status == STAC_OK) status = STAC_NEW(f.sequence, p->n_conversations + 1, "sequences", err);
    if (status == STAC_OK) status = STAC_NEW(f.from, p->n_conversations + 1, "sequences", err);
    if (status == STAC_OK && logits && stac_processor_has_logits(p)) memset(logits, 0, cells * vocab * sizeof *logits);
    if (status == STAC_OK && works(p)) status = forward(&f, err);
    if (p->sessions.clamped && !p->warned) {
        p->warned = true;
        stac_log_warn(p->subject->log,
                      "a conversation is longer than the model's %d positions: its later tokens share the last",
                      p->subject->hp.n_ctx);
    }
    free(f.sequence);
    free(f.from);
    return agree(p, status, err);
}

const float *stac_processor_last(const struct stac_processor *p, int conversation) {
    return p->sessions.logits ? p->sessions.logits + (size_t)conversation * (size_t)p->subject->hp.n_vocab : NULL;
}

/* ---- state -------------------------------------------------------------------------------------------------------- */

void stac_processor_reset_cache(struct stac_processor *p, int conversation) {
    if (works(p)) stac_sessions_reset(&p->sessions, conversation);
}

int stac_processor_turn(struct stac_processor *p, int conversation, bool keep, struct stac_error *err) {
    int status = STAC_OK;
    if (works(p)) {
        if (keep) p->sessions.at[conversation].kept = p->sessions.at[conversation].n;
        status = stac_sessions_turn(&p->sessions, conversation, err);
    }
    return agree(p, status, err);
}

void stac_processor_position_ids(const struct stac_processor *p, int conversation, int32_t *position, size_t *n) {
    *n = works(p) ? p->sessions.at[conversation].n : 0;
    for (size_t i = 0; i < *n; i++) position[i] = stac_sessions_position(&p->sessions, i);
}

/* The weights a conversation belongs to; an original alone is not told apart. */
static const char *weights_of(const struct stac_processor *p) {
    return p->subject->folder ? p->subject->snn.origin.model_sha256 : "";
}

int stac_processor_save(struct stac_processor *p, int conversation, const char *path, struct stac_error *err) {
    int status = STAC_OK;
    if (p->subject->ranks->rank == 0)
        status = stac_session_write(path, &p->sessions.at[conversation], p->subject->hp.n_vocab, weights_of(p), err);
    return agree(p, status, err);
}

/* What rank 0 has read goes to all. */
static int share_session(const struct stac_processor *p, struct stac_session *q, struct stac_error *err) {
    MPI_Comm comm = p->subject->ranks->comm;
    uint64_t head[] = {q->n, q->n_turns, q->kept, q->forgotten, q->random.state};
    int status = STAC_OK;
    STAC_TRY(stac_broadcast(comm, head, sizeof head, 0, err));
    if (p->subject->ranks->rank != 0) {
        *q = (struct stac_session){.kept = head[2], .forgotten = head[3], .random = {head[4]}};
        status = stac_grow(&q->token, &q->cap, head[0], sizeof *q->token, "tokens", err);
        if (status == STAC_OK) status = stac_grow(&q->turn, &q->turn_cap, head[1], sizeof *q->turn, "turns", err);
        q->n = head[0], q->n_turns = head[1];
    }
    STAC_TRY(agree(p, status, err));
    STAC_TRY(stac_broadcast(comm, q->token, q->n * sizeof *q->token, 0, err));
    return stac_broadcast(comm, q->turn, q->n_turns * sizeof *q->turn, 0, err);
}

int stac_processor_read_file(const struct stac_processor *p, const char *path, struct stac_session *out,
                             struct stac_error *err) {
    int status = STAC_OK;
    if (p->subject->ranks->rank == 0)
        status = stac_session_read(path, out, stac_sessions_room(&p->sessions), p->subject->hp.n_vocab, weights_of(p), err);
    STAC_TRY(agree(p, status, err));
    return share_session(p, out, err);
}

int stac_processor_replace(struct stac_processor *p, int conversation, struct stac_session *session, struct stac_error *err) {
    int status = works(p) ? stac_sessions_replace(&p->sessions, conversation, session, err) : STAC_OK;
    return agree(p, status, err);
}

int stac_processor_restore(struct stac_processor *p, int conversation, const char *path, struct stac_error *err) {
    struct stac_session read = {0};
    int status = stac_processor_read_file(p, path, &read, err);
    if (status == STAC_OK) status = stac_processor_replace(p, conversation, &read, err);
    stac_session_clean(&read);
    return status;
}
