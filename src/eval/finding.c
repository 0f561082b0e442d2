#include "eval/finding.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void stac_finding_compare(struct stac_finding *f, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double gap = fabs((double)a[i] - (double)b[i]);
        f->compared++;
        f->different += memcmp(&a[i], &b[i], sizeof *a) != 0;
        f->worst = gap > f->worst || isnan(gap) ? gap : f->worst;
    }
}

void stac_finding_fault(struct stac_finding *f, bool broken, const char *what) {
    if (!broken) return;
    if (f->other == 0) snprintf(f->fault, sizeof f->fault, "%s", what);
    f->other++;
}

int stac_finding_share(const struct stac_subject *s, struct stac_finding *f, struct stac_error *err) {
    return stac_broadcast(s->ranks->comm, f, sizeof *f, s->grid.n_stages - 1, err);
}

int stac_finding_read(struct stac_stand *t, const struct stac_batch *batch, bool fresh, float *logits, struct stac_error *err) {
    if (t->subject->grid.stage < 0) return STAC_OK;
    if (fresh) stac_cache_reset(t->run[0].cache, -1);
    STAC_TRY(stac_pipeline_pass(&t->pipeline, STAC_OK, batch, err));
    STAC_TRY(stac_pipeline_settle(&t->pipeline, err));
    if (!stac_pipeline_is_last(&t->pipeline)) return STAC_OK;
    return stac_run_head(&t->run[0], 0, batch->n, t->pipeline.x[0], logits, err);
}

int stac_finding_on_sides(struct stac_subject *s, int n_slots, int capacity, int max_rows, stac_look_fn look,
                          struct stac_finding *f, struct stac_error *err) {
    for (int side = 0; side < STAC_SIDES; side++) {
        struct stac_stand stand;
        if (!s->side[side]) continue;
        STAC_TRY(stac_stand_init(&stand, s, (enum stac_side)side, n_slots, capacity, max_rows, err));
        int status = look(s, &stand, f, err);
        status = stac_agree(s->ranks, s->ranks->comm, status, err);
        stac_stand_clean(&stand);
        STAC_TRY(status);
    }
    return stac_finding_share(s, f, err);
}

int stac_finding_on_processors(struct stac_subject *s, int n_conversations, int room, stac_talk_fn look, struct stac_finding *f,
                               struct stac_error *err) {
    for (int side = 0; side < STAC_SIDES; side++) {
        struct stac_processor processor;
        if (!s->side[side]) continue;
        STAC_TRY(stac_processor_init(&processor, s, (enum stac_side)side, n_conversations, room, err));
        int status = look(&processor, (enum stac_side)side, f, err);
        stac_processor_clean(&processor);
        STAC_TRY(stac_agree(s->ranks, s->ranks->comm, status, err));
    }
    return stac_finding_share(s, f, err);
}

void stac_finding_conclude(struct stac_check *out, const struct stac_finding *f, const char *what) {
    out->figure = f->different + f->other;
    out->passed = out->figure == 0 && f->compared > 0;
    snprintf(out->text, sizeof out->text, "%s: %.0f of %.0f logits differ", what, f->different, f->compared);
    size_t n = strlen(out->text);
    if (f->different > 0) n += (size_t)snprintf(out->text + n, sizeof out->text - n, ", by up to %.3g", f->worst);
    if (f->other > 0 && n < sizeof out->text) snprintf(out->text + n, sizeof out->text - n, "; %s", f->fault);
}

int32_t stac_finding_token(const struct stac_subject *s, int i) {
    int64_t n = s->hp.n_vocab;
    return (int32_t)((n / 3 + 7919 * (int64_t)i) % n);
}
