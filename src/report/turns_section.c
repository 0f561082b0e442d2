#include "report/turns_section.h"

#include <math.h>

#include "report/html.h"
#include "report/picture.h"

/* ---- tables ------------------------------------------------------------------------------------------------------- */

static int write_turns(const struct stac_parity *p, struct stac_strbuf *s, struct stac_error *err) {
    STAC_TRY(
        stac_strbuf_puts(s,
                         "<table>\n<tr><th>turn</th><th class=\"n\">conversations</th><th class=\"n\">tokens of answers</th>"
                         "<th class=\"n\">perplexity, original</th><th class=\"n\">SNN</th><th class=\"n\">divergence</th>"
                         "<th class=\"n\">top-1</th><th class=\"n\">spikes per token</th><th class=\"n\">AC/MAC</th></tr>\n",
                         err));
    for (int t = 0; t < p->n_turns; t++) {
        const struct stac_parity_turn *one = &p->turn[t];
        if (!(one->tokens > 0)) continue;
        STAC_TRY(stac_strbuf_printf(
            s, err,
            "<tr><td>%d</td><td class=\"n\">%.0f</td><td class=\"n\">%.0f</td><td class=\"n\">%.4f</td><td "
            "class=\"n\">%.4f</td>"
            "<td class=\"n\">%.5f</td><td class=\"n\">%.4f</td><td class=\"n\">%.0f</td><td class=\"n\">%.4f</td></tr>\n",
            t + 1, one->conversations, one->tokens, exp(one->nll[STAC_BASELINE] / one->tokens),
            exp(one->nll[STAC_SNN] / one->tokens), one->kl / one->tokens, one->agree / one->tokens, one->spikes / one->read,
            one->acs / one->macs));
    }
    return stac_strbuf_puts(s, "</table>\n", err);
}

static int write_answers(const struct stac_parity *p, struct stac_strbuf *s, struct stac_error *err) {
    STAC_TRY(stac_strbuf_puts(s,
                              "<table>\n<tr><th>kind</th><th class=\"n\">questions</th><th class=\"n\">right, original</th><th "
                              "class=\"n\">right, SNN</th></tr>\n",
                              err));
    for (int k = 0; k < p->n_kinds; k++) {
        const struct stac_parity_kind *one = &p->kind[k];
        STAC_TRY(stac_strbuf_puts(s, "<tr><td>", err));
        STAC_TRY(stac_html_text(s, p->kind_name[k], err));
        STAC_TRY(stac_strbuf_printf(s, err,
                                    "</td><td class=\"n\">%.0f</td><td class=\"n\">%.0f</td><td class=\"n\">%.0f</td></tr>\n",
                                    one->asked, one->right[STAC_BASELINE], one->right[STAC_SNN]));
    }
    return stac_strbuf_puts(s, "</table>\n", err);
}

int stac_page_turns(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_parity *p = &r->parity;
    if (!r->talked) return STAC_OK;
    STAC_TRY(stac_strbuf_puts(s, "<h2>Conversations</h2>\n", err));
    STAC_TRY(write_turns(p, s, err));
    STAC_TRY(write_answers(p, s, err));
    return stac_strbuf_printf(
        s, err,
        "<p class=\"note\">%zu conversations, %.0f of them left out because a turn is longer than the context. Both networks "
        "read the "
        "same answers; the divergence is that of their predictions of these, in nats per token. Questions are answered by each "
        "alone, and an answer is right when it holds the word. Read again, alone and at once: %.0f of %.0f logits "
        "differ.</p>\n",
        p->conversations, p->left_out, p->different, p->compared);
}

/* ---- picture ------------------------------------------------------------------------------------------------------ */

int stac_picture_turns(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_parity *p = &r->parity;
    STAC_TRY(stac_picture_begin(s, path, 560, err));
    STAC_TRY(stac_strbuf_puts(s, "$turns << EOD\n", err));
    for (int t = 0; t < p->n_turns; t++) {
        const struct stac_parity_turn *one = &p->turn[t];
        if (one->tokens > 0)
            STAC_TRY(stac_strbuf_printf(s, err, "%d %.8g %.8g %.8g %.8g %.8g\n", t + 1, one->kl / one->tokens,
                                        one->agree / one->tokens, exp(one->nll[STAC_BASELINE] / one->tokens),
                                        exp(one->nll[STAC_SNN] / one->tokens), one->spikes / one->read));
    }
    return stac_strbuf_puts(
        s,
        "EOD\nset xtics 1\nset xlabel 'turn'\nset offsets 0.2, 0.2\nset multiplot layout 2,2\nset yrange [0:*]\n"
        "set ylabel 'divergence, nats per token'\nplot $turns using 1:2 with linespoints ls 1 notitle\n"
        "set ylabel 'perplexity of the answers'\nset key bottom left\n"
        "plot $turns using 1:4 with linespoints ls 1 title 'original', '' using 1:5 with linespoints ls 2 dt 2 title 'SNN'\n"
        "set ylabel 'top-1 agreement'\nset yrange [0.5:1]\nplot $turns using 1:3 with linespoints ls 1 notitle\n"
        "set ylabel 'spikes per token'\nset yrange [0:*]\nplot $turns using 1:6 with linespoints ls 1 notitle\n"
        "unset multiplot\n",
        err);
}
