/* Step weights: what a spike at each of T steps is worth, in integers.
 *
 * Those of ternary and one-spike words follow one of two laws. Geometric: step t belongs to class c = t mod n_classes and
 * weighs
 *
 *     w_t = mantissa[c] << shift * (last round - t / n_classes),     mantissa[c] ~ 2^bits * 2^(-c * shift / n_classes)
 *
 * so the base is 2^(shift / n_classes). An output keeps n_classes accumulators in which every spike is a pure addition;
 * they are shifted between rounds and meet at the end as sum of mantissa[c] * accumulator[c], one integer.
 *
 * Ramp: after `heavy` steps with weights of their own, the n steps that are left fall almost evenly,
 *
 *     w_t = slope u + bend u (u + 1) / 2,     u = T - t = n .. 1
 *
 * An output adds spikes to one accumulator (and to one for each heavy step); after every step the accumulator is added to
 * a second one and that to a third, which therefore hold the sums weighted with u and with u (u + 1) / 2. For values whose
 * density is flat around zero (a Gaussian), most of which get a single spike, even steps are the finest: at one spike per
 * value a ramp is 1.5 dB (T = 16) to 2.3 dB (T = 32) better than the best base. */
#ifndef STAC_SPIKE_STEP_WEIGHTS_H
#define STAC_SPIKE_STEP_WEIGHTS_H

#include "spike/code.h"

/* The bases that searches try, from the coarsest to the finest. */
const struct stac_base *stac_bases(int *n);

/* Step weights of a base for T steps, as fine as integers up to max_integer allow. False: not even the coarsest fit. */
bool stac_step_weights_of_base(struct stac_code *code, struct stac_base base, int max_integer);

/* Step weights one by one, scale * ratio^t, the scale the largest power of two for which all of them add up to at most
 * max_integer. Multiplies in double, one step after the other, so that every machine finds the same. False: some weight
 * would vanish. */
bool stac_step_weights_of_ratio(struct stac_code *code, double ratio, int max_integer);

/* Step weights from mantissas, all checked (STAC_ERR_INPUT). */
int stac_step_weights_of_mantissas(struct stac_code *code, struct stac_error *err);

/* What the step weights cost the outputs of products, beside the additions of weight rows. */
struct stac_effort {
    int64_t multiplies; /* by step weights, or mantissas where there are classes; those by a power of two are not counted */
    int64_t sums;       /* additions of the running sums of a ramp, and of the accumulators where they meet */
    int64_t shifts;     /* of the accumulators of classes, between rounds */
};

/* The same for one output over T steps. */
struct stac_effort stac_step_weights_effort(const struct stac_code *code);

#endif
