/* Networks for the tests of net/, convert/ and store/: the golden models, dense, rewritten and spiking, on one rank. */
#ifndef STAC_TESTS_FIXTURE_NETWORKS_H
#define STAC_TESTS_FIXTURE_NETWORKS_H

#include "unit.h"

#include <dirent.h>

#include "base/file.h"
#include "base/random.h"
#include "convert/calibrate.h"
#include "convert/fold.h"
#include "convert/quantise_network.h"
#include "net/run.h"

#define FX_NET __attribute__((unused)) static

/* ---- one rank --------------------------------------------------------------------------------------------------- */

/* MPI without mpirun; set up once for a group of tests. */
FX_NET struct stac_ranks fx_ranks;
FX_NET struct stac_grid fx_grid;
FX_NET const struct stac_log fx_silent;

FX_NET int fx_one_rank_begin(void **state) {
    struct stac_error err = {0};
    (void)state;
    if (stac_ranks_begin(&fx_ranks, &err) != STAC_OK) return -1;
    return stac_grid_init(&fx_grid, &fx_ranks, 1, &err);
}

FX_NET int fx_one_rank_end(void **state) {
    struct stac_error none = {0};
    (void)state;
    stac_grid_clean(&fx_grid);
    return stac_ranks_end(&fx_ranks, 0, &none);
}

/* ---- golden models ---------------------------------------------------------------------------------------------- */

enum { FX_GOLDEN = 7 };
static const char *const fx_golden[FX_GOLDEN] = {
    "gpt2-1head-relu",       "gpt2-2heads",          "gpt2-3heads-bare-f16",  "llama-3heads-1kv-untied",
    "llama-4heads-2kv-tied", "llama-4heads-sharded", "llama-wide-heads-bf16",
};

FX_NET void fx_open(const char *name, struct stac_model **model) {
    struct stac_error err = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/golden/logits/%s", STAC_TEST_DATA, name);
    OK(stac_model_open(path, model, &err));
}

FX_NET void fx_load(struct stac_model *model, struct stac_network *net) {
    struct stac_error err = {0};
    const struct stac_hparams *hp = stac_model_hparams(model);
    OK(stac_network_load(model, (struct stac_part){0, hp->n_layer, true, true}, false, net, &err));
}

