/* Messages between devices: see struct stac_device_net in kernels/device.h. */
#ifndef STAC_KERNELS_CUDA_NET_CUH
#define STAC_KERNELS_CUDA_NET_CUH

#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

extern const struct stac_device_net stac_cuda_net;

/* Wait for a stream, and for no message that will not arrive; the reason of a failure, or NULL. */
const char *stac_cuda_wait(cudaStream_t stream);

/* Why messages that were begun will not arrive, or NULL. */
const char *stac_cuda_net_failure(void);

#endif
