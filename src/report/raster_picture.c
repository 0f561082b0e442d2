#include "report/raster_picture.h"

#include "report/picture.h"

/* Time of step t of a token, with a gap of one step between tokens. */
static int time_of(const struct stac_raster *r, int token, int t) {
    return token * (r->timesteps + 1) + t;
}

/* "$plus0 << EOD": time and channel of the spikes of one sign at a site. */
static int write_spikes(const struct stac_raster *r, int site, bool plus, struct stac_strbuf *s, struct stac_error *err) {
    STAC_TRY(stac_strbuf_printf(s, err, "$%s%d << EOD\n-9 -9\n", plus ? "plus" : "minus", site));
    for (int i = 0; i < r->n_tokens; i++)
        for (int c = 0; c < r->n_channels[site]; c++) {
            const struct stac_word *w = &r->word[site][i][c];
            for (int t = 0; t < r->timesteps; t++)
                if ((plus ? w->plus : w->minus) >> t & 1) STAC_TRY(stac_strbuf_printf(s, err, "%d %d\n", time_of(r, i, t), c));
        }
    return stac_strbuf_puts(s, "EOD\n", err);
}

/* Tokens as labels in the middle of their steps, lines between them. Quotes are doubled; the sentence has no others. */
static int write_tokens(const struct stac_raster *r, struct stac_strbuf *s, struct stac_error *err) {
    STAC_TRY(stac_strbuf_puts(s, "set xtics scale 0 noenhanced (", err));
    for (int i = 0; i < r->n_tokens; i++) {
        STAC_TRY(stac_strbuf_printf(s, err, "%s'", i ? ", " : ""));
        for (const char *c = r->token[i]; *c; c++)
            STAC_TRY(*c == '\'' ? stac_strbuf_puts(s, "''", err) : stac_strbuf_add(s, *c < ' ' ? " " : c, 1, err));
        STAC_TRY(stac_strbuf_printf(s, err, "' %d", time_of(r, i, r->timesteps / 2)));
    }
    STAC_TRY(stac_strbuf_puts(s, ")\n", err));
    for (int i = 1; i < r->n_tokens; i++)
        STAC_TRY(stac_strbuf_printf(s, err, "set arrow from %d, graph 0 to %d, graph 1 nohead lc '#cccccc'\n",
                                    time_of(r, i, -1), time_of(r, i, -1)));
    return STAC_OK;
}

int stac_picture_raster(const struct stac_result *result, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_raster *r = &result->raster;
    STAC_TRY(stac_picture_begin(s, path, 640, err));
    for (int k = 0; k < STAC_RASTER_SITES; k++) {
        STAC_TRY(write_spikes(r, k, true, s, err));
        STAC_TRY(write_spikes(r, k, false, s, err));
    }
    STAC_TRY(write_tokens(r, s, err));
    STAC_TRY(stac_strbuf_printf(s, err, "unset grid\nset xrange [-1:%d]\nset ylabel 'channel'\nset multiplot layout %d,1\n",
                                time_of(r, r->n_tokens, -1), STAC_RASTER_SITES));
    for (int k = 0; k < STAC_RASTER_SITES; k++) {
        STAC_TRY(stac_strbuf_printf(s, err,
                                    "set key at graph 1, graph 1.12 right horizontal samplen 0\nset title '%s, layer %d' "
                                    "noenhanced\nset yrange [-1:%d]\n"
                                    "plot $plus%d using 1:2 with points pt 7 ps 0.5 lc '#0072b2' title '+1', "
                                    "$minus%d using 1:2 with points pt 7 ps 0.5 lc '#d55e00' title '-1'\n",
                                    stac_site_name(r->kind[k]), r->layer, r->n_channels[k], k, k));
    }
    return stac_strbuf_puts(s, "unset multiplot\n", err);
}
