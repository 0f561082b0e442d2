/* Conversations: turns of users, answered by one side of a subject. Several of them answer together, and each says what it
 * would say alone. */
#ifndef STAC_EVAL_CONVERSATION_H
#define STAC_EVAL_CONVERSATION_H

#include "eval/subject.h"

struct stac_conversation {
    struct stac_sessions *sessions; /* borrowed */
    int id;                         /* session */
    const struct stac_tokenizer *tokenizer;
    const struct stac_hparams *hp; /* whose eos end an answer, as the end of the format does; borrowed, as the tokenizer */
    enum stac_chat_format format;
    bool begun;
    struct stac_strbuf said; /* the last answer */
    size_t n_said;           /* tokens of it */
};

/* Begin in an empty session. `system`: what the model is told at first, or NULL (the format's own); it is never forgotten. The
 * first token, where attention sinks to, is kept too. Not collective: all stages of the group do the same. */
int stac_conversation_init(struct stac_conversation *c, struct stac_subject *s, struct stac_sessions *sessions, int id,
                           const char *system, struct stac_error *err);
void stac_conversation_clean(struct stac_conversation *c);

/* Tokens of a turn of this conversation, which has not begun: what a user says and the answer. */
int stac_conversation_measure(const struct stac_conversation *c, const char *text, const char *answer, size_t *n,
                              struct stac_error *err);

/* STAC_ERR_USAGE when a turn with this text and an answer of one token is too long for the session even alone. */
int stac_conversation_check(const struct stac_conversation *c, const char *text, struct stac_error *err);

/* A turn begins: what the user says, to be read. Where the check fails nothing changes. */
int stac_conversation_ask(struct stac_conversation *c, const char *text, struct stac_error *err);

/* The turn's answer as it was given somewhere else, to be read; without the end of it that the session has no room for. */
int stac_conversation_tell(struct stac_conversation *c, const char *answer, struct stac_error *err);

/* Called with every piece of an answer as it comes (bytes of whole characters), on every stage. */
typedef void (*stac_piece_fn)(void *ctx, int conversation, const char *text, size_t size);

/* n conversations read what there is to read and answer, each with at most `most` tokens or as many as its session has room
 * for; answers end up in `said`. Whatever token ended an answer, the session then holds what closes one in its format.
 * `piece` may be NULL. Collective over the group. */
int stac_conversations_answer(struct stac_conversation *c, int n, const struct stac_sampling *how, int most,
                              stac_piece_fn piece, void *ctx, struct stac_error *err);

/* Text of the last answer, borrowed. */
const char *stac_conversation_last(const struct stac_conversation *c);

#endif
