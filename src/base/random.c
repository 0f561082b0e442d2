#include "base/random.h"

#include <math.h>

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t stac_random_u64(struct stac_random *r) {
    r->state += 0x9e3779b97f4a7c15u;
    return mix(r->state);
}

struct stac_random stac_random_seeded(uint64_t seed, uint64_t stream) {
    return (struct stac_random){mix(mix(seed + 0x9e3779b97f4a7c15u) ^ (stream * 0xd1342543de82ef95u + 1))};
}

double stac_random_uniform(struct stac_random *r) {
    return (double)(stac_random_u64(r) >> 11) * 0x1p-53;
}

double stac_random_normal(struct stac_random *r) {
    double u = 1.0 - stac_random_uniform(r); /* in (0, 1] */
    double v = stac_random_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}
