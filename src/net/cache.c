#include "net/cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int stac_cache_init(struct stac_cache *c, const struct stac_network *net, int n_slots, int capacity, struct stac_error *err) {
    int layers = net->last - net->first, status = STAC_OK;
    *c = (struct stac_cache){.n_slots = n_slots,
                             .capacity = capacity,
                             .n_layers = layers,
                             .n_head_kv = net->hp.n_head_kv,
                             .head_dim = net->hp.head_dim,
                             .int8 = stac_network_keeps_int8(net),
                             .device = net->device};
    size_t per_token = (size_t)layers * n_slots * c->n_head_kv, n;
    if (__builtin_mul_overflow(per_token * c->head_dim, (size_t)capacity, &n))
        return stac_fail(err, STAC_ERR_MEMORY, "a cache of %d sequences of %d tokens", n_slots, capacity);
    STAC_TRY_DONE(STAC_NEW(c->length, n_slots, "the cache", err));
    if (c->int8) {
        STAC_TRY_DONE(STAC_DEVICE_NEW(c->device, c->qk, n, "the cache of keys", err));
        STAC_TRY_DONE(STAC_DEVICE_NEW(c->device, c->qv, n, "the cache of values", err));
        STAC_TRY_DONE(STAC_DEVICE_NEW(c->device, c->k_scale, per_token * capacity, "the cache of keys", err));
    } else {
        STAC_TRY_DONE(STAC_DEVICE_NEW(c->device, c->k, n, "the cache of keys", err));
        STAC_TRY_DONE(STAC_DEVICE_NEW(c->device, c->v, n, "the cache of values", err));
    }
done:
    if (status != STAC_OK) stac_cache_clean(c);
    return status;
}

void stac_cache_clean(struct stac_cache *c) {
    free(c->length);
    stac_device_release(c->device, c->k);
    stac_device_release(c->device, c->v);
    stac_device_release(c->device, c->qk);
    stac_device_release(c->device, c->qv);
    stac_device_release(c->device, c->k_scale);
    *c = (struct stac_cache){0};
}

double stac_cache_bytes(const struct stac_network *net, int n_slots, int capacity) {
    double tokens = (double)(net->last - net->first) * n_slots * capacity * net->hp.n_head_kv;
    return tokens *
           (stac_network_keeps_int8(net) ? 2.0 * net->hp.head_dim + sizeof(float) : 2.0 * sizeof(float) * net->hp.head_dim);
}

void stac_cache_reset(struct stac_cache *c, int slot) {
    for (int s = 0; s < c->n_slots; s++)
        if (slot < 0 || s == slot) c->length[s] = 0;
}

size_t stac_cache_offset(const struct stac_cache *c, int layer, int slot, int head) {
    return (((size_t)layer * c->n_slots + slot) * c->n_head_kv + head) * c->head_dim * c->capacity;
}

static void store_float(struct stac_cache *c, size_t at_k, size_t at_v, const float *k, const float *v) {
    for (int i = 0; i < c->head_dim; i++) c->k[at_k + (size_t)i * c->capacity] = k[i];
    memcpy(c->v + at_v, v, (size_t)c->head_dim * sizeof(float));
}

/* What is not a number counts as 0. */
static int8_t clamp_int8(float x) {
    float r = rintf(x);
    return (int8_t)(r > 127 ? 127 : r < -127 ? -127 : r == r ? r : 0);
}

static void store_int8(struct stac_cache *c, size_t at_k, size_t at_v, const float *k, const float *k_mean, const float *v,
                       const float *v_scale, float *k_scale, const struct stac_kernels *kernels) {
    float centred[1024]; /* head_dim is at most 1024: checked when a model is opened */
    int8_t q[1024];
    for (int i = 0; i < c->head_dim; i++) centred[i] = k[i] - k_mean[i];
    *k_scale = kernels->quantise(c->head_dim, centred, q);
    for (int i = 0; i < c->head_dim; i++) {
        c->qk[at_k + (size_t)i * c->capacity] = q[i];
        c->qv[at_v + (size_t)i] = clamp_int8(v[i] / v_scale[i]);
    }
}

void stac_cache_store(struct stac_cache *c, int layer, int slot, int at, const float *k, const float *v,
                      const struct stac_block *block, const struct stac_kernels *kernels) {
    for (int h = 0; h < c->n_head_kv; h++) {
        size_t to = stac_cache_offset(c, layer, slot, h), from = (size_t)h * c->head_dim;
        size_t at_k = to + (size_t)at, at_v = to + (size_t)at * c->head_dim;
        if (c->int8)
            store_int8(c, at_k, at_v, k + from, block->k_mean + from, v + from, block->v_scale + from,
                       &c->k_scale[to / (size_t)c->head_dim + (size_t)at], kernels);
        else
            store_float(c, at_k, at_v, k + from, v + from);
    }
}
