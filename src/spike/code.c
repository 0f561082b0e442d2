#include "spike/code.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "spike/moments.h"

/* A word with its integer value, before the price decides whether it becomes a level. */
struct candidate {
    int32_t value;
    int32_t spikes;
    struct stac_word word;
};

enum { MAX_BITS = 10 };

/* ---- step weights ------------------------------------------------------------------------------------------------- */

static void set_weights(struct stac_code *code, int bits) {
    int n = code->base.n_classes, last_round = (code->timesteps - 1) / n;
    for (int c = 0; c < n; c++) code->mantissa[c] = (int32_t)lrint(exp2(bits - (double)c * code->base.shift / n));
    for (int t = 0; t < code->timesteps; t++)
        code->weight[t] = code->mantissa[t % n] << (code->base.shift * (last_round - t / n));
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
    if (octaves > 14) return 0;
    for (int bits = MAX_BITS; bits >= fewest; bits--) {
        set_weights(code, bits);
        if (largest_sum(code) <= max_integer) return 1;
    }
    return 0;
}

/* Weights of a ramp from its mantissas. */
static void spread_ramp(struct stac_code *code) {
    int heavy = code->base.heavy, slope = code->mantissa[heavy], bend = code->mantissa[heavy + 1];
    for (int t = 0; t < code->timesteps; t++) {
        int u = code->timesteps - t;
        code->weight[t] = t < heavy ? code->mantissa[t] : slope * u + bend * (u * (u + 1) / 2);
    }
}

