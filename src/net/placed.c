#include "net/placed.h"

#include <string.h>

#include "base/memory.h"
#include "dist/hardware.h"

enum { ALIGNMENT = 256 }; /* of every array */

/* Where the next array goes: nowhere while they are only counted, and no longer after a failure. */
struct placing {
    const struct stac_device *device; /* NULL: count only */
    char *base;
    size_t used;
    struct stac_error *err;
};

/* *p, an array of that many bytes of the host, becomes one of the device. */
static void place(struct placing *to, void *p, size_t bytes) {
    void *array;
    memcpy(&array, p, sizeof array);
    if (!array) return;
    size_t at = to->used;
    to->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!to->device || to->err->status != STAC_OK) return;
    stac_device_put(to->device, to->base + at, array, bytes, to->err);
    array = to->base + at;
    memcpy(p, &array, sizeof array);
}

#define PLACE(to, array, n) place((to), (void *)&(array), (size_t)(n) * sizeof *(array))

static void place_linear(struct placing *to, struct stac_linear *l) {
    size_t n = (size_t)l->n_in * (size_t)l->n_out;
    PLACE(to, l->w, n);
    PLACE(to, l->half, n);
    PLACE(to, l->q, n);
    PLACE(to, l->scale, l->n_out);
    PLACE(to, l->bias, l->n_out);
}

static void place_site(struct placing *to, struct stac_site *site) {
    struct stac_levels *t = &site->code.levels;
    PLACE(to, site->mean, site->width);
    PLACE(to, site->code.word, t->n_levels);
    PLACE(to, t->threshold, t->n_levels);
    PLACE(to, t->value, t->n_levels);
    PLACE(to, t->spikes, t->n_levels);
    PLACE(to, t->bin, t->n_bins + 1);
    t->emit = t->sent = NULL, t->edge = NULL; /* for processors' encoders */
}

static void place_block(struct placing *to, const struct stac_hparams *hp, struct stac_block *b) {
    PLACE(to, b->attn_norm, hp->n_embd);
    PLACE(to, b->attn_norm_bias, hp->n_embd);
    PLACE(to, b->mlp_norm, hp->n_embd);
    PLACE(to, b->mlp_norm_bias, hp->n_embd);
    PLACE(to, b->k_mean, stac_kv_width(hp));
    PLACE(to, b->v_scale, stac_kv_width(hp));
    place_linear(to, &b->qkv);
    place_linear(to, &b->o);
    place_linear(to, &b->up);
    place_linear(to, &b->down);
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) place_site(to, &b->site[k]);
}

/* All but the blocks. */
static void place_ends(struct placing *to, struct stac_network *net) {
    const struct stac_hparams *hp = &net->hp;
    PLACE(to, net->token_embd, (size_t)hp->n_vocab * (size_t)hp->n_embd);
    PLACE(to, net->position_embd, (size_t)hp->n_ctx * (size_t)hp->n_embd);
    if (!net->has_head) return;
    PLACE(to, net->final_norm, hp->n_embd);
    PLACE(to, net->final_norm_bias, hp->n_embd);
    place_linear(to, &net->head);
    place_site(to, &net->head_in);
}

static size_t block_bytes(const struct stac_network *host, int layer) {
    struct placing count = {0};
    struct stac_block b = host->block[layer];
    place_block(&count, &host->hp, &b);
    return count.used;
}

size_t stac_network_placed_bytes(const struct stac_network *host, bool streams) {
    struct placing count = {0};
    struct stac_network net = *host;
    size_t most = 0, all = 0;
    place_ends(&count, &net);
    for (int l = 0; l < host->last - host->first; l++) {
        size_t bytes = block_bytes(host, l);
        all += bytes;
        most = bytes > most ? bytes : most;
    }
    return count.used + (streams ? most : all);
}

bool stac_network_must_stream(const struct stac_network *host, const struct stac_device *device, double besides,
                              const struct stac_log *log) {
    size_t left = 0, all = 0;
    if (device->room(&left, &all)) return false; /* a failure is told by what is reserved next */
    bool streams = (double)stac_network_placed_bytes(host, false) + besides > (double)left;
    stac_hardware_tell(device, log, (double)stac_network_placed_bytes(host, streams),
                       streams ? ", layer by layer, for all of them have no room" : "");
    return streams;
}

int stac_network_place(const struct stac_network *host, const struct stac_device *device, bool streams,
                       struct stac_network *out, struct stac_error *err) {
    int n = host->last - host->first, status = STAC_OK;
    struct placing to = {.device = device, .err = err};
    *out = *host;
    out->device = device;
    out->host = host;
    out->stored = (struct stac_mapping){0};
    out->block = NULL;
    out->stream = NULL;
    STAC_TRY_DONE(STAC_NEW(out->block, n, "the blocks", err));
    STAC_TRY_DONE(STAC_DEVICE_NEW(device, to.base, stac_network_placed_bytes(host, streams), "the network", err));
    out->placed = to.base;
    place_ends(&to, out);
    if (streams) {
        STAC_TRY_DONE(STAC_NEW(out->stream, 1, "the blocks", err));
        *out->stream = (struct stac_stream){to.used, stac_network_placed_bytes(host, true) - to.used, -1};
    }
    for (int l = 0; l < n; l++) {
        out->block[l] = host->block[l];
        if (!streams) place_block(&to, &host->hp, &out->block[l]);
    }
    status = err->status;
done:
    if (status != STAC_OK) stac_network_clean(out);
    return status;
}

int stac_network_bring(const struct stac_network *net, int layer, struct stac_error *err) {
    struct stac_stream *s = net->stream;
    struct placing to = {.device = net->device, .base = net->placed, .used = s->at, .err = err};
    if (s->layer == layer) return STAC_OK;
    if (block_bytes(net->host, layer) > s->room)
        return stac_fail(err, STAC_ERR_INTERNAL, "layer %d has grown since its network was placed", net->first + layer);
    s->layer = -1;
    net->block[layer] = net->host->block[layer];
    place_block(&to, &net->hp, &net->block[layer]);
    if (err->status == STAC_OK) s->layer = layer;
    return err->status;
}
