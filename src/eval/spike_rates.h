/* Spike rates: spikes per value of every site, as counted, against what was planned for it on the calibration text. */
#ifndef STAC_EVAL_SPIKE_RATES_H
#define STAC_EVAL_SPIKE_RATES_H

#include "eval/check.h"

enum stac_rate_fault { STAC_RATE_FINE, STAC_RATE_DEAD, STAC_RATE_SATURATED, STAC_RATE_OFF };

const char *stac_rate_fault_name(enum stac_rate_fault fault); /* "fine", "dead", ... */

struct stac_spike_rate {
    double planned;  /* spikes per value, from the file of the network */
    double measured; /* the same, counted */
    double most;     /* spikes of the longest word of the code */
    enum stac_rate_fault fault;
};

struct stac_spike_rates {
    int n_sites;
    struct stac_spike_rate *site; /* [n_sites], owned; NULL: not measured */
};

/* What is wrong with a rate: no spike at all; at 95 % of `most` without having been planned near it; or further from its plan
 * than `factor`, up or down. */
enum stac_rate_fault stac_rate_judge(const struct stac_spike_rate *rate, double factor);

/* From the counts of a score. Collective; ends with an agreement. */
int stac_spike_rates_measure(struct stac_subject *s, const struct stac_score *score, struct stac_spike_rates *out,
                             struct stac_error *err);
void stac_spike_rates_clean(struct stac_spike_rates *rates);

/* Every site is fine; those that are not are named. The figure is the largest factor between rate and plan, the limit
 * spike_rate_factor. Not collective. */
void stac_check_spike_rates(const struct stac_subject *s, const struct stac_spike_rates *rates, struct stac_check *out);

#endif
