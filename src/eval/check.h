/* Checks: each compares two ways of computing the same thing, or holds a figure against a limit, and can fail. */
#ifndef STAC_EVAL_CHECK_H
#define STAC_EVAL_CHECK_H

#include "base/strbuf.h"
#include "eval/parity.h"
#include "eval/score.h"

struct stac_check {
    const char *name; /* "fidelity" */
    bool passed;
    double figure, limit; /* what was measured and what was allowed */
    char text[720];       /* one line: what the figure means, and when it failed, why */
};

/* The checks below run on every side of the subject and are collective over all ranks; every rank gets the result. A
 * returned status is an error of the machinery; a failed check is not an error. */

/* Append its line: whether it passed, its name, figure and text. */
int stac_check_line(const struct stac_check *c, struct stac_strbuf *out, struct stac_error *err);

/* What a check says, behind its text, where it left out a side that does not hold in pieces. */
void stac_check_tell_left_out(const struct stac_subject *s, struct stac_check *out);

/* Perplexity is a finite number below the size of the vocabulary. Fidelity holds the limits of the job. From a score. */
void stac_check_perplexity(const struct stac_subject *s, const struct stac_score *score, struct stac_check *out);
void stac_check_fidelity(const struct stac_subject *s, const struct stac_score *score, struct stac_check *out);

/* A conversation of three turns: the logits after each turn, read through the cache, equal those of the same tokens read
 * at once, bit for bit. The transcripts (text of the answers, by side) are new strings owned by the caller; may be NULL. */
int stac_check_multi_turn(struct stac_subject *s, char *transcript[STAC_SIDES], struct stac_check *out, struct stac_error *err);

/* Tokens at the model's last positions give finite logits, the same whether they are read at once or one by one; the
 * order of tokens counts; with rotary positions the same tokens further back predict much the same; the position after
 * the last is refused. */
int stac_check_positions(struct stac_subject *s, struct stac_check *out, struct stac_error *err);

/* Conversations beside each other, two turns each, with masked tokens in both, as eval/processor.h takes them: every token that
 * is there has the logits that it has among the present tokens of its conversation alone, whether later ones follow or not, bit
 * for bit; masked ones have none. A side that does not hold in pieces has one turn. */
int stac_check_mask(struct stac_subject *s, struct stac_check *out, struct stac_error *err);

/* The SNN played over T time steps, event by event, gives the logits and the spike counts of the collapsed computation, bit
 * for bit. The subject has an SNN side. */
int stac_check_temporal(struct stac_subject *s, struct stac_check *out, struct stac_error *err);

/* The state of conversations (eval/processor.h): each goes on beside others as it would alone; one that is forgotten, put away
 * and taken up again, or grown too long is as if it had always been what is left of it; input that is not to be kept leaves no
 * trace; positions count on. */
int stac_check_tsp_state(struct stac_subject *s, struct stac_check *out, struct stac_error *err);

/* A kept set of conversations (eval/parity.h), of which the limits of the job hold: top-1 agreement of at least
 * fidelity_top1_min, recall at most parity_tolerance below the original's, and the same bits when each is read again alone. */
void stac_check_parity(const struct stac_subject *s, const struct stac_parity *parity, struct stac_check *out);

#endif
