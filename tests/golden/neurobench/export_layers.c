/* Two layers of a converted network with the spikes that entered them, and NeuroBench's figures as STAC counts them: what
 * check_layers.py holds against the package neurobench.
 *
 *     export_layers FOLDER OUT.h5        a folder that stac-convert wrote; temporal mode, TOKENS tokens
 *
 * OUT.h5: /0, /1 (attn_in of the first layer, down_in of the one in the middle): weight int8 [inputs, outputs], spikes int8
 * [tokens * time steps, inputs] with time within the token, step_weight int32 [time steps]; attributes of the root: our
 * figures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "eval/neurobench.h"
#include "net/product.h"
#include "store/h5_writer.h"

enum { TOKENS = 8, LAYERS = 2 };

struct recording {
    const struct stac_site *site[LAYERS];
    float *x[LAYERS]; /* [TOKENS][inputs] what entered */
};

static void see(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    struct recording *r = ctx;
    (void)head, (void)ld; /* linear sites: contiguous */
    for (int i = 0; i < LAYERS; i++)
        if (site == r->site[i]) memcpy(r->x[i] + (size_t)first * n, x, (size_t)n_rows * n * sizeof *x);
}

/* The spikes of a layer's neurons: played again from what entered them, one row after the other. */
static int write_layer(struct stac_h5_writer *h, int index, const struct stac_run *run, const struct stac_site *site,
                       const float *x, struct stac_error *err) {
    const struct stac_linear *l = stac_site_linear(run->net, site);
    struct stac_word *word = NULL;
    size_t steps = (size_t)site->code.timesteps, n = (size_t)l->n_in;
    int8_t *spikes = NULL;
    char path[32];
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(spikes, TOKENS * steps * n, "spikes", err));
    STAC_TRY_DONE(STAC_NEW(word, n, "spikes", err));
    for (size_t row = 0; row < TOKENS; row++) {
        float inverse = 1.0f / stac_row_scale(run, site, l->n_in, x + row * n);
        stac_neuron_run(&site->code, run->kernels_here, l->n_in, x + row * n, site->mean, inverse, word);
        for (size_t i = 0; i < n; i++)
            for (size_t t = 0; t < steps; t++)
                spikes[(row * steps + t) * n + i] = (int8_t)((word[i].plus >> t & 1) - (word[i].minus >> t & 1));
    }
    snprintf(path, sizeof path, "/%d/weight", index);
    STAC_TRY_DONE(stac_h5_write(h, path, STAC_H5_I8, n, (size_t)l->n_out, l->q, err));
    snprintf(path, sizeof path, "/%d/spikes", index);
    STAC_TRY_DONE(stac_h5_write(h, path, STAC_H5_I8, TOKENS * steps, n, spikes, err));
    snprintf(path, sizeof path, "/%d/step_weight", index);
    STAC_TRY_DONE(stac_h5_write(h, path, STAC_H5_I32, steps, 0, site->code.weight, err));
    snprintf(path, sizeof path, "/%d", index);
    STAC_TRY_DONE(stac_h5_set_int(h, path, "has_bias", l->bias != NULL, err));
    STAC_TRY_DONE(stac_h5_set_int(h, path, "has_mean", site->mean != NULL, err));
done:
    free(word);
    free(spikes);
    return status;
}

static int write_figures(struct stac_h5_writer *h, const struct stac_neurobench *b, struct stac_error *err) {
    const struct {
        const char *name;
        int64_t value;
    } all[] = {
        {"samples", b->samples}, {"timesteps", b->timesteps}, {"parameters", b->parameters},   {"footprint", b->footprint},
        {"weights", b->weights}, {"zeros", b->zeros},         {"activations", b->activations}, {"spikes", b->spikes},
        {"acs", b->acs},         {"dense", b->dense},         {"updates", b->updates}};
    STAC_TRY(stac_h5_set_text(h, "/", "schema", "stac-layers", err));
    STAC_TRY(stac_h5_set_int(h, "/", "schema_version", 1, err));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) STAC_TRY(stac_h5_set_int(h, "/", all[i].name, all[i].value, err));
    return STAC_OK;
}

