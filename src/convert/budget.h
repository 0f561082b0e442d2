/* The spike budget: how many spikes each site may spend, and with which code, so that the damage to the predictions is
 * smallest for a given number of additions.
 *
 *     minimise  sum over sites of  sensitivity * D / P  +  mu * sum over sites of  share * R
 *
 * D is the mean squared error of a site's code, P the power of what it codes, R its spikes per value, and share its part
 * of the multiply-accumulates of the model. For given mu every site decides for itself: its code is the best one at the
 * price lambda = mu * share * P / sensitivity. mu is found so that the sum of share * R meets the target. */
#ifndef STAC_CONVERT_BUDGET_H
#define STAC_CONVERT_BUDGET_H

#include "convert/statistics.h"
#include "spike/recipe.h"

/* What decides the code of a site. */
struct stac_plan {
    struct stac_recipe recipe;
    double lambda;
    struct stac_code_cost expected; /* on the calibration text */
    double power;                   /* P */
    int max_integer;                /* of the code */
    double sensitivity;             /* nats per relative error power; set by stac_plan_budget */
};

/* Damage per relative error power, D / P averaged over the layers, of each kind of site, in nats per token, as measured on
 * SmolLM2-135M-Instruct: what conversion falls back on when it does not measure. */
extern const double stac_default_sensitivity[STAC_SITE_KINDS];

/* Part of the multiply-accumulates of a token, `context` tokens at a time, that each kind of site drives in one layer
 * (head_in: altogether). The shares of all sites sum to 1. */
void stac_mac_shares(const struct stac_hparams *hp, int context, double share[STAC_SITE_KINDS]);

/* The largest integer a code of this site may use, so that no sum of its product leaves 32 bits when at most
 * `context` tokens are visible. */
int stac_largest_integer(const struct stac_hparams *hp, enum stac_site_kind kind, int context);

/* Plans for all sites at a price per spike of `relative` times P: codes to measure sensitivities with. */
int stac_plan_trial(const struct stac_statistics *s, const struct stac_scheme *scheme, const double relative[STAC_SITE_KINDS],
                    struct stac_plan *plan, struct stac_error *err);

/* Plans for sites of sensitivity[n_sites] that meet `target` additions per multiply-accumulate (or come as near as T steps
 * allow); a scheme without a price has one plan, whatever the target. *expected receives what they are expected to spend.
 * Deterministic; not collective. */
int stac_plan_budget(const struct stac_statistics *s, const struct stac_scheme *scheme, const double *sensitivity,
                     double target, int context, struct stac_plan *plan, double *expected, struct stac_error *err);

/* The code of a plan. */
int stac_plan_build(const struct stac_plan *plan, int timesteps, struct stac_code *out, struct stac_error *err);

#endif