/* Mantissas and weights of a ramp with that bend. False: it has no slope. */
static bool set_ramp(struct stac_code *code, int bend) {
    struct stac_base base = code->base;
    int n = code->timesteps - base.heavy, slope = (int)lrint(bend * (50.0 * n / base.curve - 0.5));
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

/* The finest ramp that keeps every word <= max_integer. */
static bool fit_ramp(struct stac_code *code, int max_integer) {
    for (int bend = FINEST_BEND; bend >= 1; bend /= 2) {
        if (!set_ramp(code, bend)) return false;
        if (largest_sum(code) <= max_integer) return true;
    }
    return false;
}

bool stac_code_set_base(struct stac_code *code, struct stac_base base, int max_integer) {
    code->base = base;
    if (base.curve > 0) return fit_ramp(code, max_integer);
    return (base.n_classes == 1 || base.n_classes <= code->timesteps) && fit_geometric(code, max_integer);
}

bool stac_code_set_ratio(struct stac_code *code, double ratio, int max_integer) {
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

int64_t stac_code_reach(const struct stac_code *code) {
    int32_t left[STAC_MAX_TIMESTEPS];
    int64_t sum = 0;
    int n = code->kind == STAC_CODE_TERNARY || code->kind == STAC_CODE_ONE_SPIKE ? STAC_MAX_SPIKES : code->timesteps;
    memcpy(left, code->weight, sizeof left);
    for (int i = 0; i < n && i < code->timesteps; i++) { /* the n heaviest steps */
        int heaviest = 0;
        for (int t = 1; t < code->timesteps; t++) heaviest = left[t] > left[heaviest] ? t : heaviest;
        sum += left[heaviest];
        left[heaviest] = 0;
    }
    return sum > code->neuron.most && code->kind != STAC_CODE_INTEGER ? sum : code->neuron.most;
}

int stac_code_multiplies(const struct stac_code *code) {
    int factors = stac_base_factors(code->base), n = factors ? factors : code->timesteps, count = 0;
    const int32_t *factor = factors ? code->mantissa : code->weight;
    if (code->kind == STAC_CODE_INTEGER) return 0; /* its multiplications are the product itself */
    for (int i = 0; i < n; i++) count += (factor[i] & (factor[i] - 1)) != 0;
    return count;
}

/* ---- candidates --------------------------------------------------------------------------------------------------- */

static int by_value_then_spikes(const void *a, const void *b) {
    const struct candidate *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    if (x->spikes != y->spikes) return x->spikes - y->spikes;
    if (x->word.plus != y->word.plus) return x->word.plus < y->word.plus ? -1 : 1; /* total, so sorting is reproducible */
    return (x->word.minus > y->word.minus) - (x->word.minus < y->word.minus);
}

int32_t stac_code_value(const struct stac_code *code, struct stac_word word) {
    int32_t v = 0;
    for (int t = 0; t < code->timesteps; t++) v += code->weight[t] * ((int)(word.plus >> t & 1) - (int)(word.minus >> t & 1));
    return v;
}

static void add_candidate(const struct stac_code *code, struct candidate *list, int *n, uint64_t plus, uint64_t minus) {
    struct stac_word word = {plus, minus};
    list[(*n)++] = (struct candidate){stac_code_value(code, word), stac_word_spikes(word), word};
}

/* Where T is small, words of two spikes leave gaps anywhere; where values spread over octaves, between the heavy ones. */
int stac_code_ordinary(const struct stac_histogram *h, int timesteps) {
    return timesteps <= 10 || (timesteps <= 16 && h->logarithmic) ? 3 : 2;
}

static int most_candidates(int timesteps, int ordinary) {
    int n = timesteps + 1;
    return ordinary == 3 ? n * n * n : n * n;
}

/* Words of three spikes, the first of them positive. */
static void add_triples(const struct stac_code *code, struct candidate *list, int *n) {
    for (int a = 0; a < code->timesteps; a++)
        for (int b = a + 1; b < code->timesteps; b++)
            for (int c = b + 1; c < code->timesteps; c++)
                for (int signs = 0; signs < 4; signs++) {
                    uint64_t second = UINT64_C(1) << b, third = UINT64_C(1) << c;
                    add_candidate(code, list, n, UINT64_C(1) << a | (signs & 1 ? 0 : second) | (signs & 2 ? 0 : third),
                                  (signs & 1 ? second : 0) | (signs & 2 ? third : 0));
                }
}

/* All ordinary words and, for values beyond their reach, words that add a third or a fourth spike to the heaviest steps; the
 * cheapest for each value >= 0, ascending. Returns their number; `list` holds most_candidates. */
static int list_candidates(const struct stac_code *code, int ordinary, struct candidate *list) {
    int n = 0, steps = code->timesteps;
    add_candidate(code, list, &n, 0, 0);
    for (int a = 0; a < steps; a++) {
        uint64_t first = UINT64_C(1) << a;
        add_candidate(code, list, &n, first, 0);
        for (int b = a + 1; b < steps; b++) {
            add_candidate(code, list, &n, first | UINT64_C(1) << b, 0);
            add_candidate(code, list, &n, first, UINT64_C(1) << b);
        }
    }
    if (ordinary == 3) add_triples(code, list, &n);
    for (int heaviest = ordinary; heaviest < STAC_MAX_SPIKES; heaviest++)
        for (int c = heaviest; c < steps; c++)
            add_candidate(code, list, &n, ((UINT64_C(1) << heaviest) - 1) | UINT64_C(1) << c, 0);
    qsort(list, (size_t)n, sizeof *list, by_value_then_spikes);
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (list[i].value >= 0 && (kept == 0 || list[i].value != list[kept - 1].value)) list[kept++] = list[i];
    return kept;
}

/* ---- the hull ----------------------------------------------------------------------------------------------------- */

/* Where two words tie, in integers, at the price `lambda` in squared integers. */
static double tie(const struct candidate *low, const struct candidate *high, double lambda) {
    double a = low->value, b = high->value;
    return (b * b - a * a + lambda * (high->spikes - low->spikes)) / (2 * (b - a));
}

/* Indices of the words that win somewhere on x >= 0, and the thresholds between them. Returns their number. */
static int upper_hull(const struct candidate *list, int n, double lambda, int *chosen, double *threshold) {
    int kept = 0;
    for (int i = 0; i < n; i++) {
        while (kept > 1 && tie(&list[chosen[kept - 1]], &list[i], lambda) <= threshold[kept - 2]) kept--;
        if (kept) threshold[kept - 1] = tie(&list[chosen[kept - 1]], &list[i], lambda);
        chosen[kept++] = i;
    }
    return kept;
}

/* Mean squared error and spikes of a hull on a distribution; `unit` is the value of an integer. */
static struct stac_code_cost cost_of_hull(const struct candidate *list, const int *chosen, const double *threshold, int n,
                                          double unit, const struct stac_moments *m) {
    struct stac_code_cost cost = {0, 0};
    double total = m->count[STAC_BINS];
    for (int level = 0, from = 0; level < n && from < STAC_BINS; level++) {
        int to = level < n - 1 ? stac_histogram_rank(m->h, threshold[level] * unit) : STAC_BINS;
        if (to <= from) continue;
        double v = unit * list[chosen[level]].value, count = m->count[to] - m->count[from];
        cost.distortion += m->squares[to] - m->squares[from] - 2 * v * (m->sum[to] - m->sum[from]) + v * v * count;
        cost.spikes += list[chosen[level]].spikes * count;
        from = to;
    }
    if (total > 0) {
        cost.distortion /= total;
        cost.spikes /= total;
    }
    return cost;
}

/* ---- building ----------------------------------------------------------------------------------------------------- */

struct scratch {
    struct candidate *list;
    int *chosen;
    double *threshold;
};

static void scratch_clean(struct scratch *s) {
    free(s->list);
    free(s->chosen);
    free(s->threshold);
}

static int scratch_init(struct scratch *s, int timesteps, int ordinary, struct stac_error *err) {
    size_t n = (size_t)most_candidates(timesteps, ordinary);
    *s = (struct scratch){0};
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(s->list, n, "spike words", err));
    STAC_TRY_DONE(STAC_NEW(s->chosen, n, "spike words", err));
    STAC_TRY_DONE(STAC_NEW(s->threshold, n, "thresholds", err));
done:
    if (status != STAC_OK) scratch_clean(s);
    return status;
}

static int check_timesteps(int timesteps, struct stac_error *err) {
    if (timesteps >= 1 && timesteps <= STAC_MAX_TIMESTEPS) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE, "timesteps is %d; accepted are 1 to %d", timesteps, STAC_MAX_TIMESTEPS);
}

