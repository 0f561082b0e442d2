/* use_sparse: event-driven or packed (net/sparse.h), measured when a subject is opened, and told. */
#ifndef STAC_EVAL_EXECUTION_H
#define STAC_EVAL_EXECUTION_H

#include "eval/subject.h"

/* Measure and log what this machine needs for the products of the SNN. Every rank for itself: they may be on different
 * machines, and they measure side by side as they will work. Collective; ends with an agreement. */
int stac_execution_measure(struct stac_subject *s, struct stac_error *err);

/* Log what was chosen, and why: a line for each kind of site, from the counts of all sites. */
void stac_execution_tell(const struct stac_subject *s, const struct stac_counts *counts);

#endif
