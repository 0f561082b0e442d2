/* Other codes for a network that is converted already: from one number of time steps and one budget to another. Weights
 * stay as they are; the codes are designed anew, with the allocation of convert/budget.h, from what calibration left in the
 * file: histograms and sensitivities. Neither the original model nor any text is needed. */
#ifndef STAC_CONVERT_RECODE_H
#define STAC_CONVERT_RECODE_H

#include "base/log.h"
#include "convert/budget.h"
#include "job/job.h"

/* The code that the job of a conversion asks for. */
struct stac_scheme stac_scheme_of(const struct stac_job *job);

/* What there is to design from, and the plan that results. */
struct stac_recoding {
    const struct stac_ranks *ranks; /* borrowed */
    struct stac_statistics stats;   /* histograms, context */
    struct stac_plan *plan;         /* [stac_site_count] power and sensitivity are given, the rest follows */
    double expected_ac_per_mac;
};

/* Plan codes of a scheme that spend `budget` additions per multiply-accumulate. The same plan on every rank: rank 0
 * makes it. Collective over all ranks; ends with an agreement. */
int stac_recode_plan(struct stac_recoding *r, const struct stac_scheme *scheme, double budget, struct stac_error *err);

/* Give the sites of this part of the network the codes of the plan. Not collective. */
int stac_recode_network(const struct stac_recoding *r, int timesteps, struct stac_network *net, struct stac_error *err);

void stac_recoding_clean(struct stac_recoding *r);

#endif