/* The table without branches: bin b starts at the number of thresholds whose own bin lies before b, computed with the
 * same float arithmetic as the lookup, so it never starts too high. */
static void fill_bins(struct stac_levels *levels, uint16_t *bin, int n_bins, float bins_per_unit) {
    int level = 0;
    for (int b = 0; b < n_bins; b++) {
        while (level < levels->n_levels - 1 && levels->threshold[level] * bins_per_unit < (float)b &&
               (int)(levels->threshold[level] * bins_per_unit) < b)
            level++;
        bin[b] = (uint16_t)level;
    }
    levels->bin = bin;
    levels->n_bins = n_bins;
    levels->bins_per_unit = bins_per_unit;
}

enum { LOOKUP_BINS = 4096 };

int stac_code_tabulate(struct stac_code *code, int n_levels, const struct stac_level *level, bool with_words,
                       struct stac_error *err) {
    float *threshold = NULL;
    int16_t *value = NULL;
    uint8_t *spikes = NULL;
    int32_t *emit = NULL;
    uint16_t *bin = NULL;
    int status = STAC_OK;
    code->n_levels = code->levels.n_levels = n_levels;
    if (with_words) STAC_TRY_DONE(STAC_NEW(code->word, n_levels, "a code", err));
    STAC_TRY_DONE(STAC_NEW(threshold, n_levels, "a code", err));
    code->levels.threshold = threshold;
    STAC_TRY_DONE(STAC_NEW(value, n_levels, "a code", err));
    code->levels.value = value;
    STAC_TRY_DONE(STAC_NEW(spikes, n_levels, "a code", err));
    code->levels.spikes = spikes;
    STAC_TRY_DONE(STAC_NEW(emit, n_levels, "a code", err));
    code->levels.emit = emit;
    STAC_TRY_DONE(STAC_NEW(bin, LOOKUP_BINS + 1, "a code", err));
    for (int i = 0; i < n_levels; i++) {
        value[i] = level[i].value;
        spikes[i] = level[i].spikes;
        emit[i] = value[i] | spikes[i] << 16;
        threshold[i] = i < n_levels - 1 ? level[i].threshold : INFINITY;
        if (with_words) code->word[i] = level[i].word;
    }
    float top = n_levels > 1 ? threshold[n_levels - 2] : 1.0f;
    fill_bins(&code->levels, bin, LOOKUP_BINS, (LOOKUP_BINS - 1) / top);
    return STAC_OK;
done:
    free(bin);
    stac_code_clean(code);
    return status;
}

