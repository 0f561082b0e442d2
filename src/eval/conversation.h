/* A conversation: turns of a user, answered by one side of a subject through its cache. */
#ifndef STAC_EVAL_CONVERSATION_H
#define STAC_EVAL_CONVERSATION_H

#include "eval/subject.h"

struct stac_conversation {
    struct stac_stand *stand; /* borrowed; a stand of one side */
    struct stac_sequence sequence;
    enum stac_chat_format format;
    struct stac_message *message; /* roles are static, contents owned */
    size_t n_messages, cap;
    struct stac_tokens tokens; /* all of it; the first sequence.position of them have been read */
};

/* Begin in a slot of the stand, sampling with `seed`. Collective over the group, as are all others. */
int stac_conversation_init(struct stac_conversation *c, struct stac_stand *stand, int slot, uint64_t seed,
                           struct stac_error *err);
void stac_conversation_clean(struct stac_conversation *c);

/* Called with every piece of an answer as it comes (bytes of whole characters), on every stage. */
typedef void (*stac_piece_fn)(void *ctx, const char *text, size_t size);

/* Read what the user says (part of an answer's end may still be unread before it). Afterwards sequence.logits predict the
 * answer. STAC_ERR_USAGE when the conversation no longer fits the cache. */
int stac_conversation_ask(struct stac_conversation *c, const char *text, struct stac_error *err);

/* Sample the answer, at most `most` tokens, and append it to the conversation. `piece` may be NULL. The answer's text is
 * the content of the last message. */
int stac_conversation_answer(struct stac_conversation *c, const struct stac_sampling *how, int most, stac_piece_fn piece,
                             void *ctx, struct stac_error *err);

/* Text of the last answer, borrowed. */
const char *stac_conversation_last(const struct stac_conversation *c);

#endif
