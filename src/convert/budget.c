#include "convert/budget.h"

#include <math.h>

/* Measured by `stac-convert` in mode full (see conversion_log.txt, "sensitivity"); refreshed by hand when that changes. */
const double stac_default_sensitivity[STAC_SITE_KINDS] = {
    [STAC_SITE_ATTN_IN] = 8.6, [STAC_SITE_Q] = 3.5,        [STAC_SITE_P] = 17,        [STAC_SITE_O_IN] = 1.1,
    [STAC_SITE_MLP_IN] = 8.6,  [STAC_SITE_DOWN_IN] = 11.1, [STAC_SITE_HEAD_IN] = 4.3,
};

void stac_mac_shares(const struct stac_hparams *hp, int context, double share[STAC_SITE_KINDS]) {
    double d = hp->n_embd, q = stac_q_width(hp), kv = stac_kv_width(hp), keys = (context + 1) / 2.0, total = 0;
    share[STAC_SITE_ATTN_IN] = d * (q + 2 * kv);
    share[STAC_SITE_Q] = share[STAC_SITE_P] = q * keys;
    share[STAC_SITE_O_IN] = q * d;
    share[STAC_SITE_MLP_IN] = d * hp->n_ff * (hp->gated ? 2 : 1);
    share[STAC_SITE_DOWN_IN] = (double)hp->n_ff * d;
    share[STAC_SITE_HEAD_IN] = d * hp->n_vocab;
    for (int k = 0; k < STAC_SITE_KINDS; k++) total += share[k] * (k == STAC_SITE_HEAD_IN ? 1 : hp->n_layer);
    for (int k = 0; k < STAC_SITE_KINDS; k++) share[k] /= total;
}

int stac_largest_integer(const struct stac_hparams *hp, enum stac_site_kind kind, int context) {
    int inputs = hp->n_embd;
    switch (kind) {
    case STAC_SITE_Q: inputs = hp->head_dim; break;
    case STAC_SITE_P: inputs = context; break;
    case STAC_SITE_O_IN: inputs = stac_q_width(hp); break;
    case STAC_SITE_DOWN_IN: inputs = hp->n_ff; break;
    default: break;
    }
    int64_t most = INT32_MAX / (127 * (int64_t)inputs);
    return most > INT16_MAX ? INT16_MAX : (int)most;
}

/* log2 of the price of an addition, in nats per multiply-accumulate of a token */
#define FIRST_PRICE (-8.0) /* of usual budgets */
#define LOWEST_PRICE (-24.0)
#define HIGHEST_PRICE 8.0

/* One site at a price. */
static int plan_site(const struct stac_statistics *s, int site, const struct stac_scheme *scheme, struct stac_plan *plan,
                     struct stac_error *err) {
    enum stac_site_kind kind = stac_site_kind_at(&s->hp, site);
    bool narrow = scheme->code == STAC_CODE_TERNARY && scheme->code_bits > 0 && kind != STAC_SITE_Q && kind != STAC_SITE_P;
    int fitting = stac_largest_integer(&s->hp, kind, s->longest),
        wanted = narrow ? (1 << (scheme->code_bits - 1)) - 1 : fitting;
    plan->max_integer = wanted < fitting ? wanted : fitting;
    return stac_recipe_design(scheme, &s->histogram[site], kind != STAC_SITE_P, plan->lambda, plan->max_integer, &plan->recipe,
                              &plan->expected, err);
}

/* All sites, each at its own price, in parallel. */
static int plan_sites(const struct stac_statistics *s, const struct stac_scheme *scheme, struct stac_plan *plan,
                      struct stac_error *err) {
    int status = STAC_OK;
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < s->n_sites; i++) {
        struct stac_error mine = {0};
        if (plan_site(s, i, scheme, &plan[i], &mine) == STAC_OK) continue;
#pragma omp critical(stac_plan)
        if (status == STAC_OK) {
            *err = mine;
            status = mine.status;
        }
    }
    return status;
}

static void take_powers(const struct stac_statistics *s, struct stac_plan *plan) {
    for (int i = 0; i < s->n_sites; i++) {
        double power = stac_histogram_power(&s->histogram[i]);
        plan[i].power = power > 0 ? power : 1; /* a site that is always zero costs nothing at any price */
    }
}

int stac_plan_trial(const struct stac_statistics *s, const struct stac_scheme *scheme, const double relative[STAC_SITE_KINDS],
                    struct stac_plan *plan, struct stac_error *err) {
    take_powers(s, plan);
    for (int i = 0; i < s->n_sites; i++) plan[i].lambda = relative[stac_site_kind_at(&s->hp, i)] * plan[i].power;
    return plan_sites(s, scheme, plan, err);
}

static double spent(const struct stac_statistics *s, const double share[STAC_SITE_KINDS], const struct stac_plan *plan) {
    double sum = 0;
    for (int i = 0; i < s->n_sites; i++) sum += share[stac_site_kind_at(&s->hp, i)] * plan[i].expected.spikes;
    return sum;
}

/* Plans at the price 2^price of an addition, and what they are expected to spend. */
static int plan_at(const struct stac_statistics *s, const struct stac_scheme *scheme, const double share[STAC_SITE_KINDS],
                   double price, struct stac_plan *plan, double *expected, struct stac_error *err) {
    for (int i = 0; i < s->n_sites; i++)
        plan[i].lambda = exp2(price) * share[stac_site_kind_at(&s->hp, i)] * plan[i].power / plan[i].sensitivity;
    STAC_TRY(plan_sites(s, scheme, plan, err));
    *expected = spent(s, share, plan);
    return STAC_OK;
}

/* What is spent falls about as the price rises: walk until the target lies between two prices, then interpolate. */
int stac_plan_budget(const struct stac_statistics *s, const struct stac_scheme *scheme, const double *sensitivity,
                     double target, int context, struct stac_plan *plan, double *expected, struct stac_error *err) {
    double share[STAC_SITE_KINDS], low = -INFINITY, high = INFINITY, above = 0, below = 0, price = FIRST_PRICE;
    stac_mac_shares(&s->hp, context, share);
    take_powers(s, plan);
    for (int i = 0; i < s->n_sites; i++) plan[i].sensitivity = sensitivity[i];
    for (int step = 0; step < 24; step++) {
        STAC_TRY(plan_at(s, scheme, share, price, plan, expected, err));
        double off = *expected / target - 1;
        if (fabs(off) < 1e-3 || !stac_scheme_is_priced(scheme)) break;
        if (off > 0)
            low = price, above = off;
        else
            high = price, below = off;
        if (high <= LOWEST_PRICE || low >= HIGHEST_PRICE) break; /* as near as T steps come */
        if (isinf(low))
            price = high - 2;
        else if (isinf(high))
            price = low + 2;
        else
            price = low + (high - low) * fmin(fmax(above / (above - below), 0.1), 0.9);
    }
    return STAC_OK;
}

int stac_plan_build(const struct stac_plan *plan, int timesteps, struct stac_code *out, struct stac_error *err) {
    return stac_recipe_build(&plan->recipe, timesteps, plan->lambda, plan->max_integer, out, err);
}
