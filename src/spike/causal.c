#include "spike/causal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "spike/step_weights.h"
#include "spike/ternary.h"

/* ---- thresholds by dynamic programming ---------------------------------------------------------------------------- */

/* Membranes |v| fall into cells that widen with |v|: node i lies at (i / cells)^2 of the largest. */
enum { CELLS = 1024, COUNTS = STAC_MAX_SPIKES };

/* How closely a search looks. */
struct effort {
    int bins, cells, sweeps; /* bins of the histogram that are taken together */
};
static const struct effort quick = {4, 256, 2}, thorough = {1, CELLS, 8};

/* The problem, in integers: values x with their shares, step weights, price of a spike. */
struct causal_search {
    struct effort effort;
    int timesteps, n;
    float *x, *share; /* [n] */
    float w[STAC_MAX_TIMESTEPS];
    float lambda, largest;      /* squared integers a spike; largest membrane */
    float *arrive;              /* [timesteps][COUNTS][CELLS] share of the values whose membrane arrives there */
    float *value, *later;       /* [COUNTS + 1][CELLS + 1] V_t and V_{t+1} at the nodes */
    float (*threshold)[COUNTS]; /* [timesteps] */
};

static void search_clean(struct causal_search *s) {
    free(s->x);
    free(s->share);
    free(s->arrive);
    free(s->value);
    free(s->later);
}

static int search_init(struct causal_search *s, int timesteps, struct stac_error *err) {
    int status = STAC_OK;
    *s = (struct causal_search){.timesteps = timesteps};
    STAC_TRY_DONE(STAC_NEW(s->x, STAC_BINS, "values", err));
    STAC_TRY_DONE(STAC_NEW(s->share, STAC_BINS, "values", err));
    STAC_TRY_DONE(STAC_NEW(s->arrive, (size_t)timesteps * COUNTS * CELLS, "membranes", err));
    STAC_TRY_DONE(STAC_NEW(s->value, (COUNTS + 1) * (CELLS + 1), "membranes", err));
    STAC_TRY_DONE(STAC_NEW(s->later, (COUNTS + 1) * (CELLS + 1), "membranes", err));
done:
    if (status != STAC_OK) search_clean(s);
    return status;
}

/* Values of a histogram at a unit. */
static void take_values(struct causal_search *s, const struct stac_histogram *h, double unit) {
    double total = stac_histogram_total(h);
    s->n = 0;
    for (int i = 0; i < STAC_BINS; i += s->effort.bins) {
        double count = 0, sum = 0;
        for (int k = i; k < i + s->effort.bins; k++) {
            count += (double)h->count[k];
            sum += (double)h->count[k] * stac_histogram_centre(h, k);
        }
        if (!(count > 0)) continue;
        s->x[s->n] = (float)(sum / count / unit);
        s->share[s->n] = (float)(count / total);
        s->largest = fmaxf(s->largest, s->x[s->n++]);
    }
}

/* A problem, and the thresholds of a greedy neuron: a step fires when that pays at once. */
static void search_begin(struct causal_search *s, const struct stac_histogram *h, const struct stac_code *code, double unit,
                         double lambda, float threshold[][COUNTS]) {
    s->lambda = (float)(lambda / (unit * unit));
    s->largest = (float)code->weight[0];
    take_values(s, h, unit);
    for (int t = 0; t < s->timesteps; t++) {
        float w = s->w[t] = (float)code->weight[t], next = t + 1 < s->timesteps ? (float)code->weight[t + 1] : 0;
        for (int n = 0; n < COUNTS; n++) threshold[t][n] = fmaxf(0.5f * (w + next), 0.5f * w + s->lambda / (2 * w));
    }
}

static float place_of(const struct causal_search *s, float membrane) {
    float at = sqrtf(membrane / s->largest) * (float)s->effort.cells;
    return fminf(at, (float)s->effort.cells);
}

