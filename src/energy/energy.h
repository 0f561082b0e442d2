/* Energy: three accounts of what a text costs, side by side, out of events that were counted (net/site.h) and
 * coefficients (energy_model.h). Picojoules; a, m, x are add, multiply, special, other coefficients go by their names.
 *
 * Four machines: the dense model as it was loaded, and the SNN with its additions in the same number format; the rival,
 * this network with dense integers of k bits (energy/rival.h) in place of spikes, and the SNN with its additions in
 * integers, as the engine makes them. The first two belong together, and the last two.
 *
 * Products:
 *     dense    macs * mac
 *     SNN      acs * ac, in integers acs * int_add; macs that no spikes drive cost what they cost the machine beside it
 *     rival    macs * (int_multiply * k / 8 + int_add)
 * Neurons:
 *     SNN      values * (a + m) to centre and scale, scaled * (a + m) for root mean squares, updates * (a + compare),
 *              lookups * lookup
 *     rival    values * (2 a + m), scaled * (a + m)
 * Decoding:
 *     SNN      outputs * (2 m + a) + multiplies * m + sums * int_add + shifts * shift
 *     rival    outputs * (2 m + a)
 * Rest, each times its events:
 *     norm 2 a + 2 m, softmax x + m + 2 a, activation x + m + a, gate m, rope 2 m + a, residual a, hadamard a,
 *     embedding a, cache m + 2 a, root x
 * Main memory, dram times the bytes:
 *     dense    streamed + stored, in its own format; embeddings
 *     SNN      fetched + stored; embeddings
 *     rival    streamed + stored of the SNN, once: 8-bit weights and cache, scales of keys; embeddings
 * Buffers, sram times the bytes:
 *     a weight for each operation; inputs written and read (dense numbers, k bits, or 2 bytes for a spike); outputs of
 *     4 bytes written and read; and for the SNN acs * accumulator
 *
 * Account 1 is products; account 2 adds neurons, decoding and rest; account 3 adds main memory and buffers. Not counted:
 * control, clocks, leakage, the network between cores, and everything outside of the forward pass. */
#ifndef STAC_ENERGY_ENERGY_H
#define STAC_ENERGY_ENERGY_H

#include "energy/energy_model.h"
#include "energy/meter.h"
#include "eval/check.h"

enum stac_machine { STAC_DENSE, STAC_SPIKING, STAC_RIVAL, STAC_SPIKING_INTEGER, STAC_MACHINES };
enum stac_charge {
    STAC_CHARGE_PRODUCTS,
    STAC_CHARGE_NEURONS,
    STAC_CHARGE_DECODING,
    STAC_CHARGE_REST,
    STAC_CHARGE_MAIN_MEMORY,
    STAC_CHARGE_BUFFERS,
    STAC_CHARGES
};
enum stac_account { STAC_OPERATIONS, STAC_EVERYTHING, STAC_MEMORY, STAC_ACCOUNTS };
enum stac_phase { STAC_PREFILL, STAC_DECODE, STAC_PHASES };

const char *stac_machine_name(enum stac_machine m); /* "dense", "snn", "rival", "snn_integer" */
const char *stac_charge_name(enum stac_charge c);   /* "products", "neurons", ... */
const char *stac_account_name(enum stac_account a); /* "operations", "everything", "memory" */
const char *stac_phase_name(enum stac_phase p);     /* "prefill", "decode" */

/* pJ of each machine, by what they are spent on. */
struct stac_bill {
    double pj[STAC_MACHINES][STAC_CHARGES];
};

/* What happened at a site, on both sides. */
struct stac_site_work {
    const struct stac_counts *dense, *spiking;
    double bits; /* k of the rival */
    int passes;  /* of a batch through the SNN: T with ST-BIF+ neurons, else 1 */
};

/* Add what that costs to a bill. Charges that the set has no coefficients for stay 0. */
void stac_bill_add(const struct stac_energy_model *m, const struct stac_site_work *w, struct stac_bill *bill);

/* pJ of an account; NaN where the set has no coefficients for it. Ratios: dense over SNN, or with `integers` rival over SNN in
 * integers. */
double stac_bill_sum(const struct stac_energy_model *m, const struct stac_bill *bill, enum stac_machine machine,
                     enum stac_account account);
double stac_bill_ratio(const struct stac_energy_model *m, const struct stac_bill *bill, bool integers,
                       enum stac_account account);

/* A phase of reading: its counts by site, and its bill. */
struct stac_phase_work {
    int64_t tokens;
    struct stac_counts *dense, *spiking; /* [n_sites], owned */
    struct stac_bill total;
};

/* What is metered: the text through both sides, and the tokens read one by one through either. */
enum stac_metered { STAC_METERED_TEXT, STAC_METERED_DENSE, STAC_METERED_SPIKING, STAC_METERED };

const char *stac_metered_name(enum stac_metered m); /* "text", "decode_dense", "decode_snn" */

struct stac_energy {
    bool measured;
    struct stac_energy_model model;
    int n_sites, passes;
    double *bits;       /* [n_sites] of the rival; owned */
    double mean_bits;   /* weighed by multiply-accumulates */
    int decode_context; /* tokens read before the first that is read alone */
    struct stac_phase_work phase[STAC_PHASES];
    struct stac_usage used[STAC_METERED]; /* on the machines at work, by their sensors */
};

/* Account for a text that both sides of a subject were scored on (the prefill), and for the last tokens of its first window,
 * which are read again, one by one after those before them (the decode). `read` is what scoring used, by the meter; where an
 * interrupted run had read a part of the text, what the text used is not measured, its seconds NaN. Collective; ends with an
 * agreement. */
int stac_energy_measure(struct stac_subject *s, const struct stac_reading *text, const struct stac_score *score,
                        struct stac_meter *meter, const struct stac_usage *read, struct stac_energy *out,
                        struct stac_error *err);
void stac_energy_clean(struct stac_energy *e);

/* The bill of a site in a phase. */
struct stac_bill stac_energy_of_site(const struct stac_energy *e, enum stac_phase phase, int site);

/* The ratio of account 1 in the prefill is at least energy_ratio_min, and the counters agree with each other: spikes touch
 * rows, no byte is fetched that a dense pass would not stream, both sides have the same products, all of them driven by spikes,
 * and `temporal` (the check of that name) passed: counts of both modes are equal. Not collective. */
void stac_check_energy(const struct stac_subject *s, const struct stac_energy *e, const struct stac_check *temporal,
                       struct stac_check *out);

#endif
