/* Keys and values of the tokens that sequences have read, for a range of layers.
 *
 * A slot is one sequence. Keys lie transposed, [head_dim][capacity], and values as rows, [capacity][head_dim], so both
 * attention products are products of the ordinary kind and a spike adds one contiguous row. Float for a dense network;
 * int8 for a spiking one: keys, less the network's mean, with a scale per token and head, values with the network's static
 * scale per channel. */
#ifndef STAC_NET_CACHE_H
#define STAC_NET_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/network.h"

struct stac_cache {
    int n_slots, capacity; /* sequences; tokens of each */
    int n_layers, n_head_kv, head_dim;
    bool int8;
    const struct stac_device *device; /* whose memory the following are in; borrowed, NULL: the host */
    int *length;                      /* [n_slots] tokens held; the host's */
    float *k, *v;                     /* float: [n_layers][n_slots][n_head_kv][head_dim * capacity] */
    int8_t *qk, *qv;                  /* int8: the same shape */
    float *k_scale;                   /* int8: [n_layers][n_slots][n_head_kv][capacity] */
};

/* Empty slots for a network. Bytes grow with n_slots * capacity * layers * kv width. */
int stac_cache_init(struct stac_cache *c, const struct stac_network *net, int n_slots, int capacity, struct stac_error *err);
void stac_cache_clean(struct stac_cache *c);

/* Forget a sequence; slot -1: all of them. */
void stac_cache_reset(struct stac_cache *c, int slot);

/* Offset of the block of one layer (counted from the network's first), slot and head, in elements of k or v; divided by
 * head_dim it is the offset in k_scale. */
size_t stac_cache_offset(const struct stac_cache *c, int layer, int slot, int head);

/* Bytes that such a cache takes on its device. */
double stac_cache_bytes(const struct stac_network *net, int n_slots, int capacity);

/* On the processor: store key and value rows [n_head_kv * head_dim] of one token at index `at` of a slot. Int8: in the scales
 * of the block, keys without its k_mean. */
void stac_cache_store(struct stac_cache *c, int layer, int slot, int at, const float *k, const float *v,
                      const struct stac_block *block, const struct stac_kernels *kernels);

#endif
