#include "eval/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void stac_check_perplexity(const struct stac_subject *s, const struct stac_score *score, struct stac_check *out) {
    *out = (struct stac_check){.name = "perplexity", .passed = true, .limit = s->hp.n_vocab};
    for (int side = 0; side < STAC_SIDES; side++) {
        if (!s->side[side]) continue;
        double p = score->perplexity[side];
        out->figure = p > out->figure || !isfinite(p) ? p : out->figure;
        out->passed = out->passed && isfinite(p) && p < s->hp.n_vocab;
    }
    snprintf(out->text, sizeof out->text, "largest perplexity of a side, over %zu tokens; a blind guess has %d", score->tokens,
             s->hp.n_vocab);
}

void stac_check_fidelity(const struct stac_subject *s, const struct stac_score *score, struct stac_check *out) {
    double ratio_max = s->job->fidelity_ratio_max, top1_min = s->job->fidelity_top1_min;
    double distinct = (double)score->distinct[STAC_SNN] / (double)score->distinct[STAC_BASELINE];
    *out = (struct stac_check){.name = "fidelity", .figure = score->ratio, .limit = ratio_max};
    const char *why = !(score->ratio <= ratio_max) ? "; the ratio is too large"
                      : !(score->top1 >= top1_min) ? "; too few predictions agree"
                      : !(distinct >= 0.5)         ? "; the predictions have collapsed"
                                                   : "";
    out->passed = !*why;
    snprintf(
        out->text, sizeof out->text,
        "perplexity ratio; top-1 agreement %.4f (at least %.2f), divergence %.5f nats, distinct predictions %lld of %lld%s",
        score->top1, top1_min, score->kl, (long long)score->distinct[STAC_SNN], (long long)score->distinct[STAC_BASELINE], why);
}

int stac_check_line(const struct stac_check *c, struct stac_strbuf *out, struct stac_error *err) {
    return stac_strbuf_printf(out, err, "%s  %-20s %.6g  (%s)\n", c->passed ? "passed" : "FAILED", c->name, c->figure, c->text);
}

/* What a check that compares pieces says where it did not. */
void stac_check_tell_left_out(const struct stac_subject *s, struct stac_check *out) {
    if (!s->side[STAC_SNN] || stac_subject_holds_in_pieces(s, STAC_SNN)) return;
    snprintf(out->text + strlen(out->text), sizeof out->text - strlen(out->text),
             "; not compared on the SNN: what ST-BIF+ neurons do depends on the pieces");
}

void stac_check_parity(const struct stac_subject *s, const struct stac_parity *parity, struct stac_check *out) {
    struct stac_parity_turn sum = stac_parity_total(parity);
    struct stac_parity_kind answers = stac_parity_answers(parity);
    double top1_min = s->job->fidelity_top1_min, tolerance = s->job->parity_tolerance;
    *out = (struct stac_check){.name = "parity_multi_turn", .figure = sum.agree / sum.tokens, .limit = top1_min};
    const char *why = !(out->figure >= top1_min) ? "; too few predictions agree"
                      : answers.right[STAC_SNN] < answers.right[STAC_BASELINE] - tolerance * answers.asked ? "; it recalls less"
                      : parity->different > 0 ? "; alone they are not what they are among others"
                      : !(sum.tokens > 0)     ? "; no conversation fits the context"
                      : !(sum.spikes > 0) && s->snn.code != STAC_CODE_INTEGER ? "; no spikes"
                                                                              : "";
    out->passed = !*why;
    snprintf(out->text, sizeof out->text,
             "top-1 agreement over %.0f tokens of %.0f conversations, divergence %.5f nats; right answers %.0f, original %.0f, "
             "of %.0f; "
             "read again: %.0f of %.0f logits differ%s",
             sum.tokens, (double)parity->conversations - parity->left_out, sum.kl / sum.tokens, answers.right[STAC_SNN],
             answers.right[STAC_BASELINE], answers.asked, parity->different, parity->compared, why);
}
