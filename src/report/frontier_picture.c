#include "report/frontier_picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/picture.h"
#include "report/published.h"

#define LEAST 5e-4 /* smallest perplexity ratio above 1 that is told apart */
#define EDGE 20.0  /* right border: marks of those who publish no spikes */

static const char axes[] =
    "set size 1,1\nset logscale xy\nset xlabel 'additions per multiply-accumulate'\nset ylabel 'perplexity ratio'\n"
    "set xrange [0.4:20]\nset yrange [0.0005:0.5]\nset grid xtics ytics lc '#dddddd' lw 1\n"
    "set xtics (0.5, 0.75, 1, 1.5, 2, 3, 5, 10, '20' 20)\n"
    "set ytics ('1.0005' 0.0005, '1.001' 0.001, '1.002' 0.002, '1.005' 0.005, '1.01' 0.01, '1.02' 0.02, '1.05' 0.05, "
    "'1.1' 0.1, '1.2' 0.2, '1.5' 0.5)\nset key outside right top\n"
    "set arrow 1 from 5.11, graph 0 to 5.11, graph 1 nohead dt 3 lc '#888888'\n"
    "set label 1 'no energy saved, FP32' at 5.3, 0.00062 tc '#666666' font ',9'\n";

static double height(double ratio) {
    return fmax(ratio - 1, LEAST);
}

static int by_line(const void *a, const void *b) {
    const struct stac_point *p = a, *q = b;
    int code = strcmp(p->code, q->code);
    if (code != 0) return code;
    if (p->timesteps != q->timesteps) return p->timesteps - q->timesteps;
    return (p->ac_per_mac > q->ac_per_mac) - (p->ac_per_mac < q->ac_per_mac);
}

static bool same_line(const struct stac_point *a, const struct stac_point *b) {
    return a->timesteps == b->timesteps && strcmp(a->code, b->code) == 0;
}

/* A data block $lineK for each code and T; returns their number in *lines. */
static int write_lines(const struct stac_point *p, size_t n, struct stac_strbuf *s, struct stac_strbuf *plot, int *lines,
                       struct stac_error *err) {
    *lines = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i].timesteps == 0) continue; /* the original */
        if (i == 0 || !same_line(&p[i - 1], &p[i])) STAC_TRY(stac_strbuf_printf(s, err, "$line%d << EOD\n", *lines));
        STAC_TRY(stac_strbuf_printf(s, err, "%.6g %.6g\n", p[i].ac_per_mac, height(p[i].ppl_ratio)));
        if (i + 1 < n && same_line(&p[i], &p[i + 1])) continue;
        STAC_TRY(stac_strbuf_puts(s, "EOD\n", err));
        STAC_TRY(stac_strbuf_printf(plot, err, "%s$line%d using 1:2 with linespoints ls %d title '%s, T = %d' noenhanced",
                                    *lines ? ", " : "plot ", *lines, *lines % 6 + 1, p[i].code, p[i].timesteps));
        ++*lines;
    }
    return STAC_OK;
}

/* Additions per multiply-accumulate of a mark; at the edge where they are not known. */
static double at_of(const struct stac_published *p) {
    return p->ac_per_mac > 0 ? p->ac_per_mac : EDGE;
}

/* Marks of others, with their names beside them: on the left of those at the right edge. */
static int write_marks(struct stac_strbuf *s, struct stac_strbuf *plot, bool first, struct stac_error *err) {
    static const char *const titles[] = {"published", "published, spikes estimated", "published, spikes unknown"};
    static const int shapes[] = {5, 4, 9};
    size_t n;
    const struct stac_published *p = stac_published_points(&n);
    for (size_t i = 0; i < n; i++) {
        bool left = p[i].ac_per_mac == 0 || p[i].ac_per_mac > 6;
        STAC_TRY(stac_strbuf_printf(
            s, err, "set label \"%s, T = %d\" at %.6g, %.6g %s offset char %d, 0 font ',8' tc '#555555' noenhanced\n",
            p[i].name, p[i].timesteps, at_of(&p[i]), height(p[i].ppl_ratio), left ? "right" : "left", left ? -1 : 1));
    }
    for (int kind = 0; kind < 3; kind++) {
        STAC_TRY(stac_strbuf_printf(s, err, "$mark%d << EOD\n", kind));
        for (size_t i = 0; i < n; i++)
            if (kind == (p[i].ac_per_mac == 0 ? 2 : p[i].estimated))
                STAC_TRY(stac_strbuf_printf(s, err, "%.6g %.6g\n", at_of(&p[i]), height(p[i].ppl_ratio)));
        STAC_TRY(stac_strbuf_puts(s, "EOD\n", err));
        STAC_TRY(stac_strbuf_printf(plot, err, "%s$mark%d using 1:2 with points pt %d ps 1.1 lc '#555555' title '%s'",
                                    kind || !first ? ", " : "plot ", kind, shapes[kind], titles[kind]));
    }
    return stac_strbuf_puts(plot, "\n", err);
}

static int write_script(const struct stac_point *sorted, size_t n, const char *path, struct stac_strbuf *s,
                        struct stac_error *err) {
    struct stac_strbuf plot = {0};
    int lines, status = stac_picture_begin(s, path, 640, err);
    if (status == STAC_OK) status = stac_strbuf_puts(s, axes, err);
    if (status == STAC_OK) status = write_lines(sorted, n, s, &plot, &lines, err);
    if (status == STAC_OK) status = write_marks(s, &plot, lines == 0, err);
    if (status == STAC_OK) status = stac_strbuf_puts(s, stac_strbuf_text(&plot), err);
    stac_strbuf_clean(&plot);
    return status;
}

int stac_picture_frontier(const struct stac_frontier_table *t, const char *path, bool *drawn, struct stac_error *err) {
    struct stac_strbuf script = {0};
    struct stac_point *sorted;
    STAC_TRY(STAC_NEW(sorted, t->n, "points", err));
    if (t->n > 0) memcpy(sorted, t->point, t->n * sizeof *sorted);
    qsort(sorted, t->n, sizeof *sorted, by_line);
    int status = write_script(sorted, t->n, path, &script, err);
    *drawn = status == STAC_OK && stac_picture_draw(stac_strbuf_text(&script), path);
    stac_strbuf_clean(&script);
    free(sorted);
    return status;
}