static int finish_hull(struct stac_code *code, const struct scratch *s, int kept, struct stac_error *err) {
    struct stac_level *level;
    STAC_TRY(STAC_NEW(level, kept, "a code", err));
    for (int i = 0; i < kept; i++) {
        const struct candidate *c = &s->list[s->chosen[i]];
        level[i] = (struct stac_level){(float)s->threshold[i], (int16_t)c->value, (uint8_t)c->spikes, c->word};
    }
    int status = stac_code_tabulate(code, kept, level, true, err);
    free(level);
    return status;
}

int stac_code_build(struct stac_code *out, int timesteps, struct stac_base base, int ordinary, double unit, double lambda,
                    int max_integer, struct stac_error *err) {
    struct scratch s;
    STAC_TRY(check_timesteps(timesteps, err));
    *out = (struct stac_code){.timesteps = timesteps, .base = base, .unit = (float)unit};
    if (!stac_code_set_base(out, base, max_integer))
        return stac_fail(err, STAC_ERR_USAGE,
                         "step weights of base 2^(%d/%d), curve %d, with %d time steps need integers above %d", base.shift,
                         base.n_classes, base.curve, timesteps, max_integer);
    STAC_TRY(scratch_init(&s, timesteps, ordinary, err));
    int n = list_candidates(out, ordinary, s.list);
    int kept = upper_hull(s.list, n, lambda / (unit * unit), s.chosen, s.threshold);
    int status = finish_hull(out, &s, kept, err);
    scratch_clean(&s);
    return status;
}

/* ---- search ------------------------------------------------------------------------------------------------------- */

#define GEOMETRIC(n, s)                                                                                                        \
    { .n_classes = (n), .shift = (s) }
#define RAMP(h, c, r)                                                                                                          \
    { .heavy = (h), .curve = (c), .ratio = (r) }

static const struct stac_base bases[] = {
    GEOMETRIC(1, 1),  GEOMETRIC(3, 2),  GEOMETRIC(2, 1),  GEOMETRIC(3, 1),  GEOMETRIC(4, 1),  GEOMETRIC(6, 1),
    GEOMETRIC(8, 1),  GEOMETRIC(12, 1), GEOMETRIC(16, 1), RAMP(0, 20, 0),   RAMP(0, 35, 0),   RAMP(0, 60, 0),
    RAMP(1, 10, 200), RAMP(1, 20, 200), RAMP(1, 20, 250), RAMP(1, 35, 200), RAMP(2, 20, 160), RAMP(2, 35, 160),
};

const struct stac_base *stac_code_bases(int *n) {
    *n = (int)(sizeof bases / sizeof *bases);
    return bases;
}

struct best {
    double price; /* distortion + lambda * spikes */
    struct stac_base base;
    double top; /* value of the heaviest step */
    struct stac_code_cost cost;
};

/* Try one base with the heaviest step worth `top`. */
static void try_top(struct best *best, const struct stac_code *code, struct scratch *s, int n, const struct stac_moments *m,
                    double lambda, double top) {
    double unit = top / code->weight[0];
    int kept = upper_hull(s->list, n, lambda / (unit * unit), s->chosen, s->threshold);
    struct stac_code_cost cost = cost_of_hull(s->list, s->chosen, s->threshold, kept, unit, m);
    double price = cost.distortion + lambda * cost.spikes;
    if (price < best->price) *best = (struct best){price, code->base, top, cost};
}