/* Tokens, the same for the same stream. */
FX_NET void fx_tokens(int32_t *token, int n, int vocab, uint64_t stream) {
    struct stac_random r = stac_random_seeded(2024, stream);
    for (int i = 0; i < n; i++) token[i] = (int32_t)(stac_random_u64(&r) % (uint64_t)vocab);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

struct fx_reader {
    struct stac_cache cache;
    struct stac_run run;
    float *x;
};

FX_NET void fx_reader_init(struct fx_reader *r, const struct stac_network *net, enum stac_mode mode, int n_slots, int capacity,
                           int max_rows) {
    struct stac_error err = {0};
    OK(stac_cache_init(&r->cache, net, n_slots, capacity, &err));
    OK(stac_run_init(&r->run, net, &r->cache, mode, max_rows, &err));
    OK(stac_run_activations(&r->run, &r->x, &err));
}

FX_NET void fx_reader_clean(struct fx_reader *r) {
    stac_device_release(r->run.device, r->x);
    stac_run_clean(&r->run);
    stac_cache_clean(&r->cache);
}

/* Read a batch; logits[n][n_vocab] of its rows. */
FX_NET void fx_read_batch(struct fx_reader *r, const struct stac_batch *batch, float *logits) {
    struct stac_error err = {0};
    OK(stac_run_begin(&r->run, batch, &err));
    for (int step = 0; step < r->run.steps; step++) {
        stac_run_embed(&r->run, r->x);
        OK(stac_run_blocks(&r->run, r->x, &err));
    }
    OK(stac_run_end(&r->run, &err));
    OK(stac_run_head(&r->run, 0, batch->n, r->x, logits, &err));
}

/* Read n tokens into a slot, the first of them at `position`. */
FX_NET void fx_read(struct fx_reader *r, int slot, const int32_t *token, int position, int n, float *logits) {
    int32_t *at = calloc(2 * (size_t)n, sizeof *at);
    for (int i = 0; i < n; i++) at[i] = position + i, at[n + i] = slot;
    fx_read_batch(r, &(struct stac_batch){n, token, at, at + n}, logits);
    free(at);
}

/* Logits [n][n_vocab] of a text, read at once by itself; owned by the caller. Counts are left in *counts if it is not
 * NULL: those of all sites, in the order of stac_site_index. */
FX_NET float *fx_logits(const struct stac_network *net, enum stac_mode mode, const struct stac_kernels *kernels,
                        const int32_t *token, int n, struct stac_counts *counts) {
    struct fx_reader r;
    float *logits = calloc((size_t)n * (size_t)net->hp.n_vocab, sizeof *logits);
    fx_reader_init(&r, net, mode, 1, n, n);
    if (kernels) r.run.kernels = r.run.kernels_here = kernels;
    fx_read(&r, 0, token, 0, n, logits);
    if (counts) memcpy(counts, r.run.counts, (size_t)stac_site_count(&net->hp) * sizeof *counts);
    fx_reader_clean(&r);
    return logits;
}

/* ---- conversion ------------------------------------------------------------------------------------------------- */

FX_NET void fx_rotate_heads(struct stac_network *net, uint64_t seed) {
    struct stac_error err = {0};
    float *rotations = calloc(stac_head_rotations_size(net), sizeof *rotations);
    OK(stac_head_rotations(net, seed, rotations, &err));
    OK(stac_rotate_heads(net, rotations, &err));
    free(rotations);
}

/* All exact rewritings, in the order of stac_convert. */
FX_NET void fx_rewrite(struct stac_network *net, uint64_t seed) {
    struct stac_error err = {0};
    int d = net->hp.n_embd;
    float *q = calloc((size_t)d * (size_t)d, sizeof *q);
    OK(stac_random_orthogonal(d, seed, 0, q, &err));
    OK(stac_fold_norms(net, &err));
    OK(stac_rotate_residual(net, q, &err));
    fx_rotate_heads(net, seed);
    OK(stac_add_hadamard(net, &err));
    free(q);
}

/* A calibration that has not begun, of windows tokens[n_windows][length]. Needs fx_one_rank_begin. */
FX_NET struct stac_calibration fx_calibration(const struct stac_network *net, const int32_t *tokens, int n_windows,
                                              int length) {
    return (struct stac_calibration){.ranks = &fx_ranks,
                                     .grid = &fx_grid,
                                     .log = &fx_silent,
                                     .hp = &net->hp,
                                     .net = net,
                                     .tokens = tokens,
                                     .n_windows = n_windows,
                                     .length = length};
}

/* What calibration of a rewritten network on random tokens learns. Needs fx_one_rank_begin. */
FX_NET void fx_calibrate(const struct stac_network *net, int n_windows, int length, struct stac_statistics *stats) {
    struct stac_error err = {0};
    int32_t *tokens = calloc((size_t)n_windows * (size_t)length, sizeof *tokens);
    fx_tokens(tokens, n_windows * length, net->hp.n_vocab, 99);
    struct stac_calibration c = fx_calibration(net, tokens, n_windows, length);
    OK(stac_calibrate_begin(&c, &err));
    OK(stac_calibrate_means(&c, &err));
    OK(stac_calibrate_histograms(&c, &err));
    *stats = c.stats;
    c.stats = (struct stac_statistics){0};
    stac_calibrate_end(&c);
    free(tokens);
}

/* The same from a golden model on. */
FX_NET void fx_learn(const char *name, int n_windows, int length, struct stac_network *net, struct stac_statistics *stats) {
    struct stac_model *model;
    fx_open(name, &model);
    fx_load(model, net);
    stac_model_close(model);
    fx_rewrite(net, 1);
    fx_calibrate(net, n_windows, length, stats);
}

/* A spiking network with all that a file of it holds. */
struct fx_spiking {
    struct stac_network net;
    struct stac_statistics stats;
    struct stac_plan *plan;
    int timesteps;
};

/* Convert a golden model with any code, at a price of spikes: 1 buys about one for an activation, less buys more. One price
 * for all sites is quicker than meeting a budget. */
FX_NET void fx_spiking_make_with(struct fx_spiking *s, const char *name, const struct stac_scheme *scheme, int bits,
                                 double factor) {
    double price[STAC_SITE_KINDS] = {0.01, 0.02, 1e-4, 0.02, 0.01, 0.01, 0.01};
    for (int k = 0; k < STAC_SITE_KINDS; k++) price[k] *= factor;
    struct stac_error err = {0};
    struct stac_model *model;
    *s = (struct fx_spiking){.timesteps = scheme->timesteps};
    fx_open(name, &model);
    fx_load(model, &s->net);
    fx_rewrite(&s->net, 1);
    fx_calibrate(&s->net, 3, s->net.hp.n_ctx, &s->stats);
    s->plan = calloc((size_t)s->stats.n_sites, sizeof *s->plan);
    OK(stac_plan_trial(&s->stats, scheme, price, s->plan, &err));
    OK(stac_quantise_network(&s->net, &s->stats, s->plan, scheme->timesteps, bits, &err));
    stac_model_close(model);
}

FX_NET void fx_spiking_make_at(struct fx_spiking *s, const char *name, int timesteps, int bits, double factor) {
    fx_spiking_make_with(s, name, &(struct stac_scheme){.timesteps = timesteps}, bits, factor);
}

FX_NET void fx_spiking_make(struct fx_spiking *s, const char *name, int timesteps, int bits) {
    fx_spiking_make_at(s, name, timesteps, bits, 1);
}

FX_NET void fx_spiking_clean(struct fx_spiking *s) {
    stac_network_clean(&s->net);
    stac_statistics_clean(&s->stats);
    free(s->plan);
}

/* ---- comparison ------------------------------------------------------------------------------------------------- */

/* Largest difference of two arrays over the largest value of the first. */
FX_NET double fx_difference(const float *a, const float *b, size_t n) {
    double worst = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double gap = a[i] > b[i] ? (double)a[i] - b[i] : (double)b[i] - a[i];
        if (!(gap <= worst)) worst = gap; /* a NaN is the worst */
        if (a[i] > largest || -a[i] > largest) largest = a[i] > 0 ? a[i] : -a[i];
    }
    return worst / largest;
}

/* Both arrays hold the same bits. */
#define assert_same_bits(a, b, n, ...)                                                                                         \
    do {                                                                                                                       \
        for (size_t i_ = 0; i_ < (size_t)(n); i_++)                                                                            \
            if (memcmp(&(a)[i_], &(b)[i_], sizeof *(a)) != 0) {                                                                \
                char what_[160];                                                                                               \
                snprintf(what_, sizeof what_, __VA_ARGS__);                                                                    \
                fail_msg("%s: value %zu of %zu is %.9g, not %.9g", what_, i_, (size_t)(n), (double)(b)[i_], (double)(a)[i_]);  \
            }                                                                                                                  \
    } while (0)

#endif