static float node(const struct causal_search *s, float i) {
    float at = i / (float)s->effort.cells;
    return s->largest * at * at;
}

static float later_cost(const struct causal_search *s, int count, float membrane) {
    float at = place_of(s, membrane);
    int last = s->effort.cells - 1, i = at < (float)last ? (int)at : last;
    const float *v = s->later + count * (CELLS + 1) + i;
    return v[0] + (v[1] - v[0]) * (at - (float)i);
}

/* All values through the neuron as it is: cost, and with `record` where the membranes arrive. */
static struct stac_code_cost run_forwards(struct causal_search *s, bool record) {
    struct stac_code_cost cost = {0, 0};
    if (record) /* a trace everywhere, so that states that no value meets get sensible thresholds too */
        for (int i = 0; i < s->timesteps * COUNTS * CELLS; i++) s->arrive[i] = 1e-9f;
    for (int i = 0; i < s->n; i++) {
        float u = s->x[i];
        int n = 0;
        for (int t = 0; t < s->timesteps && n < COUNTS; t++) {
            if (record)
                s->arrive[(t * COUNTS + n) * CELLS + (int)fminf(place_of(s, u), (float)s->effort.cells - 1)] += s->share[i];
            if (u >= s->threshold[t][n]) u = fabsf(u - s->w[t]), n++;
        }
        cost.distortion += (double)s->share[i] * (double)(u * u);
        cost.spikes += (double)s->share[i] * n;
    }
    return cost;
}

/* The best threshold at step t after n spikes: above it, firing costs less than silence, summed over what arrives. */
static float best_threshold(const struct causal_search *s, int t, int n) {
    const float *arrive = s->arrive + (t * COUNTS + n) * CELLS;
    double sum = 0, least = 0;
    int cells = s->effort.cells, from = cells;
    for (int i = cells - 1; i >= 0; i--) {
        float u = node(s, (float)i + 0.5f);
        sum += (double)arrive[i] * (double)(s->lambda + later_cost(s, n + 1, fabsf(u - s->w[t])) - later_cost(s, n, u));
        if (sum < least) least = sum, from = i;
    }
    return from == cells ? INFINITY : from == 0 ? node(s, 0.5f) : node(s, (float)from);
}

static void sweep_backwards(struct causal_search *s) {
    int cells = s->effort.cells;
    for (int n = 0; n <= COUNTS; n++)
        for (int i = 0; i <= cells; i++) s->later[n * (CELLS + 1) + i] = node(s, (float)i) * node(s, (float)i);
    for (int t = s->timesteps - 1; t >= 0; t--) {
        for (int n = 0; n < COUNTS; n++) {
            float threshold = s->threshold[t][n] = best_threshold(s, t, n);
            for (int i = 0; i <= cells; i++) {
                float u = node(s, (float)i);
                s->value[n * (CELLS + 1) + i] =
                    u >= threshold ? s->lambda + later_cost(s, n + 1, fabsf(u - s->w[t])) : s->later[n * (CELLS + 1) + i];
            }
        }
        for (int i = 0; i <= cells; i++) s->value[COUNTS * (CELLS + 1) + i] = node(s, (float)i) * node(s, (float)i);
        float *swap = s->later;
        s->later = s->value;
        s->value = swap;
    }
}

/* The best thresholds at one base and unit; *price is what is paid for a value. */
static struct stac_code_cost find_thresholds(struct causal_search *s, float best[][COUNTS]) {
    float threshold[STAC_MAX_TIMESTEPS][COUNTS];
    struct stac_code_cost cost = {INFINITY, 0};
    s->threshold = best;
    for (int sweep = 0; sweep < s->effort.sweeps; sweep++) {
        struct stac_code_cost c = run_forwards(s, true);
        double gain = cost.distortion + (double)s->lambda * cost.spikes - c.distortion - (double)s->lambda * c.spikes;
        if (!(gain > 0)) break;
        cost = c;
        for (int t = 0; t < s->timesteps; t++)
            for (int n = 0; n < COUNTS; n++) best[t][n] = s->threshold[t][n], threshold[t][n] = best[t][n];
        if (gain < 1e-4 * (cost.distortion + (double)s->lambda * cost.spikes)) break;
        s->threshold = threshold;
        sweep_backwards(s);
    }
    return cost;
}

