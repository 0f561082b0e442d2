#include "eval/conversation.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int stac_conversation_init(struct stac_conversation *c, struct stac_subject *s, struct stac_sessions *sessions, int id,
                           const char *system, struct stac_error *err) {
    *c = (struct stac_conversation){.sessions = sessions,
                                    .id = id,
                                    .tokenizer = s->tokenizer,
                                    .hp = &s->hp,
                                    .format = (enum stac_chat_format)s->job->chat_template};
    if (c->format == STAC_CHAT_AUTO) STAC_TRY(stac_chat_format_of(s->tokenizer, &c->format, err));
    stac_sessions_reset(sessions, id);
    if (!system) return STAC_OK;
    struct stac_message message = {"system", system};
    struct stac_tokens tokens = {0};
    int status = stac_chat_encode(c->tokenizer, c->format, &message, 1, 0, false, &tokens, err);
    if (status == STAC_OK) status = stac_sessions_add(sessions, id, tokens.id, tokens.n, err);
    stac_tokens_clean(&tokens);
    sessions->at[id].kept = sessions->at[id].n;
    c->begun = true;
    return status;
}

void stac_conversation_clean(struct stac_conversation *c) {
    stac_strbuf_clean(&c->said);
    *c = (struct stac_conversation){0};
}

/* Tokens of what opens the first turn, or a later one; `own`: those before the user's message, of the format's own system
 * message. */
static int encode_turn(const struct stac_conversation *c, const char *text, struct stac_tokens *out, size_t *own,
                       struct stac_error *err) {
    const struct stac_message before = {"assistant", ""}, message[2] = {before, {"user", text}};
    struct stac_tokens alone = {0};
    int status = stac_chat_encode(c->tokenizer, c->format, message, 2, 1, true, &alone, err);
    if (status == STAC_OK && !c->begun) status = stac_chat_encode(c->tokenizer, c->format, message + 1, 1, 0, true, out, err);
    *own = c->begun || status != STAC_OK ? 0 : out->n - alone.n;
    if (c->begun)
        *out = alone;
    else
        stac_tokens_clean(&alone);
    return status;
}

int stac_conversation_measure(const struct stac_conversation *c, const char *text, const char *answer, size_t *n,
                              struct stac_error *err) {
    struct stac_tokens tokens = {0};
    size_t own;
    int status = encode_turn(c, text, &tokens, &own, err);
    if (status == STAC_OK) status = stac_tokenizer_encode(c->tokenizer, answer, strlen(answer), false, &tokens, err);
    if (status == STAC_OK) status = stac_chat_close(c->tokenizer, c->format, &tokens, err);
    *n = tokens.n;
    stac_tokens_clean(&tokens);
    return status;
}

int stac_conversation_check(const struct stac_conversation *c, const char *text, struct stac_error *err) {
    size_t n, kept = c->begun ? c->sessions->at[c->id].kept : 0, room = stac_sessions_room(c->sessions);
    STAC_TRY(stac_conversation_measure(c, text, "", &n, err));
    if (kept + n + 1 <= room) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE,
                     "a line that takes %zu tokens with the shortest answer, behind %zu that are kept; "
                     "max_context_length leaves room for %zu in all",
                     n + 1, kept, room);
}

int stac_conversation_ask(struct stac_conversation *c, const char *text, struct stac_error *err) {
    struct stac_sessions *s = c->sessions;
    struct stac_tokens tokens = {0};
    size_t own = 0;
    int status = STAC_OK;
    STAC_TRY(stac_conversation_check(c, text, err));
    STAC_TRY_DONE(encode_turn(c, text, &tokens, &own, err));
    if (own) STAC_TRY_DONE(stac_sessions_add(s, c->id, tokens.id, own, err));
    if (!c->begun) s->at[c->id].kept = own ? own : 1;
    STAC_TRY_DONE(stac_sessions_turn(s, c->id, err));
    STAC_TRY_DONE(stac_sessions_add(s, c->id, tokens.id + own, tokens.n - own, err));
    c->begun = true;
done:
    stac_tokens_clean(&tokens);
    return status;
}

int stac_conversation_tell(struct stac_conversation *c, const char *answer, struct stac_error *err) {
    struct stac_tokens tokens = {0}, closing = {0};
    int status = stac_tokenizer_encode(c->tokenizer, answer, strlen(answer), false, &tokens, err);
    if (status == STAC_OK) status = stac_chat_close(c->tokenizer, c->format, &closing, err);
    while (tokens.n > 0 && !stac_sessions_fit(c->sessions, c->id, tokens.n + closing.n)) tokens.n--;
    if (status == STAC_OK) status = stac_sessions_reserve(c->sessions, c->id, tokens.n + closing.n, err);
    if (status == STAC_OK) status = stac_sessions_add(c->sessions, c->id, tokens.id, tokens.n, err);
    if (status == STAC_OK) status = stac_sessions_add(c->sessions, c->id, closing.id, closing.n, err);
    stac_tokens_clean(&tokens);
    stac_tokens_clean(&closing);
    return status;
}

