/* The temporal spike processor: conversations with one side of a converted network, many at once, each known by its number.
 *
 * Input is padded as Hugging Face models take it; output are logits. What a conversation has read stays in its cache, and its
 * next tokens go on from there. Beyond max_context_length it forgets its oldest turns or tokens (net/sessions.h); positions
 * beyond the model's last one are that one, which is told once as a warning of the log.
 *
 * Everything is collective over the ranks of the subject and ends with an agreement: all of them see the same error. With
 * several groups of ranks each holds all conversations. */
#ifndef STAC_EVAL_PROCESSOR_H
#define STAC_EVAL_PROCESSOR_H

#include "eval/subject.h"

struct stac_processor {
    struct stac_subject *subject; /* borrowed */
    struct stac_stand stand;
    struct stac_sessions sessions; /* the last one is for input that is not to be kept */
    int n_conversations;
    bool warned;
};

/* Empty conversations 0 .. n_conversations - 1 of at most max_context_length tokens (0: stac_subject_context). */
int stac_processor_init(struct stac_processor *p, struct stac_subject *s, enum stac_side side, int n_conversations,
                        int max_context_length, struct stac_error *err);
void stac_processor_clean(struct stac_processor *p);

struct stac_input {
    int n_seq, length;
    const int32_t *input_ids;     /* [n_seq][length] */
    const int8_t *attention_mask; /* [n_seq][length], 0: the token is not there; NULL: all are */
    const int *batch_ids;         /* [n_seq] the conversation of each sequence, all different; NULL: 0, 1, ... */
    bool forget;                  /* do not keep it: each sequence is read by itself, no conversation is touched */
};

/* Whether logits are on this rank: it is the last stage of its group. */
bool stac_processor_has_logits(const struct stac_processor *p);

/* Read the input. logits[n_seq][length][n_vocab], on ranks that have them, receives the prediction after every token (zeros
 * where the mask has none); NULL: not wanted. STAC_ERR_USAGE for conversations that are not there or named twice, tokens
 * outside the vocabulary, and input that is too long even when all else is forgotten. */
int stac_processor_forward(struct stac_processor *p, const struct stac_input *in, float *logits, struct stac_error *err);

/* Prediction after the last token of a conversation, [n_vocab]; borrowed; NULL where there are no logits. */
const float *stac_processor_last(const struct stac_processor *p, int conversation);

/* Forget a conversation; -1: all of them. */
void stac_processor_reset_cache(struct stac_processor *p, int conversation);

/* What follows belongs to a new turn; with `keep`, what has been read until now is never forgotten (a system prompt). */
int stac_processor_turn(struct stac_processor *p, int conversation, bool keep, struct stac_error *err);

/* Positions of the tokens of a conversation: position[0 .. *n), room for as many as max_context_length. */
void stac_processor_position_ids(const struct stac_processor *p, int conversation, int32_t *position, size_t *n);

/* Put a conversation away as a file, and take one up again in the place of another (store/session_file.h): it goes on as if it
 * had never stopped. Rank 0 writes and reads: the file is on its machine, and `path` means nothing to others. */
int stac_processor_save(struct stac_processor *p, int conversation, const char *path, struct stac_error *err);
int stac_processor_restore(struct stac_processor *p, int conversation, const char *path, struct stac_error *err);

/* The halves of it, for several processors that take up one conversation together or not at all: what the file holds, into
 * *out, which is empty and which the caller cleans up in any case; and *session in the place of a conversation, whose arrays it
 * gets in exchange. */
int stac_processor_read_file(const struct stac_processor *p, const char *path, struct stac_session *out,
                             struct stac_error *err);
int stac_processor_replace(struct stac_processor *p, int conversation, struct stac_session *session, struct stac_error *err);

#endif
