/* What checks that compare two ways of computing the same thing find, and how they run on every side. */
#ifndef STAC_EVAL_FINDING_H
#define STAC_EVAL_FINDING_H

#include "eval/check.h"
#include "eval/processor.h"

/* Found on the last stage; all ranks get it from there. */
struct stac_finding {
    double compared, different, worst; /* logits compared, not equal in their bits, largest difference */
    double other;                      /* further faults, counted */
    double divergence;
    char fault[120]; /* the first of these, in words; "" */
};

void stac_finding_compare(struct stac_finding *f, const float *a, const float *b, size_t n);

/* A rule is broken. */
void stac_finding_fault(struct stac_finding *f, bool broken, const char *what);

/* From the last stage of the first group to all ranks. Collective. */
int stac_finding_share(const struct stac_subject *s, struct stac_finding *f, struct stac_error *err);

/* The check passes when something was compared and nothing differs. `what` is what was compared. */
void stac_finding_conclude(struct stac_check *out, const struct stac_finding *f, const char *what);

/* Look at all sides, one after the other, each in a stand of its own, and merge what is found. Collective. */
typedef int (*stac_look_fn)(struct stac_subject *s, struct stac_stand *t, struct stac_finding *f, struct stac_error *err);
int stac_finding_on_sides(struct stac_subject *s, int n_slots, int capacity, int max_rows, stac_look_fn look,
                          struct stac_finding *f, struct stac_error *err);

/* The same with the conversations of a processor, as many, each of `room` tokens. Collective. */
typedef int (*stac_talk_fn)(struct stac_processor *p, enum stac_side side, struct stac_finding *f, struct stac_error *err);
int stac_finding_on_processors(struct stac_subject *s, int n_conversations, int room, stac_talk_fn look, struct stac_finding *f,
                               struct stac_error *err);

/* One batch through a stand, whose caches are emptied first if it is `fresh`: the logits of all its rows, on the last stage. */
int stac_finding_read(struct stac_stand *t, const struct stac_batch *batch, bool fresh, float *logits, struct stac_error *err);

/* Tokens to look at: the same in every run. */
int32_t stac_finding_token(const struct stac_subject *s, int i);

#endif
