#include "result/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "result/energy_result.h"
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

/* ---- figures ------------------------------------------------------------------------------------------------------ */

struct stac_perplexity stac_result_perplexity(const struct stac_result *r, enum stac_side side) {
    return stac_perplexity_of(r->score.nll[side], &r->text.counted, stac_perplexity_words(&r->text.counted, r->subject->job));
}

bool stac_figure_varies(const struct stac_figure *f) {
    return strcmp(f->name, "seconds") == 0 || strcmp(f->name, "peak_memory_bytes") == 0 || strcmp(f->name, "ranks") == 0;
}

int stac_result_figures(const struct stac_result *r, struct stac_figure *f) {
    const struct stac_score *s = &r->score;
    const struct stac_counts *c = &s->total;
    bool base = r->scored && r->subject->side[STAC_BASELINE], snn = r->scored && r->subject->side[STAC_SNN], both = base && snn;
    bool text = r->text.all.tokens > 0, spelled = r->scored && text;
    struct stac_parity_turn turns = stac_parity_total(&r->parity);
    struct stac_parity_kind answers = stac_parity_answers(&r->parity);
    double talked = (double)r->parity.conversations - r->parity.left_out;
    struct stac_perplexity p = {0}, q = {0};
    if (spelled && base) p = stac_result_perplexity(r, STAC_BASELINE);
    if (spelled && snn) q = stac_result_perplexity(r, STAC_SNN);
    const struct stac_figure all[] = {
        {"tokens", "tokens", (double)s->tokens, r->scored, true},
        {"windows", "windows", (double)s->windows, r->scored, true},
        {"context", "tokens", (double)s->context, r->scored, true},
        {"stride", "tokens", (double)s->stride, r->scored, true},
        {"bos_token", "token", r->text.prefixed ? *r->text.tokens : -1, text && r->text.prefixed, true},
        {"text_tokens", "tokens", (double)r->text.all.tokens, text, true},
        {"text_bytes", "bytes", (double)r->text.all.bytes, text, true},
        {"text_words", "words", (double)stac_perplexity_words(&r->text.all, r->subject->job), text, true},
        {"scored_bytes", "bytes", (double)r->text.counted.bytes, spelled, true},
        {"scored_words", "words", (double)stac_perplexity_words(&r->text.counted, r->subject->job), spelled, true},
        {"ppl_baseline", "", s->perplexity[STAC_BASELINE], base, false},
        {"ppl_snn", "", s->perplexity[STAC_SNN], snn, false},
        {"word_ppl_baseline", "", p.word, spelled && base, false},
        {"word_ppl_snn", "", q.word, spelled && snn, false},
        {"byte_ppl_baseline", "", p.byte, spelled && base, false},
        {"byte_ppl_snn", "", q.byte, spelled && snn, false},
        {"bits_per_byte_baseline", "bits", p.bits_per_byte, spelled && base, false},
        {"bits_per_byte_snn", "bits", q.bits_per_byte, spelled && snn, false},
        {"ppl_ratio", "", s->ratio, both, false},
        {"kl", "nats per token", s->kl, both, false},
        {"top1_agreement", "", s->top1, both, false},
        {"distinct_baseline", "tokens", (double)s->distinct[STAC_BASELINE], base, true},
        {"distinct_snn", "tokens", (double)s->distinct[STAC_SNN], snn, true},
        {"timesteps", "steps", r->subject->folder ? r->subject->snn.timesteps : 0, r->subject->folder != NULL, true},
        {"ac_per_mac", "", stac_ac_per_mac(c), snn, false},
        {"spikes_per_activation", "", stac_spikes_per_activation(c), snn, false},
        {"coverage", "", stac_coverage(c), snn, false},
        {"energy_ratio_fp32", "", stac_energy_ratio(c), snn && c->acs > 0, false},
        {"activations", "", (double)c->values, snn, true},
        {"spikes", "", (double)c->spikes, snn, true},
        {"acs", "", (double)c->acs, snn, true},
        {"macs", "", (double)c->macs, snn, true},
        {"multiplies", "", (double)c->multiplies, snn, true},
        {"conversations", "conversations", talked, r->talked, true},
        {"conversation_tokens", "tokens", turns.tokens, r->talked, true},
        {"conversation_kl", "nats per token", turns.kl / turns.tokens, r->talked && turns.tokens > 0, false},
        {"conversation_top1", "", turns.agree / turns.tokens, r->talked && turns.tokens > 0, false},
        {"questions", "questions", answers.asked, r->talked, true},
        {"right_baseline", "answers", answers.right[STAC_BASELINE], r->talked, true},
        {"right_snn", "answers", answers.right[STAC_SNN], r->talked, true},
        {"seconds", "s", r->seconds, true, false},
        {"peak_memory_bytes", "bytes", (double)r->peak_memory, true, true},
        {"ranks", "", r->subject->ranks->size, true, true},
    };
    _Static_assert(sizeof all / sizeof *all <= STAC_MOST_FIGURES, "room for all figures");
    memcpy(f, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

int stac_result_notes(const struct stac_result *r, struct stac_note *n) {
    static const char *const bos[] = {"model", "always", "never"}, *const words[] = {"split", "runs"};
    const struct stac_subject *s = r->subject;
    const struct stac_note all[] = {
        {"model", s->model    ? stac_model_path(s->model)
                  : s->folder ? s->snn.origin.model_path
                              : NULL},
        {"model_sha256", s->folder ? s->snn.origin.model_sha256 : NULL},
        {"code", s->folder ? stac_code_name(s->snn.code) : NULL},
        {"neuron", s->folder ? stac_neuron_name(s->snn.neuron) : NULL},
        {"text", r->text.name},
        {"text_sha256", r->text.sha256},
        {"bos", r->text.all.tokens > 0 ? bos[s->job->bos] : NULL},
        {"words", r->text.all.tokens > 0 ? words[s->job->words] : NULL},
        {"device", s->hardware.name},
    };
    int count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].value) n[count++] = all[i];
    return count;
}

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
    for (int i = 0; i < n_notes; i++) bad |= json_object_set_new(o, note[i].name, json_string(note[i].value));
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

static int write_figures(const struct stac_result *r, struct stac_h5_writer *h, struct stac_error *err) {
    struct stac_figure f[STAC_MOST_FIGURES];
    struct stac_note note[STAC_MOST_NOTES];
    int n = stac_result_figures(r, f), n_notes = stac_result_notes(r, note);
    char name[80];
    for (int i = 0; i < n; i++) {
        const char *group = stac_figure_varies(&f[i]) ? "/run" : "/result"; /* what depends on the machine lies apart */
        if (!f[i].measured) continue;
        STAC_TRY(stac_h5_set_real(h, group, f[i].name, f[i].value, err));
        snprintf(name, sizeof name, "%s_unit", f[i].name);
        if (*f[i].unit) STAC_TRY(stac_h5_set_text(h, group, name, f[i].unit, err));
    }
    for (int i = 0; i < n_notes; i++) STAC_TRY(stac_h5_set_text(h, "/result", note[i].name, note[i].value, err));
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
