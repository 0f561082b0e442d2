/* Generation: read a text into a slot, then sample tokens one by one, over all stages of a group. */
#ifndef STAC_NET_GENERATE_H
#define STAC_NET_GENERATE_H

#include "base/random.h"
#include "net/pipeline.h"

struct stac_sampling {
    double temperature; /* 0: always the most likely token */
    int top_k;          /* 0: all */
    double top_p;       /* 1: all */
    uint64_t seed;
};

/* One sequence in a slot of a one-run pipeline. */
struct stac_sequence {
    struct stac_pipeline *pipeline; /* borrowed */
    int slot;
    int position; /* of the next token */
    struct stac_random random;
    float *logits; /* [n_vocab] after the last token read; on the last stage; owned */
};

int stac_sequence_init(struct stac_sequence *s, struct stac_pipeline *pipeline, int slot, uint64_t seed,
                       struct stac_error *err);
void stac_sequence_clean(struct stac_sequence *s);

/* Forget everything read. */
void stac_sequence_reset(struct stac_sequence *s);

/* Read n tokens in pieces of at most max_rows; afterwards `logits` predicts the token after the last. With `all` not
 * NULL (last stage) it receives the logits [n][n_vocab] after every token. Collective over the group. */
int stac_sequence_read(struct stac_sequence *s, const int32_t *tokens, int n, float *all, struct stac_error *err);

/* Choose the next token from `logits`; every stage of the group gets it. Collective over the group. */
int stac_sequence_next(struct stac_sequence *s, const struct stac_sampling *how, int32_t *token, struct stac_error *err);

/* The choice itself: index drawn from logits[n]. Not collective. `scratch` holds n integers. */
int32_t stac_sample(const struct stac_sampling *how, struct stac_random *random, int n, const float *logits, int32_t *scratch);

#endif
