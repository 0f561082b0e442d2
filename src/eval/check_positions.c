#include "eval/finding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/logits.h"

enum { PROBED = 8 };

static int look_at_positions(struct stac_subject *s, struct stac_stand *t, struct stac_finding *f, struct stac_error *err) {
    int vocab = s->hp.n_vocab, end = s->hp.n_ctx, status = STAC_OK;
    int n = end < PROBED ? end : PROBED;
    int32_t token[PROBED], front[PROBED], back[PROBED], slot[PROBED] = {0};
    float *a = NULL, *b = NULL, *scratch = NULL;
    size_t all = (size_t)n * (size_t)vocab;
    bool last = s->grid.stage >= 0 && stac_pipeline_is_last(&t->pipeline);
    for (int i = 0; i < n; i++) token[i] = stac_finding_token(s, i), front[i] = i, back[i] = end - n + i;
    STAC_TRY_DONE(STAC_NEW(a, all, "logits", err));
    STAC_TRY_DONE(STAC_NEW(b, all, "logits", err));
    STAC_TRY_DONE(STAC_NEW(scratch, vocab, "logits", err));

    struct stac_batch at_once = {n, token, back, slot};
    STAC_TRY_DONE(stac_finding_read(t, &at_once, true, a, err));
    for (int i = 0; i < n; i++) { /* one by one, up to the last position */
        struct stac_batch one = {1, token + i, back + i, slot};
        STAC_TRY_DONE(stac_finding_read(t, &one, i == 0, b + (size_t)i * vocab, err));
    }
    if (last) {
        if (stac_subject_holds_in_pieces(s, t->side[0])) stac_finding_compare(f, a, b, all);
        for (size_t i = 0; i < all; i++) stac_finding_fault(f, !isfinite(a[i]), "logits at the last positions are not finite");
    }
    struct stac_batch in_front = {n, token, front, slot};
    STAC_TRY_DONE(stac_finding_read(t, &in_front, true, b, err));
    if (last) {
        const float *p = a + all - vocab, *q = b + all - vocab;
        double zp = stac_log_partition(t->run[0].kernels_here, vocab, p, scratch),
               zq = stac_log_partition(t->run[0].kernels_here, vocab, q, scratch);
        double divergence = stac_divergence(t->run[0].kernels_here, vocab, p, zp, q, zq, scratch);
        if (divergence > f->divergence || isnan(divergence)) f->divergence = divergence;
        if (s->hp.rope_theta > 0) /* only distances count */
            stac_finding_fault(f, !(divergence < 0.5), "the same text predicts something else further back");
    }
    int32_t swapped[PROBED]; /* the order of the text must count */
    memcpy(swapped, token, sizeof swapped);
    if (n >= 3) swapped[0] = token[1], swapped[1] = token[0];
    struct stac_batch turned = {n, swapped, front, slot};
    STAC_TRY_DONE(stac_finding_read(t, &turned, true, a, err));
    if (last && n >= 3)
        stac_finding_fault(f, memcmp(a + all - vocab, b + all - vocab, (size_t)vocab * sizeof *a) == 0,
                           "the order of tokens does not count");

    if (s->grid.stage >= 0) {
        struct stac_error refusal = {0};
        int32_t beyond = end;
        struct stac_batch outside = {1, token, &beyond, slot};
        stac_finding_fault(f, stac_run_begin(&t->run[0], &outside, &refusal) != STAC_ERR_USAGE,
                           "the position after the last is not refused");
    }
done:
    free(a);
    free(b);
    free(scratch);
    return status;
}

int stac_check_positions(struct stac_subject *s, struct stac_check *out, struct stac_error *err) {
    struct stac_finding f = {0};
    *out = (struct stac_check){.name = "position_boundaries"};
    STAC_TRY(stac_finding_on_sides(s, 1, PROBED, PROBED, look_at_positions, &f, err));
    stac_finding_conclude(out, &f, "the last positions, at once and one by one");
    if (s->hp.rope_theta > 0)
        snprintf(out->text + strlen(out->text), sizeof out->text - strlen(out->text), "; moving a text there: %.4f nats",
                 f.divergence);
    stac_check_tell_left_out(s, out);
    return STAC_OK;
}
