#include "report/page.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "report/code_picture.h"
#include "report/energy_section.h"
#include "report/html.h"
#include "report/layer_picture.h"
#include "report/picture.h"
#include "report/raster_picture.h"
#include "report/site_pictures.h"
#include "report/turns_section.h"
#include "result/summary.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>STAC report</title>\n<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;color:#222;max-width:62rem;margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}\n"
    ".lead{font-size:1.1rem;margin:.6rem 0 1.2rem}.note{color:#666;font-size:.9rem}\n"
    "table{border-collapse:collapse;margin-bottom:1rem}td:first-child{white-space:nowrap}td,th{padding:.25rem .9rem .25rem "
    "0;text-align:left;vertical-align:top}\n"
    "td.n,th.n{white-space:nowrap;text-align:right;font-variant-numeric:tabular-nums}tr+tr td{border-top:1px solid #eee}\n"
    ".ok{color:#007a4d}.bad{color:#b00020;font-weight:600}img{max-width:100%;height:auto}\n"
    "pre{white-space:pre-wrap;background:#f6f6f6;padding:.8rem;border-radius:4px;font-size:.9rem}\n"
    "</style></head><body>\n";

static int row(struct stac_strbuf *s, const char *name, const char *value, const char *note, struct stac_error *err) {
    STAC_TRY(stac_strbuf_printf(s, err, "<tr><td>%s</td><td class=\"n\">%s</td><td class=\"note\">%s</td></tr>\n", name, value,
                                note));
    return STAC_OK;
}

static int number_row(struct stac_strbuf *s, const char *name, const char *format, double value, const char *note,
                      struct stac_error *err) __attribute__((format(printf, 3, 0)));
static int number_row(struct stac_strbuf *s, const char *name, const char *format, double value, const char *note,
                      struct stac_error *err) {
    char text[64];
    snprintf(text, sizeof text, format, value);
    return row(s, name, text, note, err);
}

/* One sentence with what matters most. */
static int write_lead(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_score *c = &r->score;
    bool both = r->scored && r->subject->side[STAC_BASELINE] && r->subject->side[STAC_SNN];
    STAC_TRY(stac_strbuf_puts(s, head, err));
    STAC_TRY(stac_strbuf_puts(s, "<h1>Spiking network against its original</h1>\n<p class=\"lead\">", err));
    if (both)
        STAC_TRY(
            stac_strbuf_printf(s, err,
                               "Perplexity %.2f instead of %.2f (ratio %.4f), with %.2f additions per multiply-accumulate in "
                               "%d time steps; %.1f %% of the multiply-accumulates are driven by spikes.",
                               c->perplexity[STAC_SNN], c->perplexity[STAC_BASELINE], c->ratio, stac_ac_per_mac(&c->total),
                               r->subject->snn.timesteps, 100 * stac_coverage(&c->total)));
    return stac_strbuf_puts(s, "</p>\n", err);
}

static int write_figures(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_score *c = &r->score;
    const bool *side = r->subject->side;
    char text[64];
    if (!r->scored) return STAC_OK;
    STAC_TRY(stac_strbuf_puts(s, "<h2>Quality</h2>\n<table>\n", err));
    snprintf(text, sizeof text, "%zu", c->tokens);
    STAC_TRY(row(s, "tokens predicted", text, "", err));
    snprintf(text, sizeof text, "%zu of %zu, stride %zu", c->windows, c->context, c->stride);
    STAC_TRY(row(s, "windows", text, "", err));
    if (side[STAC_BASELINE])
        STAC_TRY(number_row(s, "perplexity, original", "%.4f", c->perplexity[STAC_BASELINE], "as loaded, float32", err));
    if (side[STAC_SNN]) STAC_TRY(number_row(s, "perplexity, SNN", "%.4f", c->perplexity[STAC_SNN], "", err));
    if (side[STAC_BASELINE] && side[STAC_SNN]) {
        STAC_TRY(number_row(s, "ratio", "%.4f", c->ratio, "", err));
        STAC_TRY(
            number_row(s, "divergence", "%.5f", c->kl, "nats per token, of the SNN's predictions from the original's", err));
        STAC_TRY(number_row(s, "top-1 agreement", "%.4f", c->top1, "same most likely token", err));
    }
    STAC_TRY(stac_strbuf_puts(s, "</table>\n", err));
    if (!side[STAC_SNN]) return STAC_OK;
    STAC_TRY(stac_strbuf_puts(s, "<h2>Spikes and operations</h2>\n<table>\n", err));
    snprintf(text, sizeof text, "%s on %s", stac_code_name(r->subject->snn.code), stac_neuron_name(r->subject->snn.neuron));
    STAC_TRY(row(s, "code", text, "", err));
    STAC_TRY(number_row(s, "time steps", "%.0f", r->subject->snn.timesteps, "", err));
    STAC_TRY(number_row(s, "spikes per activation", "%.4f", stac_spikes_per_activation(&c->total),
                        "mean over all encoded values, silent ones included", err));
    STAC_TRY(number_row(s, "AC/MAC", "%.4f", stac_ac_per_mac(&c->total),
                        "additions per multiply-accumulate of the dense model, all products", err));
    STAC_TRY(number_row(s, "multiplications", "%.5f", stac_multiplies_per_mac(&c->total),
                        "of outputs by step weights, per multiply-accumulate of the dense model", err));
    STAC_TRY(number_row(s, "coverage", "%.2f %%", 100 * stac_coverage(&c->total), "multiply-accumulates whose input is spikes",
                        err));
    STAC_TRY(number_row(
        s, "energy ratio", "%.2f", stac_energy_ratio(&c->total),
        "operations of the products only: 4.6 pJ a float32 multiply-accumulate, 0.9 pJ an addition (Horowitz 2014, 45 nm)",
        err));
    return stac_strbuf_puts(s, "</table>\n", err);
}

