/* Sessions: texts that one network reads and continues together, each in a slot of the cache.
 *
 * A session is its tokens. What the cache holds of them follows from them, bit for bit, in whatever pieces and beside whatever
 * others they were read (not with ST-BIF+ neurons: net/gradual.h). So a session can be put away as its tokens and taken up
 * again, taken back to an earlier token, and cut when it grows too long:
 *
 *     A session that would outgrow its slot forgets its oldest turns, as many as bring it to three quarters of the slot; the
 *     first `kept` tokens (the attention sink, a system prompt) and the turn at work stay. Without turns the oldest tokens go.
 *     What is left is read anew, at positions that count from 0, as if nothing had ever been there.
 *
 * Positions are those of the tokens in their session, but never beyond the last that the model has: where a slot is longer than
 * that, later tokens share it.
 *
 * All stages of a group hold the same sessions and call the same functions. */
#ifndef STAC_NET_SESSIONS_H
#define STAC_NET_SESSIONS_H

#include "net/pipeline.h"
#include "net/sampling.h"

struct stac_session {
    int32_t *token; /* [n] owned */
    size_t n, cap;
    size_t read;  /* of these are in the cache */
    size_t kept;  /* first tokens that are never forgotten */
    size_t *turn; /* [n_turns] where turns begin, ascending; owned */
    size_t n_turns, turn_cap;
    size_t forgotten; /* tokens that are gone */
    struct stac_random random;
};

struct stac_sessions {
    struct stac_pipeline *pipeline; /* borrowed; of one run */
    int n;                          /* slots of its cache */
    struct stac_session *at;        /* [n] */
    size_t passed;                  /* tokens that went through the network, again where they were read again */
    bool clamped;                   /* some token was read at the last position in place of its own */
    float *logits;                  /* [n][n_vocab] after the last token that each has read; last stage */
    float *rows;                    /* [some][n_vocab] */
    int32_t *index;                 /* [4][max_rows] of a batch: tokens, positions, slots; whether its logits are wanted */
    int32_t *scratch;               /* [n_vocab] */
};

/* Free the arrays of a session that is in no slot. */
void stac_session_clean(struct stac_session *q);

/* Empty sessions in all slots; session i draws from stream i of the seed. */
int stac_sessions_init(struct stac_sessions *s, struct stac_pipeline *pipeline, uint64_t seed, struct stac_error *err);
void stac_sessions_clean(struct stac_sessions *s);

/* Forget all of a session; -1: of all. */
void stac_sessions_reset(struct stac_sessions *s, int id);

/* Tokens that a session can have. */
size_t stac_sessions_room(const struct stac_sessions *s);

/* Position at which token `index` of a session is read. */
int32_t stac_sessions_position(const struct stac_sessions *s, size_t index);

/* A turn begins with the token that is added next. */
int stac_sessions_turn(struct stac_sessions *s, int id, struct stac_error *err);

/* Whether n more tokens fit, if need be once old turns are forgotten. */
bool stac_sessions_fit(const struct stac_sessions *s, int id, size_t n);

/* Forget old turns now, if it takes that, so that the next n tokens need not. STAC_ERR_USAGE when so many never fit. */
int stac_sessions_reserve(struct stac_sessions *s, int id, size_t n, struct stac_error *err);

/* Add n tokens, to be read. STAC_ERR_USAGE when they do not fit. */
int stac_sessions_add(struct stac_sessions *s, int id, const int32_t *tokens, size_t n, struct stac_error *err);

/* Back to the first n tokens and the turns that begin among them. logits[id] are those of before, until more is read. */
void stac_sessions_take_back(struct stac_sessions *s, int id, size_t n);

/* All tokens stay, and those behind the first n are to be read again. */
void stac_sessions_unread(struct stac_sessions *s, int id, size_t n);

/* *other, which no cache holds anything of, takes the place of a session, whose arrays it gets in exchange; then everything is
 * read. STAC_ERR_USAGE when it is too long. Collective over the group. */
int stac_sessions_replace(struct stac_sessions *s, int id, struct stac_session *other, struct stac_error *err);

/* Called on the last stage with the logits[n_vocab] after token `index` of a session. */
typedef void (*stac_sessions_see)(void *ctx, int id, size_t index, const float *logits);

/* Read all that is to be read, in batches of as many rows as fit; afterwards logits[id] predicts what follows. With `see` it
 * is shown the logits after every token. Collective over the group. */
int stac_sessions_read(struct stac_sessions *s, stac_sessions_see see, void *ctx, struct stac_error *err);

/* Draw the next token of n sessions from their logits: token[i] for id[i]; nothing is added. Collective over the group. */
int stac_sessions_next(struct stac_sessions *s, const struct stac_sampling *how, int n, const int *id, int32_t *token,
                       struct stac_error *err);

#endif
