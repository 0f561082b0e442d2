/* A network on a device: the same structure, whose arrays are in the device's memory. Only what
 * the forward pass needs is there: of codes means, thresholds and words. */
#ifndef STAC_NET_PLACED_H
#define STAC_NET_PLACED_H

#include "base/log.h"
#include "net/network.h"

/* A copy of `host` on a device. It borrows from `host`, which must outlive it; stac_network_clean releases it. `streams`: there
 * is room for one block, which stac_network_bring puts there. */
int stac_network_place(const struct stac_network *host, const struct stac_device *device, bool streams,
                       struct stac_network *out, struct stac_error *err);

/* Block `layer` (counted from the first one here) of a network that is streamed, as it now is on the host, behind all operators so
 * far. Nothing where it is the one that was brought last: a block that changes on the host is not run again before its network is
 * placed anew. */
int stac_network_bring(const struct stac_network *net, int layer, struct stac_error *err);

/* Bytes that it takes there. */
size_t stac_network_placed_bytes(const struct stac_network *host, bool streams);

/* Whether it has to be streamed there so that `besides` bytes are left; the plan is told to people. */
bool stac_network_must_stream(const struct stac_network *host, const struct stac_device *device, double besides,
                              const struct stac_log *log);

#endif
