#include "report/layer_picture.h"

#include "report/picture.h"

int stac_picture_layers(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_layers *l = &r->layers;
    STAC_TRY(stac_picture_begin(s, path, 360, err));
    STAC_TRY(stac_strbuf_puts(s, "$steps << EOD\n", err));
    for (int i = 0; i < l->n; i++)
        STAC_TRY(stac_strbuf_printf(s, err, "%d %.8g %.8g %.8g\n", i, l->step[i].kl, l->step[i].ratio, l->step[i].top1));
    return stac_strbuf_printf(s, err,
                              "EOD\nset multiplot layout 1,3\nset xlabel 'layers that spike'\n"
                              "set xrange [0:%d]\nset yrange [0:*]\nset ylabel 'divergence, nats per token'\n"
                              "plot $steps using 1:2 with linespoints ls 1 notitle\n"
                              "set yrange [*:*]\nset ylabel 'perplexity ratio'\n"
                              "plot $steps using 1:3 with linespoints ls 1 notitle\n"
                              "set yrange [*:1]\nset ylabel 'top-1 agreement'\n"
                              "plot $steps using 1:4 with linespoints ls 1 notitle\nunset multiplot\n",
                              l->n - 1);
}
