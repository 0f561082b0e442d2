#include "spike/step_weights.h"

#include <math.h>
#include <string.h>

enum { MAX_BITS = 10 };

/* ---- geometric ---------------------------------------------------------------------------------------------------- */

/* Weights from the mantissas of the classes. */
static void spread_geometric(struct stac_code *code) {
    int n = code->base.n_classes, last_round = (code->timesteps - 1) / n;
    for (int t = 0; t < code->timesteps; t++)
        code->weight[t] = code->mantissa[t % n] << (code->base.shift * (last_round - t / n));
}

static void set_geometric(struct stac_code *code, int bits) {
    int n = code->base.n_classes;
    for (int c = 0; c < n; c++) code->mantissa[c] = (int32_t)lrint(exp2(bits - (double)c * code->base.shift / n));
    spread_geometric(code);
}

/* Value of the longest word that an outlier may get. */
static int largest_sum(const struct stac_code *code) {
    int sum = 0;
    for (int t = 0; t < code->timesteps && t < STAC_MAX_SPIKES; t++) sum += code->weight[t];
    return sum;
}

/* The finest mantissas that keep every word <= max_integer. False when not even the coarsest do. */
static bool fit_geometric(struct stac_code *code, int max_integer) {
    int n = code->base.n_classes, octaves = code->base.shift * ((code->timesteps - 1) / n);
    int fewest = n == 1 ? 0 : (int)ceil(log2(n)) + 1; /* neighbouring classes must differ */
    if (octaves > 14) return false;
    for (int bits = MAX_BITS; bits >= fewest; bits--) {
        set_geometric(code, bits);
        if (largest_sum(code) <= max_integer) return true;
    }
    return false;
}

/* ---- ramps -------------------------------------------------------------------------------------------------------- */

/* Weights of a ramp from its mantissas. */
static void spread_ramp(struct stac_code *code) {
    int heavy = code->base.heavy, slope = code->mantissa[heavy], bend = code->mantissa[heavy + 1];
    for (int t = 0; t < code->timesteps; t++) {
        int u = code->timesteps - t;
        code->weight[t] = t < heavy ? code->mantissa[t] : slope * u + bend * (u * (u + 1) / 2);
    }
}

/* Mantissas and weights of a ramp with that bend; without one the ramp is even, and its slope 1. False: it has no slope. */
static bool set_ramp(struct stac_code *code, int bend) {
    struct stac_base base = code->base;
    int n = code->timesteps - base.heavy, slope = bend == 0 ? 1 : (int)lrint(bend * (50.0 * n / base.curve - 0.5));
    double top = slope * n + bend * (n * (n + 1) / 2.0);
    if (n < 2 || slope < 1) return false;
    for (int t = base.heavy - 1; t >= 0; t--) {
        top *= base.ratio / 100.0;
        code->mantissa[t] = (int32_t)lrint(fmin(top, INT16_MAX));
    }
    code->mantissa[base.heavy] = slope;
    code->mantissa[base.heavy + 1] = bend;
    spread_ramp(code);
    return true;
}

enum { FINEST_BEND = 8 };

/* The finest ramp that keeps every word <= max_integer; even ones are for integers of 8 bits. */
static bool fit_ramp(struct stac_code *code, int max_integer) {
    int coarsest = max_integer > INT8_MAX;
    for (int bend = FINEST_BEND;; bend /= 2) {
        if (!set_ramp(code, bend)) return false;
        if (largest_sum(code) <= max_integer) return true;
        if (bend == coarsest) return false;
    }
}

/* ---- any ---------------------------------------------------------------------------------------------------------- */

bool stac_step_weights_of_base(struct stac_code *code, struct stac_base base, int max_integer) {
    code->base = base;
    if (base.curve > 0) return fit_ramp(code, max_integer);
    return (base.n_classes == 1 || base.n_classes <= code->timesteps) && fit_geometric(code, max_integer);
}

