#include "eval/frontier_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "store/h5_writer.h"

static const char schema[] = "stac-frontier";
enum { SCHEMA_VERSION = 2, MOST_POINTS = 100000 };

#define NUMBER(name, type, unit)                                                                                               \
    { #name, type, 0, offsetof(struct stac_point, name), unit }
static const struct stac_h5_field fields[] = {
    {"code", STAC_H5_I8, sizeof((struct stac_point *)0)->code, offsetof(struct stac_point, code), ""},
    NUMBER(timesteps, STAC_H5_I32, "steps"),
    NUMBER(cheapest, STAC_H5_I32, ""),
    NUMBER(spike_budget, STAC_H5_F64, "AC/MAC"),
    NUMBER(planned_ac_per_mac, STAC_H5_F64, "AC/MAC"),
    NUMBER(ac_per_mac, STAC_H5_F64, "AC/MAC"),
    NUMBER(spikes_per_activation, STAC_H5_F64, "spikes"),
    NUMBER(coverage, STAC_H5_F64, "share of the MACs"),
    NUMBER(perplexity, STAC_H5_F64, ""),
    NUMBER(ppl_ratio, STAC_H5_F64, ""),
    NUMBER(kl, STAC_H5_F64, "nats per token"),
    NUMBER(top1_agreement, STAC_H5_F64, "share of the tokens"),
    NUMBER(energy_ratio_fp32, STAC_H5_F64, ""),
    NUMBER(seconds, STAC_H5_F64, "s"),
};
enum { FIELDS = sizeof fields / sizeof *fields };

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/* The file must be about the same network and text. */
static int check_common(struct stac_h5_reader *h, const struct stac_common *c, struct stac_error *err) {
    const char *names[] = {"network_sha256", "tokens_sha256"}, *wanted[] = {c->network, c->text};
    const char *counts[] = {"tokens", "context", "stride"};
    const int64_t sizes[] = {c->tokens, c->context, c->stride};
    bool same = true;
    for (int i = 0; i < 2; i++) {
        char *found;
        STAC_TRY(stac_h5_get_text(h, "/", names[i], &found, err));
        same = same && strcmp(found, wanted[i]) == 0;
        free(found);
    }
    for (int i = 0; i < 3; i++) {
        int64_t found;
        STAC_TRY(stac_h5_get_int(h, "/", counts[i], 0, INT64_MAX, &found, err));
        same = same && found == sizes[i];
    }
    if (same) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s holds points of another network or text: name another file, or remove it",
                     h->path);
}

static int read_rows(struct stac_frontier_table *t, struct stac_h5_reader *h, struct stac_error *err) {
    size_t n;
    STAC_TRY(check_common(h, &t->common, err));
    STAC_TRY(stac_h5_rows(h, "/points", MOST_POINTS, &n, err));
    STAC_TRY(stac_grow(&t->point, &t->cap, n, sizeof *t->point, "points", err));
    STAC_TRY(stac_h5_read_table(h, "/points", fields, FIELDS, sizeof *t->point, t->point, n, err));
    for (size_t i = 0; i < n; i++) stac_one_line(t->point[i].code);
    t->n = n;
    return STAC_OK;
}

static int read_file(struct stac_frontier_table *t, struct stac_error *err) {
    struct stac_h5_reader h;
    if (t->ranks->rank != 0 || !stac_file_exists(t->path)) return STAC_OK;
    STAC_TRY(stac_h5_open(t->path, schema, SCHEMA_VERSION, &h, err));
    int status = read_rows(t, &h, err);
    stac_h5_close(&h);
    return status;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static int write_common(const struct stac_frontier_table *t, struct stac_h5_writer *h, struct stac_error *err) {
    const struct stac_common *c = &t->common;
    const char *texts[][2] = {{"schema", schema},
                              {"built_with", stac_build_info()},
                              {"network_sha256", c->network},
                              {"tokens_sha256", c->text},
                              {"text", c->text_name}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) STAC_TRY(stac_h5_set_text(h, "/", texts[i][0], texts[i][1], err));
    STAC_TRY(stac_h5_set_int(h, "/", "schema_version", SCHEMA_VERSION, err));
    STAC_TRY(stac_h5_set_int(h, "/", "tokens", c->tokens, err));
    STAC_TRY(stac_h5_set_int(h, "/", "context", c->context, err));
    STAC_TRY(stac_h5_set_int(h, "/", "stride", c->stride, err));
    return stac_h5_set_real(h, "/", "target_ratio", t->target_ratio, err);
}

static int write_file(const struct stac_frontier_table *t, struct stac_error *err) {
    struct stac_h5_writer h;
    if (t->ranks->rank != 0) return STAC_OK;
    STAC_TRY(stac_h5_create(t->path, 0, &h, err));
    int status = write_common(t, &h, err);
    if (status == STAC_OK) status = stac_h5_write_table(&h, "/points", fields, FIELDS, sizeof *t->point, t->point, t->n, err);
    if (status == STAC_OK) return stac_h5_commit(&h, err);
    stac_h5_discard(&h);
    return status;
}

int stac_table_open(struct stac_frontier_table *t, struct stac_error *err) {
    MPI_Comm comm = t->ranks->comm;
    uint64_t n;
    STAC_TRY(stac_agree(t->ranks, comm, read_file(t, err), err));
    n = t->n;
    STAC_TRY(stac_broadcast(comm, &n, sizeof n, 0, err));
    STAC_TRY(stac_agree(t->ranks, comm, stac_grow(&t->point, &t->cap, (size_t)n, sizeof *t->point, "points", err), err));
    t->n = (size_t)n;
    STAC_TRY(stac_broadcast(comm, t->point, t->n * sizeof *t->point, 0, err));
    /* a file that cannot be written is known before the first point is computed */
    return stac_agree(t->ranks, comm, write_file(t, err), err);
}

int stac_table_add(struct stac_frontier_table *t, const struct stac_point *point, struct stac_error *err) {
    int status = stac_grow(&t->point, &t->cap, t->n + 1, sizeof *t->point, "points", err);
    if (status == STAC_OK) {
        t->point[t->n++] = *point;
        status = write_file(t, err);
    }
    return stac_agree(t->ranks, t->ranks->comm, status, err);
}

int stac_table_mark(struct stac_frontier_table *t, struct stac_error *err) {
    for (size_t i = 0; i < t->n; i++) {
        struct stac_point *p = &t->point[i];
        p->cheapest = t->target_ratio > 0 && p->timesteps > 0 && p->ppl_ratio <= t->target_ratio;
        for (size_t j = 0; j < t->n && p->cheapest; j++) {
            const struct stac_point *q = &t->point[j];
            if (q->timesteps == p->timesteps && strcmp(q->code, p->code) == 0 && q->ppl_ratio <= t->target_ratio &&
                q->spike_budget < p->spike_budget)
                p->cheapest = 0;
        }
    }
    return stac_agree(t->ranks, t->ranks->comm, write_file(t, err), err);
}

/* ---- the rest ----------------------------------------------------------------------------------------------------- */

const struct stac_point *stac_table_find(const struct stac_frontier_table *t, const char *code, int timesteps, double budget) {
    for (size_t i = 0; i < t->n; i++) {
        const struct stac_point *p = &t->point[i];
        if (p->timesteps == timesteps && p->spike_budget == budget && strcmp(p->code, code) == 0) return p;
    }
    return NULL;
}

void stac_table_clean(struct stac_frontier_table *t) {
    free(t->point);
    t->point = NULL;
    t->n = t->cap = 0;
}