static int write_file(const char *path, struct stac_run *run, const struct recording *r, struct stac_error *err) {
    struct stac_neurobench b = {.samples = TOKENS, .timesteps = r->site[0]->code.timesteps};
    struct stac_h5_writer h;
    int status = STAC_OK;
    STAC_TRY(stac_h5_create(path, 0, &h, err));
    for (int i = 0; i < LAYERS; i++) {
        stac_neurobench_layer(&b, r->site[i], stac_site_linear(run->net, r->site[i]),
                              &run->channels[stac_run_site_index(run, r->site[i])]);
        stac_neurobench_count(&b, r->site[i]->kind, stac_run_counts(run, r->site[i]));
        STAC_TRY_DONE(write_layer(&h, i, run, r->site[i], r->x[i], err));
    }
    STAC_TRY_DONE(write_figures(&h, &b, err));
    return stac_h5_commit(&h, err);
done:
    stac_h5_discard(&h);
    return status;
}

/* Read TOKENS tokens in temporal mode. */
static int read_tokens(struct stac_run *run, float *x, struct stac_error *err) {
    int32_t token[TOKENS], position[TOKENS], slot[TOKENS] = {0};
    for (int i = 0; i < TOKENS; i++) token[i] = (100 + 37 * i) % run->net->hp.n_vocab, position[i] = i;
    struct stac_batch batch = {TOKENS, token, position, slot};
    STAC_TRY(stac_run_begin(run, &batch, err));
    stac_run_embed(run, x);
    STAC_TRY(stac_run_blocks(run, x, err));
    STAC_TRY(stac_run_end(run, err));
    return STAC_OK;
}

static int export(const char *folder, const char *out, struct stac_error *err) {
    struct stac_snn snn = {.timesteps = 0};
    struct stac_network net = {0};
    struct stac_cache cache = {0};
    struct stac_run run = {0};
    struct recording r = {{NULL}, {NULL}};
    float *x = NULL;
    char path[1024];
    int status = STAC_OK;
    snprintf(path, sizeof path, "%s/snn_model.h5", folder);
    STAC_TRY(stac_snn_open(path, &snn, err));
    STAC_TRY_DONE(stac_snn_load(&snn, (struct stac_part){0, snn.hp.n_layer, true, true}, &net, err));
    STAC_TRY_DONE(stac_cache_init(&cache, &net, 1, TOKENS, err));
    STAC_TRY_DONE(stac_run_init(&run, &net, &cache, STAC_MODE_TEMPORAL, TOKENS, err));
    STAC_TRY_DONE(stac_channels_begin(&run, err));
    STAC_TRY_DONE(STAC_NEW(x, (size_t)TOKENS * (size_t)net.hp.n_embd, "activations", err));
    r.site[0] = &net.block[0].site[STAC_SITE_ATTN_IN];
    r.site[1] = &net.block[net.hp.n_layer / 2].site[STAC_SITE_DOWN_IN];
    for (int i = 0; i < LAYERS; i++)
        STAC_TRY_DONE(STAC_NEW(r.x[i], (size_t)TOKENS * (size_t)r.site[i]->width, "activations", err));
    run.probe = (struct stac_probe){.see = see, .ctx = &r};
    STAC_TRY_DONE(read_tokens(&run, x, err));
    STAC_TRY_DONE(write_file(out, &run, &r, err));
done:
    for (int i = 0; i < LAYERS; i++) free(r.x[i]);
    free(x);
    stac_run_clean(&run);
    stac_cache_clean(&cache);
    stac_network_clean(&net);
    stac_snn_close(&snn);
    return status;
}

int main(int argc, char **argv) {
    struct stac_error err = {0};
    if (argc == 3 && export(argv[1], argv[2], &err) == STAC_OK) return 0;
    fprintf(stderr, "error: %s\n", argc == 3 ? err.text : "usage: export_layers FOLDER OUT.h5");
    return 3;
}
