/* Energy of NVIDIA GPUs through NVML, opened at run time: the counter of total energy in millijoules (Volta and later), and the
 * power in milliwatts, polled and integrated by the trapezoid rule, beside it.
 *
 * The counter is what is reported. The polled power takes its place where the counter is not supported, does not advance
 * although power was drawn, or goes back; where both are there they are held against each other. A GPU that is divided (MIG)
 * shows the energy of all its parts and is not measured. All GPUs of a machine are added up. Not collective; nothing fails:
 * where there is no figure a text says why. Source of names and codes: NVML API reference, nvml.h. */
#ifndef STAC_ENERGY_METER_NVML_H
#define STAC_ENERGY_METER_NVML_H

#include <stdbool.h>

#include "energy/meter_rapl.h"

#define STAC_NVML_LIBRARY "libnvidia-ml.so.1"
#define STAC_NVML_DEVICES 16

struct stac_nvml_device {
    void *handle;
    bool counts, counter_failed; /* has a counter; it went back */
    double last, counted;        /* J: of the counter, and its advance */
    bool has_power;
    double watts, polled; /* W at `seen`; J by polling */
};

struct stac_nvml {
    void *library; /* NULL: closed */
    int n;
    struct stac_nvml_device device[STAC_NVML_DEVICES];
    double seen;
    int polls;
    char why[STAC_METER_WHY];  /* "": all is well */
    char note[STAC_METER_WHY]; /* how the figure came about, where it is not just the counter; "" */
    int (*energy)(void *device, unsigned long long *millijoules);
    int (*power)(void *device, unsigned int *milliwatts);
    int (*shutdown)(void);
    const char *(*text)(int code);
};

/* Open the library of that name and all GPUs. Without any that can be measured, n is 0 and `why` says why. */
void stac_nvml_open(struct stac_nvml *v, const char *library);
void stac_nvml_close(struct stac_nvml *v);

/* From now on, in seconds; read counters and power, often enough to follow the power (every 0.1 s). */
void stac_nvml_begin(struct stac_nvml *v, double now);
void stac_nvml_poll(struct stac_nvml *v, double now);

/* Joules of all GPUs since begin, up to the last poll; sets `note`. Where that cannot be said it is NaN, and `why` says why. */
double stac_nvml_joules(struct stac_nvml *v);

#endif