static int write_outside(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    if (!r->subject->side[STAC_SNN]) return STAC_OK;
    return stac_strbuf_printf(s, err, "<p class=\"note\">Outside the spikes: %s.</p>\n", stac_outside_spikes);
}

static int write_checks(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    if (r->n_checks == 0) return STAC_OK;
    STAC_TRY(stac_strbuf_puts(s, "<h2>Checks</h2>\n<table>\n", err));
    for (int i = 0; i < r->n_checks; i++) {
        const struct stac_check *c = &r->check[i];
        STAC_TRY(stac_strbuf_printf(s, err,
                                    "<tr><td class=\"%s\">%s</td><td>%s</td><td class=\"n\">%.6g</td><td class=\"note\">",
                                    c->passed ? "ok" : "bad", c->passed ? "passed" : "FAILED", c->name, c->figure));
        STAC_TRY(stac_html_text(s, c->text, err));
        STAC_TRY(stac_strbuf_puts(s, "</td></tr>\n", err));
    }
    return stac_strbuf_puts(s, "</table>\n", err);
}

/* A PNG file inside the page. */
static int embed(struct stac_strbuf *s, const char *path, const char *alt, struct stac_error *err) {
    char *bytes, *text;
    size_t size;
    STAC_TRY(stac_file_read(path, 1 << 24, &bytes, &size, err));
    int status = STAC_NEW(text, size / 3 * 4 + 8, "a picture", err);
    if (status == STAC_OK) {
        EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes, (int)size);
        status = stac_strbuf_printf(s, err, "<p><img alt=\"%s\" src=\"data:image/png;base64,%s\"></p>\n", alt, text);
        free(text);
    }
    free(bytes);
    return status;
}

/* A picture with its title, and what is to be seen on it. */
struct figure {
    bool wanted;
    const char *name; /* of the file beside the page */
    const char *title, *note;
    stac_picture_fn make;
};

static int write_picture(const struct stac_result *r, const char *folder, const struct figure *f, struct stac_strbuf *s,
                         struct stac_error *err) {
    bool drawn = false;
    if (!f->wanted) return STAC_OK;
    char *path = stac_file_join(folder, f->name, err);
    if (!path) return err->status;
    int status = stac_picture_of(r, f->make, path, &drawn, err);
    if (status == STAC_OK) status = stac_strbuf_printf(s, err, "<h2>%s</h2>\n", f->title);
    if (status == STAC_OK)
        status = drawn ? embed(s, path, f->title, err)
                       : stac_strbuf_puts(s, "<p class=\"note\">No picture: gnuplot is not installed, or failed.</p>\n", err);
    if (status == STAC_OK && *f->note) status = stac_strbuf_printf(s, err, "<p class=\"note\">%s</p>\n", f->note);
    free(path);
    return status;
}

static int write_pictures(const struct stac_result *r, const char *folder, const struct figure *f, size_t n,
                          struct stac_strbuf *s, struct stac_error *err) {
    for (size_t i = 0; i < n; i++) STAC_TRY(write_picture(r, folder, &f[i], s, err));
    return STAC_OK;
}

static int write_talks(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    for (int side = 0; side < STAC_SIDES; side++) {
        if (!r->transcript[side]) continue;
        STAC_TRY(
            stac_strbuf_printf(s, err, "<h2>A conversation with the %s</h2>\n<pre>", side == STAC_SNN ? "SNN" : "original"));
        STAC_TRY(stac_html_text(s, r->transcript[side], err));
        STAC_TRY(stac_strbuf_puts(s, "</pre>\n", err));
    }
    return STAC_OK;
}

