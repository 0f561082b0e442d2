#include "eval/finding.h"

#include <stdlib.h>

#include "base/memory.h"
#include "net/batch.h"

enum { SEQUENCES = 3, LENGTH = 10 };

/* Every sequence alone, against its rows in the batch of all. */
static int look_at_mask(struct stac_subject *s, struct stac_stand *t, struct stac_finding *f, struct stac_error *err) {
    static const int8_t mask[SEQUENCES][LENGTH] = {
        {0, 0, 0, 0, 1, 1, 1, 1, 1, 1}, /* padded on the left */
        {1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
        {1, 1, 0, 1, 0, 0, 1, 1, 0, 0}, /* holes, and padded on the right */
    };
    size_t vocab = (size_t)s->hp.n_vocab;
    int32_t ids[SEQUENCES][LENGTH], row_of[SEQUENCES * LENGTH], *storage = NULL;
    float *all = NULL, *alone = NULL;
    struct stac_batch batch;
    int status = STAC_OK;
    bool last = s->grid.stage >= 0 && stac_pipeline_is_last(&t->pipeline);
    for (int q = 0; q < SEQUENCES; q++)
        for (int i = 0; i < LENGTH; i++) ids[q][i] = stac_finding_token(s, q * LENGTH + i);
    STAC_TRY_DONE(STAC_NEW(all, SEQUENCES * LENGTH * vocab, "logits", err));
    STAC_TRY_DONE(STAC_NEW(alone, LENGTH * vocab, "logits", err));
    STAC_TRY_DONE(stac_batch_from_padded(SEQUENCES, LENGTH, ids[0], mask[0], NULL, NULL, &batch, &storage, row_of, err));
    STAC_TRY_DONE(stac_finding_read(t, &batch, true, all, err));
    for (int q = 0; q < SEQUENCES; q++) {
        int first = 0;
        while (row_of[q * LENGTH + first] < 0) first++;
        const float *rows = all + (size_t)row_of[q * LENGTH + first] * vocab;
        STAC_TRY_DONE(stac_batch_from_padded(1, LENGTH, ids[q], mask[q], NULL, NULL, &batch, &storage, NULL, err));
        STAC_TRY_DONE(stac_finding_read(t, &batch, true, alone, err));
        if (last) stac_finding_compare(f, alone, rows, (size_t)batch.n * vocab);
        batch.n--; /* without its last token, the rows before it must stay */
        STAC_TRY_DONE(stac_finding_read(t, &batch, true, alone, err));
        if (last) stac_finding_compare(f, alone, rows, (size_t)batch.n * vocab);
    }
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
