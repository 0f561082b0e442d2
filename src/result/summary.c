#include "result/summary.h"

#include <stdio.h>

#include "base/clock.h"
#include "result/energy_result.h"

const char stac_outside_spikes[] =
    "norms, softmax, SiLU/GELU and gate, RoPE, residual additions, the Hadamard, decoding, embedding look-up";

/* Perplexity of a side, per token; and per word and byte where the text is a file. */
static int write_perplexity(const struct stac_result *r, const char *name, enum stac_side side, struct stac_strbuf *s,
                            struct stac_error *err) {
    char what[40];
    if (!r->subject->side[side]) return STAC_OK;
    snprintf(what, sizeof what, "perplexity, %s", name);
    STAC_TRY(stac_strbuf_printf(s, err, "%-28s %.4f\n", what, r->score.perplexity[side]));
    if (r->text.all.tokens == 0) return STAC_OK;
    struct stac_perplexity p = stac_result_perplexity(r, side);
    return stac_strbuf_printf(s, err, "%-28s %.4f, %.4f (%.4f bits per byte)\n", "  per word, per byte", p.word, p.byte,
                              p.bits_per_byte);
}

/* What perplexities are about: tokens, words, bytes, windows, and the token before the text. */
static int write_text(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    static const char *const bos[] = {"model", "always", "never"};
    const struct stac_job *job = r->subject->job;
    const struct stac_text *t = &r->text;
    if (t->all.tokens == 0) return STAC_OK;
    STAC_TRY(stac_strbuf_printf(s, err, "%-28s %zu, %zu (of %zu, %zu)\n",
                                job->words == STAC_JOB_SPLIT ? "words (split), bytes" : "words (runs), bytes",
                                stac_perplexity_words(&t->counted, job), t->counted.bytes, stac_perplexity_words(&t->all, job),
                                t->all.bytes));
    if (t->prefixed) return stac_strbuf_printf(s, err, "%-28s token %d (%s)\n", "before the text", *t->tokens, bos[job->bos]);
    return stac_strbuf_printf(s, err, "%-28s nothing (%s)\n", "before the text", bos[job->bos]);
}

static int write_spikes(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_counts *c = &r->score.total;
    STAC_TRY(stac_strbuf_printf(s, err, "%-28s %d\n", "time steps", r->subject->snn.timesteps));
    STAC_TRY(stac_strbuf_printf(s, err, "%-28s %.4f\n", "AC/MAC", stac_ac_per_mac(c)));
    STAC_TRY(stac_strbuf_printf(s, err, "%-28s %.4f\n", "spikes per activation", stac_spikes_per_activation(c)));
    STAC_TRY(stac_strbuf_printf(s, err, "%-28s %.2f %%\n", "coverage", 100 * stac_coverage(c)));
    if (c->acs == 0) return STAC_OK;
    return stac_strbuf_printf(s, err, "%-28s %.2f (operations only, FP32: 4.6 pJ a MAC, 0.9 pJ an AC)\n", "energy ratio",
                              stac_energy_ratio(c));
}

static int write_score(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_score *c = &r->score;
    const bool *side = r->subject->side;
    STAC_TRY(stac_strbuf_printf(s, err, "%-28s %zu (%zu windows of %zu, stride %zu)\n", "tokens predicted", c->tokens,
                                c->windows, c->context, c->stride));
    STAC_TRY(write_text(r, s, err));
    STAC_TRY(write_perplexity(r, "original", STAC_BASELINE, s, err));
    STAC_TRY(write_perplexity(r, "SNN", STAC_SNN, s, err));
    if (side[STAC_BASELINE] && side[STAC_SNN]) {
        STAC_TRY(stac_strbuf_printf(s, err, "%-28s %.4f\n", "ratio", c->ratio));
        STAC_TRY(stac_strbuf_printf(s, err, "%-28s %.5f nats per token\n", "divergence", c->kl));
        STAC_TRY(stac_strbuf_printf(s, err, "%-28s %.4f\n", "top-1 agreement", c->top1));
    }
    return side[STAC_SNN] ? write_spikes(r, s, err) : STAC_OK;
}

static int write_parity(const struct stac_parity *p, struct stac_strbuf *s, struct stac_error *err) {
    STAC_TRY(stac_strbuf_printf(s, err, "%-12s %14s %8s %10s %8s %16s %8s\n", "turn", "conversations", "tokens", "KL", "top-1",
                                "spikes per token", "AC/MAC"));
    for (int t = 0; t < p->n_turns; t++) {
        const struct stac_parity_turn *one = &p->turn[t];
        STAC_TRY(stac_strbuf_printf(s, err, "%-12d %14.0f %8.0f %10.5f %8.4f %16.0f %8.4f\n", t + 1, one->conversations,
                                    one->tokens, one->kl / one->tokens, one->agree / one->tokens, one->spikes / one->read,
                                    one->acs / one->macs));
    }
    if (p->left_out > 0)
        STAC_TRY(stac_strbuf_printf(s, err, "%-28s %.0f of %zu: a turn is longer than the context\n", "left out", p->left_out,
                                    p->conversations));
    for (int k = 0; k < p->n_kinds; k++)
        STAC_TRY(stac_strbuf_printf(s, err, "%-28s %.0f of %.0f right, original %.0f\n", p->kind_name[k],
                                    p->kind[k].right[STAC_SNN], p->kind[k].asked, p->kind[k].right[STAC_BASELINE]));
    return STAC_OK;
}

int stac_summary_write(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    const char *folder = r->subject->folder;
    char took[32];
    if (r->scored) STAC_TRY(write_score(r, s, err));
    if (r->subject->side[STAC_SNN])
        STAC_TRY(stac_strbuf_printf(s, err, "%-28s %s\n", "outside the spikes", stac_outside_spikes));
    if (r->talked) STAC_TRY(write_parity(&r->parity, s, err));
    STAC_TRY(stac_energy_text(&r->energy, s, err));
    for (int i = 0; i < r->n_checks; i++) STAC_TRY(stac_check_line(&r->check[i], s, err));
    STAC_TRY(stac_strbuf_printf(s, err, "%-28s %s, %.0f MiB at most on rank 0\n", "time, memory",
                                stac_clock_duration(r->seconds, took, sizeof took), (double)r->peak_memory / 1048576));
    if (!folder) return STAC_OK;
    return stac_strbuf_printf(s, err, "%-28s %s/report.html, %s/metrics.h5\n", "written", folder, folder);
}
