#include "eval/finding.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { STEPPED = 24 };

/* Whether the same happened; how count mode executed its products is another matter. */
static bool are_equal(struct stac_counts a, struct stac_counts b) {
    a.rows_packed = b.rows_packed;
    a.rows_by_events = b.rows_by_events;
    return memcmp(&a, &b, sizeof a) == 0;
}

int stac_check_temporal(struct stac_subject *s, struct stac_check *out, struct stac_error *err) {
    struct stac_finding f = {0};
    struct stac_stand stand[2] = {0}; /* the first one on the job's device; time runs on processors */
    int32_t token[STEPPED], position[STEPPED], slot[STEPPED] = {0};
    int n = s->hp.n_ctx < STEPPED ? s->hp.n_ctx : STEPPED, n_sites = stac_site_count(&s->hp), status = STAC_OK;
    size_t all = (size_t)n * (size_t)s->hp.n_vocab;
    float *logits[2] = {NULL, NULL};
    struct stac_counts *counts[2] = {NULL, NULL};
    *out = (struct stac_check){.name = "temporal"};
    for (int i = 0; i < n; i++) token[i] = stac_finding_token(s, i), position[i] = i;
    STAC_TRY_DONE(stac_stand_init_in_mode(&stand[0], s, STAC_MODE_COUNT, n, err));
    STAC_TRY_DONE(stac_stand_init_in_mode(&stand[1], s, STAC_MODE_TEMPORAL, n, err));
    for (int m = 0; m < 2 && status == STAC_OK; m++) {
        status = STAC_NEW(logits[m], all, "logits", err);
        if (status == STAC_OK) status = STAC_NEW(counts[m], n_sites, "counts", err);
    }
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, status, err));
    for (int m = 0; m < 2; m++) {
        struct stac_batch batch = {n, token, position, slot};
        STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, stac_finding_read(&stand[m], &batch, true, logits[m], err), err));
        STAC_TRY_DONE(stac_stand_counts(&stand[m], 0, counts[m], err));
    }
    if (s->grid.stage >= 0 && stac_pipeline_is_last(&stand[0].pipeline)) stac_finding_compare(&f, logits[0], logits[1], all);
    for (int i = 0; i < n_sites; i++)
        stac_finding_fault(&f, !are_equal(counts[0][i], counts[1][i]), "spikes are counted differently");
    STAC_TRY_DONE(stac_finding_share(s, &f, err));
    stac_finding_conclude(out, &f, "time steps one by one and all at once");
done:
    for (int m = 0; m < 2; m++) {
        free(logits[m]);
        free(counts[m]);
        stac_stand_clean(&stand[m]);
    }
    return status;
}
