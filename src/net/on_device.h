/* A run on a device beside the processor: inside of the forward pass. The operators are the device's; what the host must know
 * of a batch, and what is counted there, goes to and fro once for a batch. */
#ifndef STAC_NET_ON_DEVICE_H
#define STAC_NET_ON_DEVICE_H

#include "net/run.h"

int stac_on_device_init(struct stac_run *run, struct stac_error *err);
/* Bytes that it takes there besides what every run has. */
double stac_on_device_bytes(const struct stac_network *net, enum stac_mode mode, int capacity, int max_rows);
void stac_on_device_clean(struct stac_run *run);

/* Rotary positions of the host once more, on the device. */
int stac_on_device_angles(struct stac_run *run, struct stac_error *err);

/* The batch goes there; its counts come back, behind all that was computed. */
int stac_on_device_begin(struct stac_run *run, struct stac_error *err);
int stac_on_device_end(struct stac_run *run, struct stac_error *err);

/* Counts of a pass of ST-BIF+ neurons, of which a batch takes several. */
int stac_on_device_step(struct stac_run *run, struct stac_error *err);

/* Keys and values of the batch into the cache of a layer, and its attention; as stac_attention. */
int stac_on_device_attend(struct stac_run *run, int layer, const float *qkv, float *out, struct stac_error *err);

/* Logits of n normalised rows in run->normed, to the host; NULL: the probe sees the rows. They are those from `first` on of the
 * batch. */
int stac_on_device_head(struct stac_run *run, int first, int n, float *logits, struct stac_error *err);

/* A token drawn after each of the first n rows of the batch, normalised in run->normed; their logits stay there. */
int stac_on_device_draw(struct stac_run *run, int n, double temperature, const double *u, int32_t *token,
                        struct stac_error *err);

#endif
