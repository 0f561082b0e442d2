#include "report/site_pictures.h"

#include <stdlib.h>

#include "report/picture.h"

int stac_picture_spikes(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_hparams *hp = &r->subject->hp;
    STAC_TRY(stac_picture_begin(s, path, 480, err));
    STAC_TRY(stac_strbuf_puts(s,
                              "set xlabel 'layer'\nset ylabel 'spikes per activation'\nset yrange [0:*]\n"
                              "set key outside right top\n$data << EOD\n",
                              err));
    for (int l = 0; l < hp->n_layer; l++) {
        STAC_TRY(stac_strbuf_printf(s, err, "%d", l));
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++)
            STAC_TRY(
                stac_strbuf_printf(s, err, " %.6g", stac_spikes_per_activation(&r->score.counts[l * STAC_SITE_HEAD_IN + k])));
        STAC_TRY(stac_strbuf_puts(s, "\n", err));
    }
    STAC_TRY(stac_strbuf_puts(s, "EOD\nplot ", err));
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) /* underscores would be subscripts */
        STAC_TRY(stac_strbuf_printf(s, err, "%s$data using 1:%d with linespoints ls %d title '%s' noenhanced", k ? ", " : "",
                                    k + 2, k + 1, stac_site_name((enum stac_site_kind)k)));
    return stac_strbuf_puts(s, "\n", err);
}

int stac_picture_work(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    struct stac_counts sum[STAC_SITE_KINDS] = {{0}};
    double macs = (double)r->score.total.macs;
    for (int i = 0; i < stac_site_count(&r->subject->hp); i++)
        stac_counts_add(&sum[stac_site_kind_at(&r->subject->hp, i)], &r->score.counts[i]);
    STAC_TRY(stac_picture_begin(s, path, 480, err));
    STAC_TRY(stac_strbuf_puts(s,
                              "set ylabel 'per multiply-accumulate of the model'\nset yrange [0:*]\nset style data histogram\n"
                              "set style fill solid 0.85\nset boxwidth 0.9\nset xtics noenhanced\n$data << EOD\n",
                              err));
    for (int k = 0; k < STAC_SITE_KINDS; k++)
        STAC_TRY(stac_strbuf_printf(s, err, "%s %.6g %.6g\n", stac_site_name((enum stac_site_kind)k),
                                    (double)sum[k].macs / macs, (double)sum[k].acs / macs));
    return stac_strbuf_puts(s,
                            "EOD\nplot $data using 2:xtic(1) ls 6 title 'multiply-accumulates, dense', "
                            "$data using 3 ls 2 title 'additions, spiking'\n",
                            err);
}

/* The losses of a layer as a block of data; none where they begin with 0. */
static int losses_of_layer(const struct stac_snn *snn, int layer, struct stac_strbuf *s, struct stac_error *err) {
    double *loss;
    size_t n;
    STAC_TRY(stac_snn_read_losses(snn, layer, &loss, &n, err));
    int status = STAC_OK;
    for (size_t i = 0; i < n && status == STAC_OK; i++)
        status = stac_strbuf_printf(s, err, "%zu %.6g %d\n", i, loss[0] > 0 ? loss[i] / loss[0] : 1, layer);
    free(loss);
    return status == STAC_OK ? stac_strbuf_puts(s, "\n", err) : status;
}

int stac_picture_training(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_hparams *hp = &r->subject->hp;
    STAC_TRY(stac_picture_begin(s, path, 480, err));
    STAC_TRY(stac_strbuf_puts(s,
                              "set xlabel 'step'\nset ylabel 'loss, relative to closed-form thresholds'\n"
                              "set cblabel 'layer'\nset palette defined (0 '#0072b2', 1 '#e69f00')\n$data << EOD\n",
                              err));
    for (int l = 0; l < hp->n_layer; l++) STAC_TRY(losses_of_layer(&r->subject->snn, l, s, err));
    return stac_strbuf_puts(s, "EOD\nplot $data using 1:2:3 with lines lw 2 lc palette notitle\n", err);
}
