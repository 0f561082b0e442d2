#include "eval/neurobench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "dist/merge.h"

/* ---- what the network is made of ---------------------------------------------------------------------------------- */

static void add_floats(struct stac_neurobench *b, const float *at, int64_t n, bool parameter) {
    if (!at) return;
    b->footprint += 4 * n;
    b->parameters += parameter ? n : 0;
}

static void add_norm(struct stac_neurobench *b, const float *gain, const float *bias, int n) {
    add_floats(b, gain, n, true);
    add_floats(b, bias, n, true);
}

static void add_linear(struct stac_neurobench *b, const struct stac_linear *l) {
    int64_t n = (int64_t)l->n_in * l->n_out;
    b->parameters += n;
    b->footprint += l->q ? n : 4 * n;
    add_floats(b, l->bias, l->n_out, true);
    add_floats(b, l->scale, l->n_out, false);
}

/* The tables of a code are buffers: step weights, thresholds, words; of a causal neuron thresholds of steps and spikes. */
static void add_site(struct stac_neurobench *b, const struct stac_site *s) {
    const struct stac_code *c = &s->code;
    if (!s->spiking) return;
    add_floats(b, s->mean, s->width, false);
    b->footprint += (int64_t)sizeof c->unit + c->timesteps * (int64_t)sizeof *c->weight;
    if (c->word) b->footprint += c->n_levels * (int64_t)(sizeof *c->word + sizeof *c->levels.threshold);
    if (c->neuron.kind == STAC_NEURON_CAUSAL) b->footprint += c->timesteps * (int64_t)(STAC_MAX_SPIKES * sizeof(float));
}

/* Weights of a layer, zeros among them, and what its inputs' spikes add of the others. */
static void add_synapses(struct stac_neurobench *b, const struct stac_linear *l, const int64_t *spikes) {
    b->weights += (int64_t)l->n_in * l->n_out;
    for (int i = 0; i < l->n_in; i++) {
        const int8_t *row = l->q + (size_t)i * (size_t)l->n_out;
        int64_t zeros = 0;
        for (int j = 0; j < l->n_out; j++) zeros += row[j] == 0;
        b->zeros += zeros;
        b->acs += spikes[i] * (l->n_out - zeros);
    }
}

void stac_neurobench_layer(struct stac_neurobench *b, const struct stac_site *site, const struct stac_linear *l,
                           const struct stac_channels *counted) {
    add_site(b, site);
    add_linear(b, l);
    add_synapses(b, l, counted->spikes);
    b->updates += counted->updates;
}

/* A site of this stage; q and p have neurons and no layer. */
static void add_part(struct stac_neurobench *b, const struct stac_network *net, const struct stac_site *site,
                     int64_t *channels) {
    struct stac_channels c = stac_channels_in(&net->hp, site, channels);
    const struct stac_linear *l = stac_site_linear(net, site);
    if (l) {
        stac_neurobench_layer(b, site, l, &c);
    } else {
        add_site(b, site);
        b->updates += c.updates;
    }
}

static void add_network(struct stac_neurobench *b, const struct stac_network *net, int64_t *channels) {
    const struct stac_hparams *hp = &net->hp;
    add_floats(b, net->token_embd, (int64_t)hp->n_vocab * hp->n_embd, true);
    add_floats(b, net->position_embd, (int64_t)hp->n_ctx * hp->n_embd, true);
    for (int l = 0; l < net->last - net->first; l++) {
        const struct stac_block *k = &net->block[l];
        for (int i = 0; i < STAC_SITE_HEAD_IN; i++) add_part(b, net, &k->site[i], channels);
        add_norm(b, k->attn_norm, k->attn_norm_bias, hp->n_embd);
        add_norm(b, k->mlp_norm, k->mlp_norm_bias, hp->n_embd);
        add_floats(b, k->k_mean, stac_kv_width(hp), false);
        add_floats(b, k->v_scale, stac_kv_width(hp), false);
    }
    if (!net->has_head) return;
    add_norm(b, net->final_norm, net->final_norm_bias, hp->n_embd);
    add_part(b, net, &net->head_in, channels);
}