/* ---- base and unit ------------------------------------------------------------------------------------------------ */

/* What a search over bases and units has found. */
struct causal_best {
    double price;
    int base;   /* index into the bases */
    double top; /* value of the heaviest step */
    struct stac_recipe recipe;
    struct stac_code_cost cost;
};

struct causal_problem {
    const struct stac_histogram *h;
    double lambda;
    int max_integer;
    bool geometric;
    struct causal_search search;
};

/* Try a base with the heaviest step worth `top`. */
static void try_top(struct causal_problem *p, int index, double top, struct causal_best *best) {
    int n;
    const struct stac_base *base = stac_bases(&n);
    struct stac_code code = {.timesteps = p->search.timesteps};
    if (index < 0 || index >= n || (p->geometric && base[index].curve > 0) ||
        !stac_step_weights_of_base(&code, base[index], p->max_integer))
        return;
    struct stac_recipe r = {.neuron = STAC_NEURON_CAUSAL,
                            .base = base[index],
                            .most = COUNTS,
                            .unit = (float)(top / code.weight[0])};
    search_begin(&p->search, p->h, &code, r.unit, p->lambda, r.threshold);
    struct stac_code_cost cost = find_thresholds(&p->search, r.threshold);
    cost.distortion *= r.unit * r.unit;
    double price = cost.distortion + p->lambda * cost.spikes;
    if (price < best->price) *best = (struct causal_best){price, index, top, r, cost};
}

enum { STEEP = 3 }; /* the first bases, which fall fastest */

/* Around what is best for a table, for a neuron that decides early wants coarser steps and more spikes; and among the steep
 * bases up to four times as high, for words of four spikes let a table do with flat and low steps that such a neuron cannot
 * use. */
static void search_bases(struct causal_problem *p, int index, double top, struct causal_best *best) {
    p->search.effort = quick;
    for (int i = 0; i <= index + 2; i++)
        for (int step = -6; step <= (i < STEEP ? 15 : 3); step += 3)
            if (i < STEEP || i >= index - 3) try_top(p, i, top * exp2(step / 8.0), best);
    for (int stride = 2; stride >= 1; stride--) {
        struct causal_best centre = *best;
        for (int sign = -1; sign <= 1; sign += 2) try_top(p, centre.base, centre.top * exp2(sign * stride / 16.0), best);
    }
    struct causal_best centre = *best;
    best->price = INFINITY;
    p->search.effort = thorough;
    try_top(p, centre.base, centre.top, best);
}

int stac_causal_design(const struct stac_histogram *h, int timesteps, double lambda, int max_integer, bool geometric,
                       struct stac_recipe *out, struct stac_code_cost *cost, struct stac_error *err) {
    struct stac_code table = {0};
    struct causal_problem p = {.h = h, .lambda = lambda, .max_integer = max_integer, .geometric = geometric};
    struct causal_best best = {.price = INFINITY};
    int n, at = 0;
    const struct stac_base *base = stac_bases(&n);
    STAC_TRY(stac_ternary_design(&table, h, timesteps, lambda, max_integer, geometric, NULL, err));
    double top = (double)table.unit * table.weight[0];
    while (at < n && memcmp(&base[at], &table.base, sizeof *base) != 0) at++;
    stac_code_clean(&table);
    STAC_TRY(search_init(&p.search, timesteps, err));
    search_bases(&p, at, top, &best);
    search_clean(&p.search);
    if (!(best.price < INFINITY)) return stac_fail(err, STAC_ERR_INTERNAL, "no thresholds for a causal neuron");
    *out = best.recipe;
    *cost = best.cost;
    return STAC_OK;
}
