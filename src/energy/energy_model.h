/* Coefficients of energy: what an operation or a byte costs, out of a YAML file (configs/energy).
 *
 * Every number is a mapping {value, unit, source}. The unit must be the one that is listed here, and a number without a source
 * is refused. The file's `name` and `format` (of the dense model's numbers: FP32, FP16, INT8) are texts. */
#ifndef STAC_ENERGY_ENERGY_MODEL_H
#define STAC_ENERGY_ENERGY_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum stac_coefficient {
    /* account 1 */
    STAC_PJ_MAC,          /* pJ: multiply-accumulate of the dense model */
    STAC_PJ_AC,           /* pJ: addition of the SNN in the same number format */
    STAC_PJ_INT_MULTIPLY, /* pJ: 8 x 8 bits */
    STAC_PJ_INT_ADD,      /* pJ: addition into an integer accumulator */
    /* account 2 */
    STAC_PJ_ADD,
    STAC_PJ_MULTIPLY,
    STAC_PJ_SPECIAL, /* pJ: exponential, root, division */
    STAC_PJ_COMPARE,
    STAC_PJ_SHIFT,
    STAC_PJ_LOOKUP, /* pJ: of a word by a table neuron */
    /* account 3 */
    STAC_PJ_SRAM,        /* pJ/byte */
    STAC_PJ_DRAM,        /* pJ/byte */
    STAC_PJ_ACCUMULATOR, /* pJ: accumulator of an addition, read and written */
    STAC_WEIGHT_BYTES,   /* byte: a weight of the dense model */
    STAC_COEFFICIENTS
};

/* Plain data: it is sent to other ranks. */
struct stac_energy_model {
    char name[64], format[16]; /* without control characters */
    double c[STAC_COEFFICIENTS];
    bool has_rest, has_memory; /* accounts 2 and 3 can be drawn up; account 3 needs account 2 */
};

const char *stac_coefficient_name(enum stac_coefficient c); /* "mac", "ac", ... */

/* The text of a set called `name` in errors. STAC_ERR_USAGE, one line with the line and column of the file, for anything that
 * is unknown, missing, twice there, negative, or without unit and source. */
int stac_energy_model_parse(const char *name, const char *text, size_t size, struct stac_energy_model *out,
                            struct stac_error *err);

/* A file, or for "" the built-in set. Not collective. */
int stac_energy_model_read(const char *path, struct stac_energy_model *out, struct stac_error *err);

/* The text of the built-in set: configs/energy/horowitz_45nm_memory.yaml at build time. */
extern const char stac_energy_builtin[];

#endif
