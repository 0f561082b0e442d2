#include "report/code_picture.h"

#include <math.h>

#include "report/picture.h"

enum { MOST_WORDS = 60 };

/* The layer in the middle; the head has none. */
static int layer_of(const struct stac_result *r, enum stac_site_kind kind) {
    return kind == STAC_SITE_HEAD_IN ? 0 : r->subject->snn.hp.n_layer / 2;
}

/* Where a level begins and ends, as a value; the last one is drawn a quarter longer than where it begins. */
static double begin_of(const struct stac_code *c, int level) {
    return level > 0 ? (double)c->levels.threshold[level - 1] * c->unit : 0;
}

static double end_of(const struct stac_code *c, int level) {
    return level + 1 < c->n_levels ? begin_of(c, level + 1) : 1.25 * begin_of(c, level);
}

/* "$attn_in << EOD": beginning, decoded value, length, spikes of each level. */
static int write_levels(const struct stac_code *c, const char *name, struct stac_strbuf *s, struct stac_error *err) {
    STAC_TRY(stac_strbuf_printf(s, err, "$%s << EOD\n", name));
    for (int i = 0; i < c->n_levels; i++)
        STAC_TRY(stac_strbuf_printf(s, err, "%.6g %.6g %.6g %d\n", begin_of(c, i), (double)c->levels.value[i] * c->unit,
                                    end_of(c, i) - begin_of(c, i), c->levels.spikes[i]));
    return stac_strbuf_puts(s, "EOD\n", err);
}

/* "$words << EOD": a row a word, -1, 0 or 1 at each step; of many words some. */
static int write_words(const struct stac_code *c, struct stac_strbuf *s, struct stac_error *err) {
    int rows = c->n_levels < MOST_WORDS ? c->n_levels : MOST_WORDS;
    STAC_TRY(stac_strbuf_puts(s, "$words << EOD\n", err));
    for (int row = 0; row < rows; row++) {
        int level = rows > 1 ? (int)lrint((double)row * (c->n_levels - 1) / (rows - 1)) : 0;
        float inside = (float)((begin_of(c, level) + end_of(c, level)) / 2 / c->unit);
        struct stac_word w = stac_neuron_word(c, inside);
        for (int t = 0; t < c->timesteps; t++)
            STAC_TRY(stac_strbuf_printf(s, err, "%d ", (int)(w.plus >> t & 1) - (int)(w.minus >> t & 1)));
        STAC_TRY(stac_strbuf_puts(s, "\n", err));
    }
    return stac_strbuf_puts(s, "EOD\n", err);
}

/* The data of all panels, and whether there are words to draw. */
static int write_data(const struct stac_result *r, bool words, struct stac_strbuf *s, struct stac_error *err) {
    struct stac_snn snn = r->subject->snn; /* reading does not change it */
    for (int k = 0; k < STAC_SITE_KINDS; k++) {
        struct stac_code code;
        STAC_TRY(stac_snn_read_code(&snn, (enum stac_site_kind)k, layer_of(r, (enum stac_site_kind)k), &code, err));
        int status = write_levels(&code, stac_site_name((enum stac_site_kind)k), s, err);
        if (status == STAC_OK && words && k == STAC_SITE_ATTN_IN) status = write_words(&code, s, err);
        stac_code_clean(&code);
        STAC_TRY(status);
    }
    return STAC_OK;
}

int stac_picture_codes(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    bool words = r->subject->snn.code != STAC_CODE_INTEGER && r->subject->snn.neuron != STAC_NEURON_ST_BIF;
    STAC_TRY(stac_picture_begin(s, path, 560, err));
    STAC_TRY(write_data(r, words, s, err));
    STAC_TRY(stac_strbuf_puts(
        s,
        "set multiplot layout 2,4\nset tics font ',9'\nset xrange [0:*]\nset yrange [0:*]\nset xtics autofreq\n"
        "set palette defined (0 '#999999', 1 '#56b4e9', 2 '#0072b2', 3 '#e69f00', 4 '#d55e00')\n"
        "set cbrange [0:4]\nunset colorbox\n",
        err));
    for (int k = 0; k < STAC_SITE_KINDS; k++) {
        const char *name = stac_site_name((enum stac_site_kind)k);
        STAC_TRY(stac_strbuf_printf(s, err,
                                    "set title '%s' noenhanced\nplot $%s using 1:2:3:(0):4 with vectors nohead lw 2 "
                                    "lc palette notitle\n",
                                    name, name));
    }
    if (words)
        STAC_TRY(stac_strbuf_puts(s,
                                  "set title 'words of attn_in' noenhanced\nset xlabel 'time step'\nset ylabel 'word'\n"
                                  "set xrange [0.5:*] noextend\nset yrange [-0.5:*] noextend\nset cbrange [-1:1]\nunset grid\n"
                                  "set palette defined (-1 '#d55e00', 0 '#f4f4f4', 1 '#0072b2')\n"
                                  "plot $words matrix using ($1+1):2:3 with image notitle\n",
                                  err));
    return stac_strbuf_puts(s, "unset multiplot\n", err);
}
