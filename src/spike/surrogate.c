#include "spike/surrogate.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

double stac_surrogate_slope(const struct stac_surrogate *s, double z) {
    double a = s->alpha, u;
    switch (s->kind) {
    case STAC_SURROGATE_ATAN: u = pi * a * z / 2; return a / 2 / (1 + u * u);
    case STAC_SURROGATE_SIGMOID: u = exp(-fabs(a * z)); return a * u / ((1 + u) * (1 + u));
    default: u = a * z / 1.62; return a / 1.62 / sqrt(2 * pi) * exp(-u * u / 2);
    }
}
