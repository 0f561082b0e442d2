#include "result/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "result/energy_result.h"
#include "result/figures.h"
#include "result/tables.h"

void stac_result_clean(struct stac_result *r) {
    stac_text_clean(&r->text);
    for (int i = 0; i < STAC_SIDES; i++) free(r->transcript[i]);
    stac_score_clean(&r->score);
    stac_energy_clean(&r->energy);
    stac_spike_rates_clean(&r->rates);
    stac_layers_clean(&r->layers);
    *r = (struct stac_result){0};
}

bool stac_result_passed(const struct stac_result *r) {
    for (int i = 0; i < r->n_checks; i++)
        if (!r->check[i].passed) return false;
    return true;
}

struct stac_perplexity stac_result_perplexity(const struct stac_result *r, enum stac_side side) {
    return stac_perplexity_of(r->score.nll[side], &r->text.counted, stac_perplexity_words(&r->text.counted, r->subject->job));
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *figure_as_json(const struct stac_figure *f) {
    if (!f->measured || !isfinite(f->value)) return json_null();
    return f->whole ? json_integer((json_int_t)f->value) : json_real(f->value);
}

int stac_result_json(const struct stac_result *r, const char *path, struct stac_error *err) {
    struct stac_figure f[STAC_MOST_FIGURES];
    struct stac_note note[STAC_MOST_NOTES];
    int n = stac_result_figures(r, f), n_notes = stac_result_notes(r, note), bad = 0;
    json_t *o = json_object();
    char name[64];
    for (int i = 0; i < n; i++) bad |= json_object_set_new(o, f[i].name, figure_as_json(&f[i]));
    for (int i = 0; i < n_notes; i++)
        bad |= json_object_set_new(o, note[i].name, note[i].value ? json_string(note[i].value) : json_null());
    for (int i = 0; i < r->n_checks; i++) {
        snprintf(name, sizeof name, "passed_%s", r->check[i].name);
        bad |= json_object_set_new(o, name, json_boolean(r->check[i].passed));
    }
    char *text = bad ? NULL : json_dumps(o, JSON_INDENT(4) | JSON_REAL_PRECISION(12));
    json_decref(o);
    if (!text) return stac_fail(err, STAC_ERR_MEMORY, "cannot describe the results as JSON");
    int status = stac_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}

/* ---- metrics.h5 --------------------------------------------------------------------------------------------------- */

/* What depends on the machine lies apart. */
static const char *group_of(const char *name) {
    return stac_figure_varies(name) ? "/run" : "/result";
}

static int write_figures(const struct stac_result *r, struct stac_h5_writer *h, struct stac_error *err) {
    struct stac_figure f[STAC_MOST_FIGURES];
    struct stac_note note[STAC_MOST_NOTES];
    int n = stac_result_figures(r, f), n_notes = stac_result_notes(r, note);
    char name[80];
    for (int i = 0; i < n; i++) {
        const char *group = group_of(f[i].name);
        if (!f[i].measured) continue;
        STAC_TRY(stac_h5_set_real(h, group, f[i].name, f[i].value, err));
        snprintf(name, sizeof name, "%.64s_unit", f[i].name);
        if (*f[i].unit) STAC_TRY(stac_h5_set_text(h, group, name, f[i].unit, err));
    }
    for (int i = 0; i < n_notes; i++)
        if (note[i].value) STAC_TRY(stac_h5_set_text(h, group_of(note[i].name), note[i].name, note[i].value, err));
    return STAC_OK;
}

bool stac_result_is_there(const char *path, const char *job_digest, bool *passed) {
    struct stac_error ignored = {0};
    struct stac_h5_reader h;
    char *found = NULL;
    int64_t all;
    if (!stac_file_exists(path) || stac_h5_open(path, "stac-metrics", STAC_METRICS_VERSION, &h, &ignored) != STAC_OK)
        return false;
    bool same = stac_h5_get_text(&h, "/", "job_digest", &found, &ignored) == STAC_OK && strcmp(found, job_digest) == 0 &&
                stac_h5_get_int(&h, "/", "passed", 0, 1, &all, &ignored) == STAC_OK;
    if (same) *passed = all == 1;
    free(found);
    stac_h5_close(&h);
    return same;
}

int stac_result_h5(const struct stac_result *r, const char *path, struct stac_error *err) {
    struct stac_h5_writer h;
    STAC_TRY(stac_h5_create(path, 0, &h, err));
    int status = STAC_OK;
    STAC_TRY_DONE(stac_h5_set_text(&h, "/", "schema", "stac-metrics", err));
    STAC_TRY_DONE(stac_h5_set_int(&h, "/", "schema_version", STAC_METRICS_VERSION, err));
    STAC_TRY_DONE(stac_h5_set_text(&h, "/", "built_with", stac_build_info(), err));
    if (*r->job_digest) STAC_TRY_DONE(stac_h5_set_text(&h, "/", "job_digest", r->job_digest, err));
    STAC_TRY_DONE(stac_h5_set_int(&h, "/", "passed", stac_result_passed(r), err));
    STAC_TRY_DONE(write_figures(r, &h, err));
    STAC_TRY_DONE(stac_tables_write(r, &h, err));
    STAC_TRY_DONE(stac_energy_h5(r->subject, &r->energy, &h, err));
    STAC_TRY_DONE(stac_spike_rates_h5(r->subject, &r->rates, &h, err));
    return stac_h5_commit(&h, err);
done:
    stac_h5_discard(&h);
    return status;
}
