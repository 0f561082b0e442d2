/* A network on a device: the same structure, whose arrays are in the device's memory. Only what
 * the forward pass needs is there: of codes means, thresholds and words. */
#ifndef STAC_NET_PLACED_H
#define STAC_NET_PLACED_H

#include "net/network.h"

/* A copy of `host` on a device. It borrows from `host`, which must outlive it; stac_network_clean releases it. */
int stac_network_place(const struct stac_network *host, const struct stac_device *device, struct stac_network *out,
                       struct stac_error *err);

/* Bytes that it takes there. */
size_t stac_network_placed_bytes(const struct stac_network *host);

#endif