int stac_code_design(struct stac_code *out, const struct stac_histogram *h, int timesteps, double lambda, int max_integer,
                     bool geometric, struct stac_code_cost *cost, struct stac_error *err) {
    struct scratch s;
    struct best best = {.price = INFINITY};
    struct stac_moments *m;
    STAC_TRY(check_timesteps(timesteps, err));
    STAC_TRY(STAC_NEW(m, 1, "a distribution", err));
    int ordinary = stac_code_ordinary(h, timesteps), status = scratch_init(&s, timesteps, ordinary, err);
    if (status != STAC_OK) {
        free(m);
        return status;
    }
    stac_moments_take(m, h);
    double reach = stac_histogram_quantile(h, 0.9999);
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        struct stac_code code = {.timesteps = timesteps};
        if (((geometric || h->logarithmic) && bases[i].curve > 0) || !stac_code_set_base(&code, bases[i], max_integer))
            continue;
        int n = list_candidates(&code, ordinary, s.list);
        struct best of_base = {.price = INFINITY};
        for (int step = -12; step <= 8; step++) /* quarter octaves around the reach of the values */
            try_top(&of_base, &code, &s, n, m, lambda, reach * exp2(step / 4.0));
        double centre = of_base.top;
        for (int step = -5; step <= 5; step++) try_top(&of_base, &code, &s, n, m, lambda, centre * exp2(step / 24.0));
        if (of_base.price < best.price) best = of_base;
    }
    scratch_clean(&s);
    free(m);
    if (!(best.price < INFINITY))
        return stac_fail(err, STAC_ERR_USAGE, "no code of %d time steps fits integers up to %d", timesteps, max_integer);
    *out = (struct stac_code){.timesteps = timesteps};
    stac_code_set_base(out, best.base, max_integer);
    if (cost) *cost = best.cost;
    return stac_code_build(out, timesteps, best.base, ordinary, best.top / out->weight[0], lambda, max_integer, err);
}

/* ---- files, cost, end --------------------------------------------------------------------------------------------- */

static int check_words(const struct stac_code *code, int n_levels, const struct stac_word *words, const float *thresholds,
                       struct stac_error *err) {
    int32_t last = -1;
    for (int i = 0; i < n_levels; i++) {
        uint64_t steps = code->timesteps == 64 ? UINT64_MAX : (UINT64_C(1) << code->timesteps) - 1;
        if ((words[i].plus | words[i].minus) & ~steps || words[i].plus & words[i].minus)
            return stac_fail(err, STAC_ERR_INPUT, "level %d has spikes after the last step, or two at one step", i);
        int32_t v = stac_code_value(code, words[i]);
        if (v <= last || v > INT16_MAX || (i == 0 && v != 0))
            return stac_fail(err, STAC_ERR_INPUT, "level %d is the integer %d, out of order", i, v);
        if (i < n_levels - 1 && !(thresholds[i] < INFINITY && thresholds[i] > (i ? thresholds[i - 1] : 0.0f)))
            return stac_fail(err, STAC_ERR_INPUT, "threshold %d is %g, out of order", i, (double)thresholds[i]);
        last = v;
    }
    return STAC_OK;
}

/* A ramp has a slope and a bend, and weights that fall and are integers of 16 bits. */
static int check_ramp(struct stac_code *code, struct stac_error *err) {
    struct stac_base base = code->base;
    if (code->timesteps - base.heavy < 2 || (base.heavy > 0) != (base.ratio > 0))
        return stac_fail(err, STAC_ERR_INPUT, "a ramp of %d steps below %d heavy ones of ratio %d",
                         code->timesteps - base.heavy, base.heavy, base.ratio);
    for (int i = 0; i < stac_base_factors(base); i++)
        if (code->mantissa[i] < 1 || code->mantissa[i] > INT16_MAX)
            return stac_fail(err, STAC_ERR_INPUT, "mantissa %d is %d", i, code->mantissa[i]);
    spread_ramp(code);
    for (int t = 0; t < code->timesteps; t++)
        if (code->weight[t] > INT16_MAX || (t > 0 && code->weight[t] >= code->weight[t - 1]))
            return stac_fail(err, STAC_ERR_INPUT, "the weight of step %d is %d", t, code->weight[t]);
    return STAC_OK;
}

