#include "spike/surrogate.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

double stac_surrogate_step(const struct stac_surrogate *s, double z) {
    double u = s->alpha * z;
    switch (s->kind) {
    case STAC_SURROGATE_ATAN: return 0.5 + atan(pi / 2 * u) / pi;
    case STAC_SURROGATE_SIGMOID: return 1 / (1 + exp(-u));
    default: return 0.5 * erfc(-u / 1.62 / sqrt(2));
    }
}
