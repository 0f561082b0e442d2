/* Reproducible random numbers: splitmix64, a counter hashed to 64 bits, so a seed alone fixes the sequence.
 * Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
#ifndef STAC_BASE_RANDOM_H
#define STAC_BASE_RANDOM_H

#include <stdint.h>

struct stac_random {
    uint64_t state;
};

/* A generator for stream `stream` of `seed`: different streams are independent for all practical purposes. */
struct stac_random stac_random_seeded(uint64_t seed, uint64_t stream);
uint64_t stac_random_u64(struct stac_random *r);

/* Uniform in [0, 1) with 53 bits; standard normal by the Box-Muller formula. */
double stac_random_uniform(struct stac_random *r);
double stac_random_normal(struct stac_random *r);

#endif
