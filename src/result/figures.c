#include "result/figures.h"

#include <string.h>

#include "result/energy_result.h"

bool stac_figure_varies(const char *name) {
    return strcmp(name, "seconds") == 0 || strcmp(name, "peak_memory_bytes") == 0 || strcmp(name, "ranks") == 0 ||
           strncmp(name, "measured_", strlen("measured_")) == 0;
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
    const int n = sizeof all / sizeof *all;
    _Static_assert(sizeof all / sizeof *all + STAC_ENERGY_FIGURES <= STAC_MOST_FIGURES, "room for all figures");
    memcpy(f, all, sizeof all);
    stac_energy_figures(&r->energy, f + n);
    return n + STAC_ENERGY_FIGURES;
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
    const int count = sizeof all / sizeof *all;
    _Static_assert(sizeof all / sizeof *all + STAC_ENERGY_NOTES <= STAC_MOST_NOTES, "room for all notes");
    memcpy(n, all, sizeof all);
    stac_energy_notes(&r->energy, n + count);
    return count + STAC_ENERGY_NOTES;
}