int stac_code_spread_mantissas(struct stac_code *code, struct stac_error *err) {
    if (code->base.curve > 0) return check_ramp(code, err);
    int n = code->base.n_classes, shift = code->base.shift, last_round = (code->timesteps - 1) / n;
    if (shift * last_round > 14) return stac_fail(err, STAC_ERR_INPUT, "%d shifts of %d", last_round, shift);
    for (int c = 0; c < n; c++)
        if (code->mantissa[c] < 1 || code->mantissa[c] > 1 << MAX_BITS)
            return stac_fail(err, STAC_ERR_INPUT, "mantissa %d is %d", c, code->mantissa[c]);
    for (int t = 0; t < code->timesteps; t++) code->weight[t] = code->mantissa[t % n] << (shift * (last_round - t / n));
    return STAC_OK;
}

int stac_code_restore(struct stac_code *out, int timesteps, struct stac_base base, const int32_t *mantissa, float unit,
                      int n_levels, const struct stac_word *words, const float *thresholds, struct stac_error *err) {
    *out = (struct stac_code){.timesteps = timesteps, .base = base, .unit = unit};
    bool geometric = base.n_classes >= 1 && base.n_classes <= STAC_MAX_CLASSES && base.shift >= 1 && base.curve == 0 &&
                     base.heavy == 0 && base.ratio == 0;
    bool ramp = base.curve > 0 && base.heavy >= 0 && base.heavy <= STAC_MAX_HEAVY && base.n_classes == 0 && base.shift == 0;
    if (timesteps < 1 || timesteps > STAC_MAX_TIMESTEPS || !(geometric || ramp) || n_levels < 1 || n_levels > 65 * 65 ||
        !(unit > 0 && unit < INFINITY))
        return stac_fail(err, STAC_ERR_INPUT, "a code of %d steps, base 2^(%d/%d), curve %d, %d levels and unit %g", timesteps,
                         base.shift, base.n_classes, base.curve, n_levels, (double)unit);
    memcpy(out->mantissa, mantissa, (size_t)stac_base_factors(base) * sizeof *mantissa);
    STAC_TRY(stac_code_spread_mantissas(out, err));
    STAC_TRY(check_words(out, n_levels, words, thresholds, err));
    struct stac_level *level;
    STAC_TRY(STAC_NEW(level, n_levels, "a code", err));
    for (int i = 0; i < n_levels; i++)
        level[i] = (struct stac_level){i < n_levels - 1 ? thresholds[i] : INFINITY, (int16_t)stac_code_value(out, words[i]),
                                       (uint8_t)stac_word_spikes(words[i]), words[i]};
    int status = stac_code_tabulate(out, n_levels, level, true, err);
    free(level);
    return status;
}

struct stac_code_cost stac_code_cost_on(const struct stac_code *code, const struct stac_histogram *h) {
    struct stac_code_cost cost = {0, 0};
    double total = stac_histogram_total(h);
    for (int i = 0; i < STAC_BINS; i++) {
        double x = stac_histogram_centre(h, i);
        int level = 0;
        while (x / code->unit >= code->levels.threshold[level]) level++;
        double error = x - (double)code->unit * code->levels.value[level];
        cost.distortion += (double)h->count[i] * error * error;
        cost.spikes += (double)h->count[i] * code->levels.spikes[level];
    }
    if (total > 0) {
        cost.distortion /= total;
        cost.spikes /= total;
    }
    return cost;
}

void stac_code_clean(struct stac_code *code) {
    free(code->word);
    free((void *)(uintptr_t)code->levels.threshold);
    free((void *)(uintptr_t)code->levels.value);
    free((void *)(uintptr_t)code->levels.spikes);
    free((void *)(uintptr_t)code->levels.emit);
    free((void *)(uintptr_t)code->levels.bin);
    *code = (struct stac_code){0};
}
