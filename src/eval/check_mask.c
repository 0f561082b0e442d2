#include "eval/finding.h"

#include <stdlib.h>

#include "base/memory.h"
#include "net/batch.h"

enum { SEQUENCES = 3, LENGTH = 10 };

static const int8_t mask[SEQUENCES][LENGTH] = {
    {0, 0, 0, 0, 1, 1, 1, 1, 1, 1}, /* padded on the left */
    {1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 1, 0, 1, 0, 0, 1, 1, 0, 0}, /* holes, and padded on the right */
};

/* The tokens of a sequence that are there, by themselves, against their rows in the batch of all; also without the last one. */
static int look_at_sequence(struct stac_stand *t, int q, const int32_t *ids, const int32_t *row_of, const float *all,
                            float *alone, struct stac_finding *f, struct stac_error *err) {
    int32_t token[LENGTH], position[LENGTH], slot[LENGTH] = {0};
    size_t vocab = (size_t)t->subject->hp.n_vocab;
    bool last = t->subject->grid.stage >= 0 && stac_pipeline_is_last(&t->pipeline);
    int n = 0;
    for (int i = 0; i < LENGTH; i++)
        if (mask[q][i]) position[n] = n, token[n++] = ids[i];
    for (int shorter = 0; shorter < 2; shorter++) {
        struct stac_batch batch = {n - shorter, token, position, slot};
        STAC_TRY(stac_finding_read(t, &batch, true, alone, err));
        for (int i = 0, row = 0; i < LENGTH && last; i++) {
            if (!mask[q][i] || row == batch.n) continue;
            stac_finding_compare(f, alone + (size_t)row++ * vocab, all + (size_t)row_of[i] * vocab, vocab);
        }
    }
    return STAC_OK;
}

static int look_at_mask(struct stac_subject *s, struct stac_stand *t, struct stac_finding *f, struct stac_error *err) {
    size_t vocab = (size_t)s->hp.n_vocab;
    int32_t ids[SEQUENCES][LENGTH], row_of[SEQUENCES * LENGTH], *storage = NULL;
    float *all = NULL, *alone = NULL;
    struct stac_batch batch;
    int status = STAC_OK;
    for (int q = 0; q < SEQUENCES; q++)
        for (int i = 0; i < LENGTH; i++) ids[q][i] = stac_finding_token(s, q * LENGTH + i);
    STAC_TRY_DONE(STAC_NEW(all, SEQUENCES * LENGTH * vocab, "logits", err));
    STAC_TRY_DONE(STAC_NEW(alone, LENGTH * vocab, "logits", err));
    STAC_TRY_DONE(stac_batch_from_padded(SEQUENCES, LENGTH, ids[0], mask[0], NULL, NULL, &batch, &storage, row_of, err));
    STAC_TRY_DONE(stac_finding_read(t, &batch, true, all, err));
    for (int q = 0; q < SEQUENCES; q++) STAC_TRY_DONE(look_at_sequence(t, q, ids[q], row_of + q * LENGTH, all, alone, f, err));
done:
    free(all);
    free(alone);
    free(storage);
    return status;
}

int stac_check_mask(struct stac_subject *s, struct stac_check *out, struct stac_error *err) {
    struct stac_finding f = {0};
    *out = (struct stac_check){.name = "attention_mask"};
    STAC_TRY(stac_finding_on_sides(s, SEQUENCES, LENGTH, SEQUENCES * LENGTH, look_at_mask, &f, err));
    stac_finding_conclude(out, &f, "sequences in a batch and alone, with and without later tokens");
    return STAC_OK;
}