/* ---- what happened ------------------------------------------------------------------------------------------------ */

void stac_neurobench_count(struct stac_neurobench *b, enum stac_site_kind kind, const struct stac_counts *counts) {
    bool attention = kind == STAC_SITE_Q || kind == STAC_SITE_P;
    *(attention ? &b->attention_dense : &b->dense) += counts->macs * b->timesteps;
    b->attention_acs += attention ? counts->acs : 0;
    b->activations += counts->values * b->timesteps;
    b->spikes += counts->spikes;
    b->multiplies += counts->multiplies;
}

int stac_neurobench_gather(struct stac_subject *s, const struct stac_network *net, const struct stac_counts *counts,
                           int64_t *channels, struct stac_neurobench *out, struct stac_error *err) {
    struct stac_neurobench b = {0};
    if (s->grid.stage >= 0 && s->grid.group == 0) add_network(&b, net, channels); /* other groups hold the same once more */
    _Static_assert(sizeof b % sizeof(int64_t) == 0, "sums are integers");
    STAC_TRY(
        stac_merge_to_all(s->ranks, &(struct stac_partial){STAC_ADD_I64, (int64_t *)&b, sizeof b / sizeof(int64_t)}, 1, err));
    b.timesteps = s->snn.timesteps;
    b.samples = counts[0].values / s->hp.n_embd;
    for (int i = 0; i < stac_site_count(&s->hp); i++) stac_neurobench_count(&b, stac_site_kind_at(&s->hp, i), &counts[i]);
    *out = b;
    return STAC_OK;
}

/* ---- the file ----------------------------------------------------------------------------------------------------- */

static json_t *per_sample(int64_t sum, const struct stac_neurobench *b) {
    return json_real(b->samples > 0 ? (double)sum / (double)b->samples : 0);
}

int stac_neurobench_write(const struct stac_neurobench *b, const char *path, struct stac_error *err) {
    double sparsity = b->weights > 0 ? (double)b->zeros / (double)b->weights : 0;
    double silent = b->activations > 0 ? (double)(b->activations - b->spikes) / (double)b->activations : 0;
    json_t *operations = json_pack("{s:f, s:o, s:o}", "Effective_MACs", 0.0, "Effective_ACs", per_sample(b->acs, b), "Dense",
                                   per_sample(b->dense, b));
    json_t *attention =
        json_pack("{s:o, s:o}", "ACs", per_sample(b->attention_acs, b), "Dense", per_sample(b->attention_dense, b));
    json_t *own = json_pack("{s:s, s:I, s:I, s:o, s:o}", "Sample", "a token that is read", "Samples", (json_int_t)b->samples,
                            "TimeSteps", (json_int_t)b->timesteps, "AttentionOperations", attention,
                            "StepWeightMultiplications", per_sample(b->multiplies, b));
    json_t *o = json_pack("{s:I, s:f, s:I, s:f, s:o}", "Footprint", (json_int_t)b->footprint, "ConnectionSparsity",
                          round(sparsity * 1e4) / 1e4, "ParameterCount", (json_int_t)b->parameters, "ActivationSparsity",
                          silent, "SynapticOperations", operations);
    int bad = !o;
    if (o && b->updates > 0) bad |= json_object_set_new(o, "MembraneUpdates", per_sample(b->updates, b));
    bad |= o ? json_object_set_new(o, "STAC", own) : -1;
    char *text = bad ? NULL : json_dumps(o, JSON_INDENT(4) | JSON_REAL_PRECISION(15));
    json_decref(o);
    if (!text) return stac_fail(err, STAC_ERR_MEMORY, "cannot describe NeuroBench's metrics as JSON");
    int status = stac_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}
