/* Meters: what a phase of work used, in joules, with the label of its source. One rank of a machine reads that machine's
 * sensors, in a thread of its own, so that counters that go round are followed and power is integrated; the machines are added
 * up. Joules are those of whole processors and GPUs, other programs included. A sensor that is missing on any machine yields no
 * figure and the reason, never 0. */
#ifndef STAC_ENERGY_METER_H
#define STAC_ENERGY_METER_H

#include <pthread.h>

#include "dist/ranks.h"
#include "energy/meter_nvml.h"

enum stac_meter_kind { STAC_METER_CPU, STAC_METER_GPU, STAC_METER_KINDS };

const char *stac_meter_name(enum stac_meter_kind kind); /* "cpu", "gpu" */

struct stac_used {
    bool measured;
    double joules;                    /* where measured */
    char source[STAC_METER_WHY + 32]; /* "measured-rapl", "measured-nvml", or "not measured: " and why */
};

/* Plain data. */
struct stac_usage {
    double seconds; /* NaN: not measured */
    struct stac_used of[STAC_METER_KINDS];
};

struct stac_meter {
    const struct stac_ranks *ranks; /* borrowed */
    bool reads;                     /* this rank reads the sensors of its machine */
    struct stac_rapl rapl;
    struct stac_nvml nvml;
    pthread_mutex_t lock; /* of the two */
    pthread_cond_t woken;
    pthread_t thread;
    bool polls, ends; /* the thread runs; it shall end */
    double began;
};

/* Open the sensors: `rapl_root` and `nvml_library` are STAC_RAPL_ROOT and STAC_NVML_LIBRARY but in tests. Missing ones are no
 * failure. Collective. */
int stac_meter_open(struct stac_meter *m, const struct stac_ranks *ranks, const char *rapl_root, const char *nvml_library,
                    struct stac_error *err);
void stac_meter_close(struct stac_meter *m);

/* A phase begins, and ends: *out is the same on every rank. Collective. */
void stac_meter_begin(struct stac_meter *m);
int stac_meter_end(struct stac_meter *m, struct stac_usage *out, struct stac_error *err);

#endif