/* Bytes of `text` that end with a whole character: a character may be spread over several tokens. */
static size_t whole_characters(const char *text, size_t size) {
    size_t tail = 0;
    while (tail < 4 && tail < size && ((unsigned char)text[size - 1 - tail] & 0xc0) == 0x80) tail++;
    if (tail == size) return size;
    unsigned char lead = (unsigned char)text[size - 1 - tail];
    size_t needed = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    return tail < needed ? size - 1 - tail : size;
}

/* Answers on their way. */
struct answering {
    struct stac_conversation *c; /* [n] */
    int *open, *id, n_open;      /* [n] conversations that still speak, and their sessions */
    int32_t *token;              /* [n] */
    size_t *shown;               /* [n] bytes of each that were passed on */
    struct stac_tokens closing;  /* what follows the content of an answer */
    stac_piece_fn piece;
    void *ctx;
};

static int answering_init(struct answering *a, int n, struct stac_error *err) {
    STAC_TRY(STAC_NEW(a->open, n, "answers", err));
    STAC_TRY(STAC_NEW(a->id, n, "answers", err));
    STAC_TRY(STAC_NEW(a->token, n, "answers", err));
    STAC_TRY(STAC_NEW(a->shown, n, "answers", err));
    for (int i = 0; i < n; i++) a->open[i] = i, stac_strbuf_clean(&a->c[i].said), a->c[i].n_said = 0;
    a->n_open = n;
    return stac_chat_close(a->c->tokenizer, a->c->format, &a->closing, err);
}

static void answering_clean(struct answering *a) {
    free(a->open);
    free(a->id);
    free(a->token);
    free(a->shown);
    stac_tokens_clean(&a->closing);
}

/* The end of the format, or one that the model names: it was taught to end with any of them. */
static bool ends_an_answer(const struct stac_conversation *c, int32_t token) {
    bool ends = token == stac_chat_end(c->tokenizer, c->format);
    for (int i = 0; i < c->hp->n_eos; i++) ends = ends || token == c->hp->eos[i];
    return ends;
}

/* Conversation i gets its next token, after which `left` more are allowed. *ends: it was the last. */
static int speak(struct answering *a, int i, int32_t token, int left, bool *ends, struct stac_error *err) {
    struct stac_conversation *c = &a->c[i];
    *ends = ends_an_answer(c, token);
    if (!*ends) {
        STAC_TRY(stac_sessions_add(c->sessions, c->id, &token, 1, err));
        STAC_TRY(stac_tokenizer_decode(c->tokenizer, &token, 1, true, &c->said, err));
        c->n_said++;
        *ends = left == 0 || !stac_sessions_fit(c->sessions, c->id, 1 + a->closing.n);
    }
    size_t whole = *ends ? c->said.size : whole_characters(stac_strbuf_text(&c->said), c->said.size);
    if (a->piece && whole > a->shown[i]) a->piece(a->ctx, i, c->said.data + a->shown[i], whole - a->shown[i]);
    a->shown[i] = whole > a->shown[i] ? whole : a->shown[i];
    return *ends ? stac_sessions_add(c->sessions, c->id, a->closing.id, a->closing.n, err) : STAC_OK;
}

int stac_conversations_answer(struct stac_conversation *c, int n, const struct stac_sampling *how, int most,
                              stac_piece_fn piece, void *ctx, struct stac_error *err) {
    struct answering a = {.c = c, .piece = piece, .ctx = ctx};
    int status = answering_init(&a, n, err);
    for (int left = most - 1; status == STAC_OK && a.n_open > 0; left--) {
        int still = 0;
        for (int k = 0; k < a.n_open; k++) a.id[k] = c[a.open[k]].id;
        STAC_TRY_DONE(stac_sessions_read(c->sessions, NULL, NULL, err));
        STAC_TRY_DONE(stac_sessions_next(c->sessions, how, a.n_open, a.id, a.token, err));
        for (int k = 0; k < a.n_open; k++) {
            bool ends;
            STAC_TRY_DONE(speak(&a, a.open[k], a.token[k], left, &ends, err));
            if (!ends) a.open[still++] = a.open[k];
        }
        a.n_open = still;
    }
done:
    answering_clean(&a);
    return status;
}

const char *stac_conversation_last(const struct stac_conversation *c) {
    return stac_strbuf_text(&c->said);
}
