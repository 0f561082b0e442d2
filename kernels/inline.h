/* Functions of headers that CUDA kernels use too. */
#ifndef STAC_KERNELS_INLINE_H
#define STAC_KERNELS_INLINE_H

#ifdef __CUDACC__
#define STAC_INLINE static inline __host__ __device__
#else
#define STAC_INLINE static inline
#endif

#endif
