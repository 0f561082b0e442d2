#include "result/tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define TEXT(row, name)                                                                                                        \
    { #name, STAC_H5_I8, sizeof((struct row *)0)->name, offsetof(struct row, name), "" }
#define NUMBER(row, name, type, unit)                                                                                          \
    { #name, type, 0, offsetof(struct row, name), unit }
#define COUNT(fields) (int)(sizeof fields / sizeof *fields)

/* ---- checks ------------------------------------------------------------------------------------------------------- */

static const struct stac_h5_field check_fields[] = {
    TEXT(stac_check_row, name),
    NUMBER(stac_check_row, passed, STAC_H5_I32, ""),
    NUMBER(stac_check_row, figure, STAC_H5_F64, ""),
    NUMBER(stac_check_row, limit, STAC_H5_F64, ""),
    TEXT(stac_check_row, text),
};

static int write_checks(const struct stac_result *r, struct stac_h5_writer *h, struct stac_error *err) {
    struct stac_check_row row[STAC_MAX_CHECKS] = {0};
    for (int i = 0; i < r->n_checks; i++) {
        const struct stac_check *c = &r->check[i];
        row[i].passed = c->passed;
        row[i].figure = c->figure;
        row[i].limit = c->limit;
        snprintf(row[i].name, sizeof row[i].name, "%s", c->name);
        snprintf(row[i].text, sizeof row[i].text, "%s", c->text);
    }
    return stac_h5_write_table(h, "/checks", check_fields, COUNT(check_fields), sizeof *row, row, (size_t)r->n_checks, err);
}

int stac_tables_read_checks(struct stac_h5_reader *h, struct stac_check_row **out, size_t *n, struct stac_error *err) {
    *out = NULL;
    *n = 0;
    if (!stac_h5_has(h, "/checks")) return STAC_OK;
    STAC_TRY(stac_h5_rows(h, "/checks", STAC_MAX_CHECKS, n, err));
    STAC_TRY(STAC_NEW(*out, *n, "checks", err));
    int status = stac_h5_read_table(h, "/checks", check_fields, COUNT(check_fields), sizeof **out, *out, *n, err);
    for (size_t i = 0; i < *n && status == STAC_OK; i++) {
        stac_one_line((*out)[i].name);
        stac_one_line((*out)[i].text);
    }
    if (status == STAC_OK) return STAC_OK;
    free(*out);
    *out = NULL;
    return status;
}

/* ---- perplexity --------------------------------------------------------------------------------------------------- */

struct side_row {
    char side[16];
    int64_t tokens, words, bytes;
    double nll, perplexity, word_perplexity, byte_perplexity, bits_per_byte;
    int64_t distinct_predictions;
};

static const struct stac_h5_field side_fields[] = {
    TEXT(side_row, side),
    NUMBER(side_row, tokens, STAC_H5_I64, "tokens"),
    NUMBER(side_row, words, STAC_H5_I64, "words"),
    NUMBER(side_row, bytes, STAC_H5_I64, "bytes"),
    NUMBER(side_row, nll, STAC_H5_F64, "nats per token"),
    NUMBER(side_row, perplexity, STAC_H5_F64, "per token"),
    NUMBER(side_row, word_perplexity, STAC_H5_F64, "per word"),
    NUMBER(side_row, byte_perplexity, STAC_H5_F64, "per byte"),
    NUMBER(side_row, bits_per_byte, STAC_H5_F64, "bits per byte"),
    NUMBER(side_row, distinct_predictions, STAC_H5_I64, "tokens"),
};

/* A text that the original wrote itself has no words or bytes: not a number. */
static int write_perplexity(const struct stac_result *r, struct stac_h5_writer *h, struct stac_error *err) {
    static const char *const names[] = {"original", "snn"};
    const struct stac_score *s = &r->score;
    struct side_row row[STAC_SIDES] = {0};
    size_t n = 0;
    for (int side = 0; side < STAC_SIDES; side++) {
        struct stac_perplexity p = {s->perplexity[side], NAN, NAN, NAN};
        if (!r->subject->side[side]) continue;
        if (r->text.all.tokens > 0) p = stac_result_perplexity(r, (enum stac_side)side);
        snprintf(row[n].side, sizeof row[n].side, "%s", names[side]);
        row[n].tokens = (int64_t)s->tokens;
        row[n].words = r->text.all.tokens > 0 ? (int64_t)stac_perplexity_words(&r->text.counted, r->subject->job) : 0;
        row[n].bytes = (int64_t)r->text.counted.bytes;
        row[n].nll = s->nll[side];
        row[n].perplexity = p.token;
        row[n].word_perplexity = p.word;
        row[n].byte_perplexity = p.byte;
        row[n].bits_per_byte = p.bits_per_byte;
        row[n++].distinct_predictions = s->distinct[side];
    }
    STAC_TRY(stac_h5_write_table(h, "/perplexity", side_fields, COUNT(side_fields), sizeof *row, row, n, err));
    STAC_TRY(stac_h5_set_int(h, "/perplexity", "context", (int64_t)s->context, err));
    return stac_h5_set_int(h, "/perplexity", "stride", (int64_t)s->stride, err);
}

/* ---- windows ------------------------------------------------------------------------------------------------------ */

struct window_row {
    int64_t begin, tokens;
    double nll_original, nll_snn, kl, top1_agreement;
};

static const struct stac_h5_field window_fields[] = {
    NUMBER(window_row, begin, STAC_H5_I64, "tokens"),
    NUMBER(window_row, tokens, STAC_H5_I64, "tokens"),
    NUMBER(window_row, nll_original, STAC_H5_F64, "nats per token"),
    NUMBER(window_row, nll_snn, STAC_H5_F64, "nats per token"),
    NUMBER(window_row, kl, STAC_H5_F64, "nats per token"),
    NUMBER(window_row, top1_agreement, STAC_H5_F64, "share of the tokens"),
};

static int write_windows(const struct stac_result *r, struct stac_h5_writer *h, struct stac_error *err) {
    const struct stac_score *s = &r->score;
    const bool *side = r->subject->side;
    struct window_row *row;
    STAC_TRY(STAC_NEW(row, s->windows, "a table", err));
    for (size_t i = 0; i < s->windows; i++) {
        const struct stac_window_score *w = &s->window[i];
        bool both = side[STAC_BASELINE] && side[STAC_SNN];
        row[i] = (struct window_row){(int64_t)(i * s->stride),
                                     (int64_t)w->tokens,
                                     side[STAC_BASELINE] ? w->nll[STAC_BASELINE] / w->tokens : NAN,
                                     side[STAC_SNN] ? w->nll[STAC_SNN] / w->tokens : NAN,
                                     both ? w->kl / w->tokens : NAN,
                                     both ? w->agree / w->tokens : NAN};
    }
    int status = stac_h5_write_table(h, "/windows", window_fields, COUNT(window_fields), sizeof *row, row, s->windows, err);
    free(row);
    return status;
}

/* ---- sites -------------------------------------------------------------------------------------------------------- */

static const struct stac_h5_field site_fields[] = {
    NUMBER(stac_site_row, layer, STAC_H5_I32, ""),
    TEXT(stac_site_row, site),
    NUMBER(stac_site_row, activations, STAC_H5_I64, "values"),
    NUMBER(stac_site_row, spikes, STAC_H5_I64, "spikes"),
    NUMBER(stac_site_row, acs, STAC_H5_I64, "additions"),
    NUMBER(stac_site_row, macs, STAC_H5_I64, "multiply-accumulates"),
    NUMBER(stac_site_row, covered_macs, STAC_H5_I64, "multiply-accumulates"),
    NUMBER(stac_site_row, multiplies, STAC_H5_I64, "multiplications"),
    NUMBER(stac_site_row, spikes_per_activation, STAC_H5_F64, "spikes per value"),
    NUMBER(stac_site_row, ac_per_mac, STAC_H5_F64, "additions per multiply-accumulate"),
    NUMBER(stac_site_row, coverage, STAC_H5_F64, "share of the multiply-accumulates"),
};

int stac_tables_layer(const struct stac_hparams *hp, int site) {
    return stac_site_kind_at(hp, site) == STAC_SITE_HEAD_IN ? hp->n_layer : stac_site_layer_at(hp, site);
}

void stac_tables_sites(const struct stac_result *r, struct stac_site_row *rows) {
    const struct stac_hparams *hp = &r->subject->hp;
    for (int i = 0; i < stac_site_count(hp); i++) {
        const struct stac_counts *c = &r->score.counts[i];
        rows[i] = (struct stac_site_row){.layer = stac_tables_layer(hp, i),
                                         .activations = c->values,
                                         .spikes = c->spikes,
                                         .acs = c->acs,
                                         .macs = c->macs,
                                         .covered_macs = c->covered,
                                         .multiplies = c->multiplies,
                                         .spikes_per_activation = stac_spikes_per_activation(c),
                                         .ac_per_mac = stac_ac_per_mac(c),
                                         .coverage = stac_coverage(c)};
        snprintf(rows[i].site, sizeof rows[i].site, "%s", stac_site_name(stac_site_kind_at(hp, i)));
    }
}

static int write_sites(const struct stac_result *r, struct stac_h5_writer *h, struct stac_error *err) {
    struct stac_site_row *row;
    size_t n = (size_t)stac_site_count(&r->subject->hp);
    STAC_TRY(STAC_NEW(row, n, "a table", err));
    stac_tables_sites(r, row);
    int status = stac_h5_write_table(h, "/sites", site_fields, COUNT(site_fields), sizeof *row, row, n, err);
    free(row);
    return status;
}

/* ---- layers ------------------------------------------------------------------------------------------------------- */

struct step_row {
    int32_t spiking_layers;
    double ppl_ratio, kl, top1_agreement, ac_per_mac;
};

static const struct stac_h5_field step_fields[] = {
    NUMBER(step_row, spiking_layers, STAC_H5_I32, "layers"),
    NUMBER(step_row, ppl_ratio, STAC_H5_F64, ""),
    NUMBER(step_row, kl, STAC_H5_F64, "nats per token"),
    NUMBER(step_row, top1_agreement, STAC_H5_F64, "share of the tokens"),
    NUMBER(step_row, ac_per_mac, STAC_H5_F64, "additions per multiply-accumulate"),
};

static int write_layers(const struct stac_layers *l, struct stac_h5_writer *h, struct stac_error *err) {
    struct step_row *row;
    STAC_TRY(STAC_NEW(row, l->n, "a table", err));
    for (int i = 0; i < l->n; i++) {
        const struct stac_layer_step *one = &l->step[i];
        row[i] = (struct step_row){i, one->ratio, one->kl, one->top1, one->ac_per_mac};
    }
    int status = stac_h5_write_table(h, "/layers", step_fields, COUNT(step_fields), sizeof *row, row, (size_t)l->n, err);
    free(row);
    STAC_TRY(status);
    return stac_h5_set_int(h, "/layers", "tokens", (int64_t)l->tokens, err);
}

/* ---- the raster --------------------------------------------------------------------------------------------------- */

struct spike_row {
    int32_t token;
    char text[32], site[16];
    int32_t channel, step, spike;
};

static const struct stac_h5_field spike_fields[] = {
    NUMBER(spike_row, token, STAC_H5_I32, ""),
    TEXT(spike_row, text),
    TEXT(spike_row, site),
    NUMBER(spike_row, channel, STAC_H5_I32, ""),
    NUMBER(spike_row, step, STAC_H5_I32, "steps"),
    NUMBER(spike_row, spike, STAC_H5_I32, "spikes"),
};

/* The spikes of one token at one site, behind the n rows there are; how many rows there are then. */
static size_t add_spikes(const struct stac_raster *r, int site, int token, struct spike_row *row, size_t n) {
    for (int c = 0; c < r->n_channels[site]; c++)
        for (int t = 0; t < r->timesteps; t++) {
            const struct stac_word *w = &r->word[site][token][c];
            int spike = (int)(w->plus >> t & 1) - (int)(w->minus >> t & 1);
            if (spike == 0) continue;
            row[n] = (struct spike_row){.token = token, .channel = c, .step = t, .spike = spike};
            memcpy(row[n].text, r->token[token], sizeof row[n].text);
            snprintf(row[n++].site, sizeof row->site, "%s", stac_site_name(r->kind[site]));
        }
    return n;
}

static int write_raster(const struct stac_raster *r, struct stac_h5_writer *h, struct stac_error *err) {
    struct spike_row *row;
    size_t n = 0, most = (size_t)STAC_RASTER_SITES * STAC_RASTER_TOKENS * STAC_RASTER_CHANNELS * (size_t)r->timesteps;
    STAC_TRY(STAC_NEW(row, most, "a table", err));
    for (int k = 0; k < STAC_RASTER_SITES; k++)
        for (int i = 0; i < r->n_tokens; i++) n = add_spikes(r, k, i, row, n);
    int status = stac_h5_write_table(h, "/raster", spike_fields, COUNT(spike_fields), sizeof *row, row, n, err);
    free(row);
    STAC_TRY(status);
    return stac_h5_set_int(h, "/raster", "layer", r->layer, err);
}

/* ---- conversations ------------------------------------------------------------------------------------------------ */

struct turn_row {
    int32_t turn;
    double conversations, tokens, perplexity_original, perplexity_snn, kl, top1_agreement, spikes_per_token,
        spikes_per_activation, ac_per_mac;
};

static const struct stac_h5_field turn_fields[] = {
    NUMBER(turn_row, turn, STAC_H5_I32, ""),
    NUMBER(turn_row, conversations, STAC_H5_F64, "conversations"),
    NUMBER(turn_row, tokens, STAC_H5_F64, "tokens"),
    NUMBER(turn_row, perplexity_original, STAC_H5_F64, "per token"),
    NUMBER(turn_row, perplexity_snn, STAC_H5_F64, "per token"),
    NUMBER(turn_row, kl, STAC_H5_F64, "nats per token"),
    NUMBER(turn_row, top1_agreement, STAC_H5_F64, ""),
    NUMBER(turn_row, spikes_per_token, STAC_H5_F64, "spikes per token"),
    NUMBER(turn_row, spikes_per_activation, STAC_H5_F64, "spikes"),
    NUMBER(turn_row, ac_per_mac, STAC_H5_F64, ""),
};

static int write_turns(const struct stac_parity *p, struct stac_h5_writer *h, struct stac_error *err) {
    struct turn_row row[STAC_MOST_TURNS] = {0};
    for (int t = 0; t < p->n_turns; t++) {
        const struct stac_parity_turn *one = &p->turn[t];
        row[t] = (struct turn_row){t + 1,
                                   one->conversations,
                                   one->tokens,
                                   exp(one->nll[STAC_BASELINE] / one->tokens),
                                   exp(one->nll[STAC_SNN] / one->tokens),
                                   one->kl / one->tokens,
                                   one->agree / one->tokens,
                                   one->spikes / one->read,
                                   one->spikes / one->values,
                                   one->acs / one->macs};
    }
    return stac_h5_write_table(h, "/turns", turn_fields, COUNT(turn_fields), sizeof *row, row, (size_t)p->n_turns, err);
}

struct kind_row {
    char kind[32];
    double asked, right_snn, right_original;
};

static const struct stac_h5_field kind_fields[] = {
    TEXT(kind_row, kind),
    NUMBER(kind_row, asked, STAC_H5_F64, "questions"),
    NUMBER(kind_row, right_snn, STAC_H5_F64, "answers"),
    NUMBER(kind_row, right_original, STAC_H5_F64, "answers"),
};

static int write_kinds(const struct stac_parity *p, struct stac_h5_writer *h, struct stac_error *err) {
    struct kind_row row[STAC_MOST_KINDS] = {0};
    for (int k = 0; k < p->n_kinds; k++) {
        snprintf(row[k].kind, sizeof row[k].kind, "%s", p->kind_name[k]);
        row[k].asked = p->kind[k].asked;
        row[k].right_snn = p->kind[k].right[STAC_SNN];
        row[k].right_original = p->kind[k].right[STAC_BASELINE];
    }
    return stac_h5_write_table(h, "/kinds", kind_fields, COUNT(kind_fields), sizeof *row, row, (size_t)p->n_kinds, err);
}

int stac_tables_write(const struct stac_result *r, struct stac_h5_writer *h, struct stac_error *err) {
    if (r->n_checks > 0) STAC_TRY(write_checks(r, h, err));
    if (r->layers.n > 0) STAC_TRY(write_layers(&r->layers, h, err));
    if (r->raster.measured) STAC_TRY(write_raster(&r->raster, h, err));
    if (r->talked) STAC_TRY(write_turns(&r->parity, h, err));
    if (r->talked) STAC_TRY(write_kinds(&r->parity, h, err));
    if (!r->scored) return STAC_OK;
    STAC_TRY(write_perplexity(r, h, err));
    STAC_TRY(write_windows(r, h, err));
    return r->subject->side[STAC_SNN] ? write_sites(r, h, err) : STAC_OK;
}
