/* The numbers of a ternary code that training may move, its dials: the unit u, and thresholds times u. Of a table they are
 * those between its levels, of a causal neuron those of every step and number of spikes that are not infinite. Words and step
 * weights stay.
 *
 * A value of magnitude r (in integers) is decoded as v = the sum over thresholds t_k <= r of v_{k+1} - v_k. With a surrogate s
 * in place of the derivative of a step (surrogate.h), z = (r - t_k) / (v_{k+1} - v_k),
 *
 *     d v / d t_k = -s(z),    d spikes / d t_k = -(n_{k+1} - n_k) s(z) / (v_{k+1} - v_k)
 *
 * and d (u v) / d u = v, as thresholds u t_k are dials too and stay. A threshold of a causal neuron moves those thresholds of
 * the table at which it decides: its membrane is the value less what was sent before, so u t_k = u sent +- threshold.
 */
#ifndef STAC_SPIKE_TUNING_H
#define STAC_SPIKE_TUNING_H

#include "spike/code.h"
#include "spike/surrogate.h"

/* Values are told apart by cells, of which every level has as many. */
#define STAC_LEVEL_CELLS 8

static inline int stac_tuning_cells(const struct stac_code *code) {
    return code->n_levels * STAC_LEVEL_CELLS;
}

/* Cell and level of a magnitude in integers. */
int stac_tuning_cell(const struct stac_code *code, float magnitude);

/* What values of a site added up to, cell by cell: how many they were, and their pulls. The pull of a value is the derivative
 * of the loss with respect to u v, whatever the scale of its row. */
struct stac_tuning_sums {
    const double *count, *pull; /* [stac_tuning_cells] */
};

/* Spikes of all these values. */
double stac_tuning_spikes(const struct stac_code *code, const struct stac_tuning_sums *sums);

int stac_tuning_dials(const struct stac_code *code);

/* The dials, the first of them the unit; the step in which each is measured by training; the derivatives of the loss and of
 * the number of spikes with respect to them. [stac_tuning_dials] each; a dial that is not to move has a step of 0. */
void stac_tuning_read(const struct stac_code *code, double *dial, double *step);
void stac_tuning_slopes(const struct stac_code *code, const struct stac_surrogate *surrogate,
                        const struct stac_tuning_sums *sums, double *loss, double *spikes);

/* Step weights of a table: the number of the mantissa of which a small change, *by, promises the largest fall of the loss, to
 * first order while no value changes its level; the levels keep their order. *by == 0: none does, or the code is no table. */
int stac_tuning_mantissa(const struct stac_code *code, const struct stac_tuning_sums *sums, int *by);

/* The same table with a mantissa changed by that. STAC_ERR_INPUT when that makes no code. */
int stac_tuning_reweigh(const struct stac_code *like, int mantissa, int by, struct stac_code *out, struct stac_error *err);

/* The same code with other dials, which are put in order if thresholds have passed each other. STAC_ERR_INPUT when they make no
 * code. Zero-initialise *out; release with stac_code_clean. */
int stac_tuning_build(const struct stac_code *like, const double *dial, struct stac_code *out, struct stac_error *err);

#endif
