#include "eval/execution.h"

static void tell_limits(const struct stac_sparse *s, const struct stac_log *log) {
    for (int i = 0; i < s->n; i++) {
        const struct stac_sparse_shape *shape = &s->shape[i];
        stac_log_info(log, "use_sparse: %5d x %-5d a row packed %.1f us, by events %.1f us x density: events below %.2f",
                      shape->n_in, shape->n_out, 1e6 * shape->packed, 1e6 * shape->events, shape->break_even);
    }
}

int stac_execution_measure(struct stac_subject *s, struct stac_error *err) {
    int status = s->grid.stage >= 0 ? stac_sparse_measure(&s->sparse, &s->net[STAC_SNN], err) : STAC_OK;
    tell_limits(&s->sparse, s->log);
    return stac_agree(s->ranks, s->ranks->comm, status, err);
}

void stac_execution_tell(const struct stac_subject *s, const struct stac_counts *counts) {
    const struct stac_hparams *hp = &s->hp;
    int n = stac_site_count(hp);
    for (int kind = 0; kind <= (int)STAC_SITE_HEAD_IN; kind++) {
        struct stac_counts sum = {0};
        for (int i = 0; i < n; i++)
            if ((int)stac_site_kind_at(hp, i) == kind) stac_counts_add(&sum, &counts[i]);
        int64_t rows = sum.rows_packed + sum.rows_by_events;
        if (rows == 0) continue;
        stac_log_info(s->log, "use_sparse: %-8s density %.2f: %.0f %% of %lld rows by events, the others packed",
                      stac_site_name((enum stac_site_kind)kind), (double)sum.active / (double)sum.values,
                      100.0 * (double)sum.rows_by_events / (double)rows, (long long)rows);
    }
}