static int write_origin(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_origin *o = &r->subject->snn.origin;
    STAC_TRY(stac_strbuf_puts(s, "<h2>Where it comes from</h2>\n<table>\n<tr><td>model</td><td>", err));
    STAC_TRY(stac_html_text(s, o->model_path, err));
    STAC_TRY(stac_strbuf_puts(s, "<br><span class=\"note\">SHA-256 ", err));
    STAC_TRY(stac_html_text(s, o->model_sha256, err));
    STAC_TRY(stac_strbuf_puts(s, "</span></td></tr>\n<tr><td>calibrated on</td><td>", err));
    STAC_TRY(stac_html_text(s, o->calibration, err));
    if (r->text.name) {
        STAC_TRY(stac_strbuf_puts(s, "</td></tr>\n<tr><td>evaluated on</td><td>", err));
        STAC_TRY(stac_html_text(s, r->text.name, err));
        if (r->text.sha256) STAC_TRY(stac_strbuf_printf(s, err, "<br><span class=\"note\">SHA-256 %s</span>", r->text.sha256));
    }
    STAC_TRY(stac_strbuf_puts(s, "</td></tr>\n<tr><td>job</td><td><pre>", err));
    STAC_TRY(stac_html_text(s, o->job, err));
    return stac_strbuf_printf(s, err, "</pre></td></tr>\n<tr><td>program</td><td>%s</td></tr>\n</table>\n</body></html>\n",
                              stac_build_info());
}

/* Whether the codes of the network were trained. */
static bool trained(const struct stac_result *r) {
    struct stac_error quiet = {0};
    double *loss = NULL;
    size_t n = 0;
    stac_snn_read_losses(&r->subject->snn, 0, &loss, &n, &quiet);
    free(loss);
    return n > 0;
}

/* From the quality of the network to its sites and codes. */
static int write_network(const struct stac_result *r, const char *folder, struct stac_strbuf *s, struct stac_error *err) {
    bool spikes = r->scored && r->subject->side[STAC_SNN];
    const struct figure figures[] = {
        {r->layers.n > 0, "layers.png", "Layer by layer",
         "Against the original on the beginning of the text, when only the first layers spike and those behind them run on "
         "integers of 10 bits. At 0: what the INT8 weights, keys and values cost. At the last point the head spikes too.",
         stac_picture_layers},
        {spikes, "spikes.png", "Spikes per activation", "", stac_picture_spikes},
        {spikes, "work.png", "Where the additions are spent", "", stac_picture_work},
        {r->raster.measured, "raster.png", "Spikes of a sentence",
         "The first channels behind a norm (attn_in) and behind the activation function (down_in) of the layer in the middle. "
         "Each "
         "token has its own time steps.",
         stac_picture_raster},
        {spikes, "codes.png", "Codes",
         "What comes back (upwards) of what goes in, in the layer in the middle; thresholds are where a piece begins. In units "
         "of the site: of what the norm before it leaves, or of the root mean square of a token. Grey: silent; light blue, "
         "blue, yellow, red: 1, 2, 3, 4 spikes and more.",
         stac_picture_codes},
        {spikes && trained(r), "training.png", "Training the thresholds", "", stac_picture_training},
    };
    return write_pictures(r, folder, figures, sizeof figures / sizeof *figures, s, err);
}

/* Whether an answer was read: none is where no conversation fits the context. */
static bool has_turns(const struct stac_result *r) {
    for (int t = 0; r->talked && t < r->parity.n_turns; t++)
        if (r->parity.turn[t].tokens > 0) return true;
    return false;
}

static int write_page(const struct stac_result *r, const char *folder, struct stac_strbuf *s, struct stac_error *err) {
    const struct figure energy = {r->energy.measured, "energy.png", "Energy from the original to the SNN", "",
                                  stac_picture_energy},
                        turns = {has_turns(r), "turns.png", "Turn by turn", "", stac_picture_turns};
    STAC_TRY(write_lead(r, s, err));
    STAC_TRY(write_figures(r, s, err));
    STAC_TRY(write_outside(r, s, err));
    STAC_TRY(write_checks(r, s, err));
    STAC_TRY(write_network(r, folder, s, err));
    STAC_TRY(stac_page_energy(r, s, err));
    STAC_TRY(write_picture(r, folder, &energy, s, err));
    STAC_TRY(stac_page_turns(r, s, err));
    STAC_TRY(write_picture(r, folder, &turns, s, err));
    STAC_TRY(write_talks(r, s, err));
    return write_origin(r, s, err);
}

int stac_page_write(const struct stac_result *r, const char *folder, struct stac_error *err) {
    struct stac_strbuf s = {0};
    char *path = stac_file_join(folder, "report.html", err);
    int status = path ? write_page(r, folder, &s, err) : err->status;
    if (status == STAC_OK) status = stac_file_write(path, s.data, s.size, err);
    stac_strbuf_clean(&s);
    free(path);
    return status;
}