bool stac_step_weights_of_ratio(struct stac_code *code, double ratio, int max_integer) {
    code->base = (struct stac_base){0};
    for (double scale = 1 << 14; scale >= 1; scale /= 2) {
        int64_t sum = 0;
        double power = scale;
        bool vanished = false;
        for (int t = 0; t < code->timesteps; t++, power *= ratio) {
            code->weight[t] = (int32_t)fmin(rint(power), 1 << 20);
            sum += code->weight[t];
            vanished = vanished || code->weight[t] < 1;
        }
        if (sum <= max_integer) return !vanished;
    }
    return false;
}

/* A ramp has a slope and a bend, and weights that fall and are integers of 16 bits. */
static int check_ramp(struct stac_code *code, struct stac_error *err) {
    struct stac_base base = code->base;
    if (code->timesteps - base.heavy < 2 || (base.heavy > 0) != (base.ratio > 0))
        return stac_fail(err, STAC_ERR_INPUT, "a ramp of %d steps below %d heavy ones of ratio %d",
                         code->timesteps - base.heavy, base.heavy, base.ratio);
    for (int i = 0; i < stac_base_factors(base); i++)
        if (code->mantissa[i] < (i == base.heavy + 1 ? 0 : 1) || code->mantissa[i] > INT16_MAX)
            return stac_fail(err, STAC_ERR_INPUT, "mantissa %d is %d", i, code->mantissa[i]);
    spread_ramp(code);
    for (int t = 0; t < code->timesteps; t++)
        if (code->weight[t] > INT16_MAX || (t > 0 && code->weight[t] >= code->weight[t - 1]))
            return stac_fail(err, STAC_ERR_INPUT, "the weight of step %d is %d", t, code->weight[t]);
    return STAC_OK;
}

int stac_step_weights_of_mantissas(struct stac_code *code, struct stac_error *err) {
    if (code->base.curve > 0) return check_ramp(code, err);
    int n = code->base.n_classes, shift = code->base.shift, last_round = (code->timesteps - 1) / n;
    if (shift * last_round > 14) return stac_fail(err, STAC_ERR_INPUT, "%d shifts of %d", last_round, shift);
    for (int c = 0; c < n; c++)
        if (code->mantissa[c] < 1 || code->mantissa[c] > 1 << MAX_BITS)
            return stac_fail(err, STAC_ERR_INPUT, "mantissa %d is %d", c, code->mantissa[c]);
    spread_geometric(code);
    return STAC_OK;
}

#define GEOMETRIC(n, s)                                                                                                        \
    { .n_classes = (n), .shift = (s) }
#define RAMP(h, c, r)                                                                                                          \
    { .heavy = (h), .curve = (c), .ratio = (r) }

static const struct stac_base bases[] = {
    GEOMETRIC(1, 1),  GEOMETRIC(3, 2),  GEOMETRIC(2, 1),  GEOMETRIC(3, 1),  GEOMETRIC(4, 1),  GEOMETRIC(6, 1),
    GEOMETRIC(8, 1),  GEOMETRIC(12, 1), GEOMETRIC(16, 1), RAMP(0, 20, 0),   RAMP(0, 35, 0),   RAMP(0, 60, 0),
    RAMP(1, 10, 200), RAMP(1, 20, 200), RAMP(1, 20, 250), RAMP(1, 35, 200), RAMP(2, 20, 160), RAMP(2, 35, 160),
};

const struct stac_base *stac_bases(int *n) {
    *n = (int)(sizeof bases / sizeof *bases);
    return bases;
}

struct stac_effort stac_step_weights_effort(const struct stac_code *code) {
    int factors = stac_base_factors(code->base), n = factors ? factors : code->timesteps, steps = code->timesteps;
    const struct stac_base base = code->base;
    const int32_t *factor = factors ? code->mantissa : code->weight;
    bool even = base.curve > 0 && code->mantissa[base.heavy + 1] == 0;
    if (base.n_classes > steps) n = steps;
    if (even) n--;
    struct stac_effort e = {0, n - 1, 0};
    if (code->kind == STAC_CODE_INTEGER) return (struct stac_effort){0}; /* its multiplications are the product itself */
    for (int i = 0; i < n; i++) e.multiplies += (factor[i] & (factor[i] - 1)) != 0;
    if (base.curve > 0) e.sums += (even ? 1 : 2) * (steps - base.heavy);
    if (base.shift > 0 && steps > base.n_classes) e.shifts = steps - base.n_classes;
    return e;
}
