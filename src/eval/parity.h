/* The kept set of conversations, held by both sides at once: what the SNN makes of them beside its original.
 *
 * Each turn's answer is read by both sides as the set has it, so both have the same history; how far the SNN's predictions of
 * its tokens are from the original's is the divergence of the turn. Where the set asks for it, each side also answers
 * by itself (greedily) before, and is right or not. In the end the whole conversation is read again, alone and at once, and
 * must predict the same, bit for bit, as turn by turn beside others. */
#ifndef STAC_EVAL_PARITY_H
#define STAC_EVAL_PARITY_H

#include "eval/dialogues.h"
#include "eval/score.h"

/* Sums over the answers of the turns with one index (the first, the second ...). */
struct stac_parity_turn {
    double conversations, tokens;     /* that have it; of their answers */
    double kl, agree;                 /* sums over these tokens: nats; equal most likely tokens */
    double nll[STAC_SIDES];           /* the same: nats */
    double read;                      /* all tokens that were read, the user's too */
    double spikes, values, acs, macs; /* of the SNN for these */
};

struct stac_parity_kind {
    double asked, right[STAC_SIDES];
};

struct stac_parity {
    size_t conversations;
    double left_out; /* of these, because a turn does not fit the context */
    int n_turns, n_kinds;
    struct stac_parity_turn turn[STAC_MOST_TURNS];
    struct stac_parity_kind kind[STAC_MOST_KINDS];
    char kind_name[STAC_MOST_KINDS][32]; /* as the set has it, on one line */
    double compared, different;          /* logits of conversations read turn by turn among others, and again */
};

/* Run the set. Groups of ranks take conversations in turn; the result is the same for any number of them, and on every rank.
 * The subject has both sides. Collective; ends with an agreement. */
int stac_parity_run(struct stac_subject *s, const struct stac_dialogues *set, struct stac_parity *out, struct stac_error *err);

/* All turns together; all kinds together. */
struct stac_parity_turn stac_parity_total(const struct stac_parity *p);
struct stac_parity_kind stac_parity_answers(const struct stac_parity *p);

#endif
