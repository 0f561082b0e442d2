#include "eval/result.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/energy_result.h"
#include "store/h5.h"

void stac_result_clean(struct stac_result *r) {
    free(r->text_path);
    free(r->text_sha256);
    for (int i = 0; i < STAC_SIDES; i++) free(r->transcript[i]);
    stac_score_clean(&r->score);
    stac_energy_clean(&r->energy);
    stac_spike_rates_clean(&r->rates);
    *r = (struct stac_result){0};
}

bool stac_result_passed(const struct stac_result *r) {
    for (int i = 0; i < r->n_checks; i++)
        if (!r->check[i].passed) return false;
    return true;
}

/* ---- figures ------------------------------------------------------------------------------------------------------ */

/* One figure of the flat object: a number, or nothing when it was not measured. */
struct figure {
    const char *name, *unit;
    double value;
    bool measured, whole;
};

enum { MOST_FIGURES = 32 };

static int list_figures(const struct stac_result *r, struct figure *f) {
    const struct stac_score *s = &r->score;
    const struct stac_counts *c = &s->total;
    bool base = r->scored && r->subject->side[STAC_BASELINE], snn = r->scored && r->subject->side[STAC_SNN], both = base && snn;
    const struct figure all[] = {
        {"tokens", "tokens", (double)s->tokens, r->scored, true},
        {"windows", "windows", (double)s->windows, r->scored, true},
        {"context", "tokens", (double)s->context, r->scored, true},
        {"stride", "tokens", (double)s->stride, r->scored, true},
        {"text_bytes", "bytes", (double)r->text_bytes, r->text_sha256 != NULL, true},
        {"text_words", "words", (double)r->text_words, r->text_sha256 != NULL, true},
        {"ppl_baseline", "", s->perplexity[STAC_BASELINE], base, false},
        {"ppl_snn", "", s->perplexity[STAC_SNN], snn, false},
        {"ppl_ratio", "", s->ratio, both, false},
        {"kl", "nats per token", s->kl, both, false},
        {"top1_agreement", "", s->top1, both, false},
        {"distinct_baseline", "tokens", (double)s->distinct[STAC_BASELINE], base, true},
        {"distinct_snn", "tokens", (double)s->distinct[STAC_SNN], snn, true},
        {"timesteps", "steps", r->subject->folder ? r->subject->snn.timesteps : 0, r->subject->folder != NULL, true},
        {"ac_per_mac", "", stac_ac_per_mac(c), snn, false},
        {"spikes_per_activation", "", stac_spikes_per_activation(c), snn, false},
        {"coverage", "", stac_coverage(c), snn, false},
        {"energy_ratio_fp32", "", stac_energy_ratio(c, 4.6, 0.9), snn && c->acs > 0, false},
        {"activations", "", (double)c->values, snn, true},
        {"spikes", "", (double)c->spikes, snn, true},
        {"acs", "", (double)c->acs, snn, true},
        {"macs", "", (double)c->macs, snn, true},
        {"multiplies", "", (double)c->multiplies, snn, true},
        {"seconds", "s", r->seconds, true, false},
        {"peak_memory_bytes", "bytes", (double)r->peak_memory, true, true},
        {"ranks", "", r->subject->ranks->size, true, true},
    };
    _Static_assert(sizeof all / sizeof *all <= MOST_FIGURES, "room for all figures");
    memcpy(f, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

static json_t *figure_as_json(const struct figure *f) {
    if (!f->measured || f->value != f->value) return json_null();
    return f->whole ? json_integer((json_int_t)f->value) : json_real(f->value);
}

int stac_result_json(const struct stac_result *r, const char *path, struct stac_error *err) {
    struct figure f[MOST_FIGURES];
    int n = list_figures(r, f), bad = 0;
    json_t *o = json_object();
    char name[64];
    for (int i = 0; i < n; i++) bad |= json_object_set_new(o, f[i].name, figure_as_json(&f[i]));
    if (r->subject->model) bad |= json_object_set_new(o, "model", json_string(stac_model_path(r->subject->model)));
    if (r->subject->folder) {
        bad |= json_object_set_new(o, "code", json_string(stac_code_name(r->subject->snn.code)));
        bad |= json_object_set_new(o, "neuron", json_string(stac_neuron_name(r->subject->snn.neuron)));
    }
    if (r->text_path) {
        bad |= json_object_set_new(o, "text", json_string(r->text_path));
        if (r->text_sha256) bad |= json_object_set_new(o, "text_sha256", json_string(r->text_sha256));
    }
    for (int i = 0; i < r->n_checks; i++) {
        snprintf(name, sizeof name, "passed_%s", r->check[i].name);
        bad |= json_object_set_new(o, name, json_boolean(r->check[i].passed));
    }
    if (stac_energy_json(&r->energy, o, err) != STAC_OK) bad = 1;
    char *text = bad ? NULL : json_dumps(o, JSON_INDENT(4) | JSON_REAL_PRECISION(12));
    json_decref(o);
    if (!text) return stac_fail(err, STAC_ERR_MEMORY, "cannot describe the results as JSON");
    int status = stac_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}

/* ---- metrics.h5 --------------------------------------------------------------------------------------------------- */

static int write_figures(const struct stac_result *r, struct stac_h5 *h, struct stac_error *err) {
    struct figure f[MOST_FIGURES];
    int n = list_figures(r, f);
    char name[80];
    for (int i = 0; i < n; i++) {
        bool varies =
            strcmp(f[i].name, "seconds") == 0 || strcmp(f[i].name, "peak_memory_bytes") == 0 || strcmp(f[i].name, "ranks") == 0;
        const char *group = varies ? "/run" : "/result"; /* what depends on the machine lies apart */
        if (!f[i].measured) continue;
        STAC_TRY(stac_h5_set_real(h, group, f[i].name, f[i].value, err));
        snprintf(name, sizeof name, "%s_unit", f[i].name);
        if (*f[i].unit) STAC_TRY(stac_h5_set_text(h, group, name, f[i].unit, err));
    }
    return STAC_OK;
}

/* /sites: one row a site, in the order of the network. */
static int write_sites(const struct stac_result *r, struct stac_h5 *h, struct stac_error *err) {
    int n = stac_site_count(&r->subject->hp);
    int64_t *table;
    if (!r->scored || !r->subject->side[STAC_SNN]) return STAC_OK;
    STAC_TRY(STAC_NEW(table, (size_t)n * 8, "a table", err));
    for (int i = 0; i < n; i++) {
        const struct stac_counts *c = &r->score.counts[i];
        int64_t row[8] = {stac_site_layer_at(&r->subject->hp, i),
                          (int64_t)stac_site_kind_at(&r->subject->hp, i),
                          c->values,
                          c->spikes,
                          c->acs,
                          c->macs,
                          c->covered,
                          c->multiplies};
        memcpy(table + (size_t)i * 8, row, sizeof row);
    }
    int status = stac_h5_write(h, "/sites", STAC_H5_I64, (size_t)n, 8, table, false, err);
    free(table);
    STAC_TRY(status);
    STAC_TRY(stac_h5_set_text(h, "/sites", "columns", "layer,site,activations,spikes,acs,macs,covered_macs,multiplies", err));
    return stac_h5_set_text(h, "/sites", "site_names", "attn_in,q,p,o_in,mlp_in,down_in,head_in", err);
}

static int write_checks(const struct stac_result *r, struct stac_h5 *h, struct stac_error *err) {
    char path[64];
    for (int i = 0; i < r->n_checks; i++) {
        const struct stac_check *c = &r->check[i];
        snprintf(path, sizeof path, "/checks/%s", c->name);
        STAC_TRY(stac_h5_set_int(h, path, "passed", c->passed, err));
        STAC_TRY(stac_h5_set_real(h, path, "figure", c->figure, err));
        STAC_TRY(stac_h5_set_real(h, path, "limit", c->limit, err));
        STAC_TRY(stac_h5_set_text(h, path, "text", c->text, err));
    }
    return STAC_OK;
}

int stac_result_h5(const struct stac_result *r, const char *path, struct stac_error *err) {
    struct stac_h5 h;
    STAC_TRY(stac_h5_create(path, &h, err));
    int status = STAC_OK;
    STAC_TRY_DONE(stac_h5_set_text(&h, "/", "schema", "stac-metrics", err));
    STAC_TRY_DONE(stac_h5_set_int(&h, "/", "schema_version", 1, err));
    STAC_TRY_DONE(stac_h5_set_text(&h, "/", "built_with", stac_build_info(), err));
    if (r->text_path) {
        STAC_TRY_DONE(stac_h5_set_text(&h, "/result", "text", r->text_path, err));
        if (r->text_sha256) STAC_TRY_DONE(stac_h5_set_text(&h, "/result", "text_sha256", r->text_sha256, err));
    }
    STAC_TRY_DONE(write_figures(r, &h, err));
    STAC_TRY_DONE(write_sites(r, &h, err));
    STAC_TRY_DONE(stac_energy_h5(r->subject, &r->energy, &h, err));
    STAC_TRY_DONE(stac_spike_rates_h5(r->subject, &r->rates, &h, err));
    STAC_TRY_DONE(write_checks(r, &h, err));
    return stac_h5_commit(&h, err);
done:
    stac_h5_discard(&h);
    return status;
}
