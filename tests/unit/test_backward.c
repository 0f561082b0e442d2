/* net/backward: gradients against differences of the loss itself, at every site, on models of both families. */
#include <math.h>

#include "fixture_networks.h"
#include "net/backward.h"
#include "net/logits.h"

enum { ROWS = 9 };

/* The value that is changed at a site: a number of row and column; at p one weight. */
struct place {
    enum stac_site_kind kind;
    int layer, head, row, column;
};

struct nudge {
    struct place at;
    float by;
    bool shifted;
};

/* Shifts every value at every site by an amount of its own: a change that later ones pass on as it is, as straight through
 * supposes of all. */
static void shift(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    float most = site->kind == STAC_SITE_P ? 0.1f : 0.3f;
    (void)ctx;
    for (int i = 0; i < n_rows; i++)
        for (int j = 0; j < n; j++) {
            float *at = &x[(size_t)i * (size_t)ld + (size_t)j];
            if (site->kind == STAC_SITE_P && *at == 0) continue; /* not seen */
            *at += most * (float)((7 * (first + i) + 3 * j + 5 * (int)site->kind + 11 * head + 11) % 13) / 13;
        }
}

static void change(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    const struct nudge *c = ctx;
    if (c->shifted && site->kind != STAC_SITE_HEAD_IN) shift(NULL, site, head, first, n_rows, n, x, ld);
    if (site->kind != c->at.kind || site->layer != c->at.layer || head != c->at.head) return;
    if (c->at.row < first || c->at.row >= first + n_rows || c->at.column >= n) return;
    x[(size_t)(c->at.row - first) * (size_t)ld + (size_t)c->at.column] += c->by;
}

/* The loss -sum log p(label), with one value changed. */
static double loss(const struct stac_network *net, const int32_t *token, const int32_t *label, struct place at, float by,
                   bool shifted) {
    struct nudge c = {at, by, shifted};
    struct fx_reader r;
    int vocab = net->hp.n_vocab;
    float *logits = calloc((size_t)ROWS * (size_t)vocab, sizeof *logits), *scratch = calloc((size_t)vocab, sizeof *scratch);
    double sum = 0;
    fx_reader_init(&r, net, STAC_MODE_DENSE, 1, ROWS, ROWS);
    r.run.probe = (struct stac_probe){change, &c, true};
    fx_read(&r, 0, token, 0, ROWS, logits);
    for (int i = 0; i < ROWS; i++)
        sum += stac_log_partition(r.run.kernels, vocab, logits + (size_t)i * (size_t)vocab, scratch) -
               logits[(size_t)i * (size_t)vocab + (size_t)label[i]];
    fx_reader_clean(&r);
    free(logits);
    free(scratch);
    return sum;
}

/* What the backward pass says of a few places. */
struct wanted {
    struct place at;
    float gradient, largest;
    int seen;
};

struct look {
    struct wanted *w;
    int n;
};

static void pick(void *ctx, const struct stac_site *site, int head, int n_rows, int n, const float *x, int ldx,
                 const float *gradient, int ldg) {
    const struct look *l = ctx;
    (void)x, (void)ldx;
    for (int i = 0; i < l->n; i++) {
        struct wanted *w = &l->w[i];
        if (site->kind != w->at.kind || site->layer != w->at.layer || head != w->at.head) continue;
        int row = w->at.row;
        if (site->kind == STAC_SITE_P) { /* one row a call; the length says which one */
            if (n != w->at.row + 1) continue;
            row = 0;
        }
        assert_in_range(row, 0, n_rows - 1);
        w->gradient = gradient[(size_t)row * (size_t)ldg + (size_t)w->at.column];
        w->seen++;
        for (int r = 0; r < n_rows; r++)
            for (int c = 0; c < n; c++) w->largest = fmaxf(w->largest, fabsf(gradient[(size_t)r * (size_t)ldg + (size_t)c]));
    }
}

