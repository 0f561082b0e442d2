#include "spike/ternary.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "spike/moments.h"
#include "spike/step_weights.h"

/* A word with its integer value, before the price decides whether it becomes a level. */
struct candidate {
    int32_t value;
    int32_t spikes;
    struct stac_word word;
};

/* ---- candidates --------------------------------------------------------------------------------------------------- */

static int by_value_then_spikes(const void *a, const void *b) {
    const struct candidate *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    if (x->spikes != y->spikes) return x->spikes - y->spikes;
    if (x->word.plus != y->word.plus) return x->word.plus < y->word.plus ? -1 : 1; /* total, so sorting is reproducible */
    return (x->word.minus > y->word.minus) - (x->word.minus < y->word.minus);
}

static void add_candidate(const struct stac_code *code, struct candidate *list, int *n, uint64_t plus, uint64_t minus) {
    struct stac_word word = {plus, minus};
    list[(*n)++] = (struct candidate){stac_code_value(code, word), stac_word_spikes(word), word};
}

/* Where T is small, words of two spikes leave gaps anywhere; where values spread over octaves, between the heavy ones. */
int stac_ternary_ordinary(const struct stac_histogram *h, int timesteps) {
    if (timesteps <= 8) return 4;
    if (h->logarithmic) return timesteps <= 32 ? 3 : 2;
    return timesteps <= 10 ? 3 : 2;
}

static int most_candidates(int timesteps, int ordinary) {
    int n = 1;
    for (int i = 0; i < ordinary; i++) n *= timesteps + 1;
    return n;
}

/* Words with up to `more` spikes of either sign behind those of `word`, which come before the step `from`; the first of a word
 * is positive. */
static void add_words(const struct stac_code *code, struct candidate *list, int *n, struct stac_word word, int from, int more) {
    for (int t = from; t < code->timesteps && more > 0; t++) {
        struct stac_word with = {word.plus | UINT64_C(1) << t, word.minus},
                         against = {word.plus, word.minus | UINT64_C(1) << t};
        add_candidate(code, list, n, with.plus, with.minus);
        add_words(code, list, n, with, t + 1, more - 1);
        if (!word.plus) continue;
        add_candidate(code, list, n, against.plus, against.minus);
        add_words(code, list, n, against, t + 1, more - 1);
    }
}

/* All ordinary words and, for values beyond their reach, words that add a third or a fourth spike to the heaviest steps; the
 * cheapest for each value >= 0, ascending. Returns their number; `list` holds most_candidates. */
static int list_candidates(const struct stac_code *code, int ordinary, struct candidate *list) {
    int n = 0, steps = code->timesteps;
    add_candidate(code, list, &n, 0, 0);
    add_words(code, list, &n, (struct stac_word){0}, 0, ordinary);
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
    struct stac_code_cost sum = {0, 0};
    for (int level = 0, from = 0; level < n && from < STAC_BINS; level++) {
        const struct candidate *c = &list[chosen[level]];
        int to = level < n - 1 ? stac_histogram_rank(m->h, threshold[level] * unit) : STAC_BINS;
        if (to <= from) continue;
        stac_moments_add(m, from, to, unit * c->value, c->spikes, &sum);
        from = to;
    }
    return stac_moments_mean(m, sum);
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
    *s = (struct scratch){0};
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

/* A word between two thresholds that are the same float wins nowhere, and is no level. */
static int finish_hull(struct stac_code *code, const struct scratch *s, int kept, struct stac_error *err) {
    struct stac_level *level;
    int n = 0;
    STAC_TRY(STAC_NEW(level, kept, "a code", err));
    for (int i = 0; i < kept; i++) {
        const struct candidate *c = &s->list[s->chosen[i]];
        float threshold = i < kept - 1 ? (float)s->threshold[i] : INFINITY;
        if (n && !(threshold > level[n - 1].threshold)) continue;
        level[n++] = (struct stac_level){threshold, (int16_t)c->value, (uint8_t)c->spikes, c->word};
    }
    int status = stac_code_tabulate(code, n, level, true, err);
    free(level);
    return status;
}

int stac_ternary_build(struct stac_code *out, int timesteps, struct stac_base base, int ordinary, double unit, double lambda,
                       int max_integer, struct stac_error *err) {
    struct scratch s;
    STAC_TRY(check_timesteps(timesteps, err));
    *out = (struct stac_code){.timesteps = timesteps, .base = base, .unit = (float)unit};
    if (!stac_step_weights_of_base(out, base, max_integer))
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

/* ---- design ------------------------------------------------------------------------------------------------------- */

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

/* The best top of one base: quarter octaves around the reach of the values, then finer steps around the best of these. */
static void try_base(struct best *best, struct stac_code *code, int ordinary, struct scratch *s, const struct stac_moments *m,
                     double lambda, double reach) {
    int n = list_candidates(code, ordinary, s->list);
    struct best of_base = {.price = INFINITY};
    for (int step = -12; step <= 8; step++) try_top(&of_base, code, s, n, m, lambda, reach * exp2(step / 4.0));
    double centre = of_base.top;
    for (int step = -5; step <= 5; step++) try_top(&of_base, code, s, n, m, lambda, centre * exp2(step / 24.0));
    if (of_base.price < best->price) *best = of_base;
}

int stac_ternary_design(struct stac_code *out, const struct stac_histogram *h, int timesteps, double lambda, int max_integer,
                        bool geometric, struct stac_code_cost *cost, struct stac_error *err) {
    struct scratch s = {0};
    struct best best = {.price = INFINITY};
    struct stac_moments *m = NULL;
    int n, ordinary, status = STAC_OK;
    const struct stac_base *base = stac_bases(&n);
    STAC_TRY_DONE(check_timesteps(timesteps, err));
    ordinary = stac_ternary_ordinary(h, timesteps);
    STAC_TRY_DONE(STAC_NEW(m, 1, "a distribution", err));
    STAC_TRY_DONE(scratch_init(&s, timesteps, ordinary, err));
    stac_moments_take(m, h);
    bool ramps = !geometric && !h->logarithmic;
    double reach = stac_histogram_quantile(h, 0.9999);
    for (int i = 0; i < n; i++) {
        struct stac_code code = {.timesteps = timesteps};
        if ((ramps || base[i].curve == 0) && stac_step_weights_of_base(&code, base[i], max_integer))
            try_base(&best, &code, ordinary, &s, m, lambda, reach);
    }
done:
    scratch_clean(&s);
    free(m);
    STAC_TRY(status);
    if (!(best.price < INFINITY))
        return stac_fail(err, STAC_ERR_USAGE,
                         "no code of %d time steps fits integers up to %d: take fewer time steps or more code_bits", timesteps,
                         max_integer);
    *out = (struct stac_code){.timesteps = timesteps};
    stac_step_weights_of_base(out, best.base, max_integer);
    if (cost) *cost = best.cost;
    return stac_ternary_build(out, timesteps, best.base, ordinary, best.top / out->weight[0], lambda, max_integer, err);
}