static void way_back(const struct stac_network *net, const int32_t *token, const int32_t *label, bool shifted, struct look *l) {
    struct stac_error err = {0};
    struct fx_reader r;
    struct stac_backward b = {0};
    int32_t index[2 * ROWS] = {0};
    for (int i = 0; i < ROWS; i++) index[i] = i;
    struct stac_batch batch = {ROWS, token, index, index + ROWS};
    float *gradient = calloc((size_t)ROWS * (size_t)net->hp.n_embd, sizeof *gradient);
    fx_reader_init(&r, net, STAC_MODE_DENSE, 1, ROWS, ROWS);
    OK(stac_backward_init(&b, &r.run, &err));
    b.probe = (struct stac_gradient_probe){pick, l};
    if (shifted) b.change = (struct stac_probe){shift, NULL, true};
    OK(stac_backward_begin(&b, &batch, r.x, &err));
    OK(stac_backward_head(&b, r.x, label, 0, 0, gradient, &err));
    OK(stac_backward_blocks(&b, gradient, &err));
    stac_backward_clean(&b);
    fx_reader_clean(&r);
    free(gradient);
}

static int places(const struct stac_network *net, struct wanted *w) {
    int n = 0, layers = net->hp.n_layer, heads = net->hp.n_head;
    for (int kind = 0; kind < STAC_SITE_KINDS; kind++)
        for (int layer = 0; layer < (kind == STAC_SITE_HEAD_IN ? 1 : layers); layer++)
            for (int k = 0; k < 3; k++) {
                bool of_head = kind == STAC_SITE_Q || kind == STAC_SITE_P;
                w[n++].at = (struct place){(enum stac_site_kind)kind, layer, of_head ? k % heads : -1,
                                           k == 2 ? ROWS - 1 : 2 + k, k == 0 ? 0 : k + 1};
            }
    return n;
}

static void compare(bool shifted) {
    for (int g = 0; g < FX_GOLDEN; g++) {
        struct stac_model *model;
        struct stac_network net;
        struct wanted w[200] = {0};
        int32_t token[2 * ROWS], *label = token + ROWS;
        double worst = 0;
        fx_open(fx_golden[g], &model);
        fx_load(model, &net);
        fx_rewrite(&net, 1);
        fx_tokens(token, 2 * ROWS, net.hp.n_vocab, 5);
        struct look l = {w, places(&net, w)};
        way_back(&net, token, label, shifted, &l);
        for (int i = 0; i < l.n; i++) {
            const struct place *p = &w[i].at;
            float by = p->kind == STAC_SITE_P ? 1e-3f : 4e-3f;
            double slope = (loss(&net, token, label, *p, by, shifted) - loss(&net, token, label, *p, -by, shifted)) / (2 * by);
            assert_int_equal(w[i].seen, p->kind == STAC_SITE_P ? 1 : w[i].seen > 0);
            double off = fabs(slope - w[i].gradient) / (w[i].largest + 1e-6);
            if (!(off < 0.02))
                fail_msg("%s, %s of layer %d, head %d, row %d, column %d: gradient %g, slope %g (largest %g)", fx_golden[g],
                         stac_site_name(p->kind), p->layer, p->head, p->row, p->column, (double)w[i].gradient, slope,
                         (double)w[i].largest);
            worst = fmax(worst, off);
        }
        printf("%-24s %d gradients, worst off by %.2g of the largest at its site\n", fx_golden[g], l.n, worst);
        stac_network_clean(&net);
        stac_model_close(model);
    }
}

static void gradients_are_the_slopes_of_the_loss(void **state) {
    (void)state;
    compare(false);
}

static void gradients_of_a_changed_network_are_its_slopes(void **state) {
    (void)state;
    compare(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_are_the_slopes_of_the_loss),
                                       cmocka_unit_test(gradients_of_a_changed_network_are_its_slopes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
