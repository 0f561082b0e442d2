#include "energy/meter_nvml.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DONE = 0, NOT_SUPPORTED = 3 }; /* nvmlReturn_t */

static void tell(struct stac_nvml *v, const char *what, const char *more) {
    if (!*v->why) snprintf(v->why, sizeof v->why, "%.70s%s%.70s", what, *more ? ": " : "", more);
}

/* A function of the library; false and a reason when it is not there. (POSIX lets an object pointer become a function.) */
static bool find(struct stac_nvml *v, const char *name, void *function) {
    void *at = dlsym(v->library, name);
    memcpy(function, &at, sizeof at);
    if (!at) tell(v, "the NVML library has no", name);
    return at != NULL;
}

/* One GPU, with what it can show. */
static void take_device(struct stac_nvml *v, void *handle, int (*mig)(void *, unsigned int *, unsigned int *)) {
    struct stac_nvml_device d = {.handle = handle};
    unsigned int divided = 0, pending = 0, milliwatts;
    unsigned long long millijoules;
    int energy = v->energy(handle, &millijoules), power = v->power(handle, &milliwatts);
    d.counts = energy == DONE;
    d.has_power = power == DONE;
    if (mig && mig(handle, &divided, &pending) == DONE && divided)
        tell(v, "a GPU is divided (MIG), and its energy is that of all its parts", "");
    else if (!d.counts && !d.has_power)
        tell(v, "a GPU shows neither energy nor power", v->text(energy));
    else
        v->device[v->n++] = d;
}

static void take_devices(struct stac_nvml *v) {
    int (*init)(void), (*count)(unsigned int *), (*by_index)(unsigned int, void **);
    int (*mig)(void *, unsigned int *, unsigned int *) = NULL;
    unsigned int n = 0;
    if (!find(v, "nvmlInit_v2", &init) || !find(v, "nvmlDeviceGetCount_v2", &count) ||
        !find(v, "nvmlDeviceGetHandleByIndex_v2", &by_index) || !find(v, "nvmlErrorString", &v->text) ||
        !find(v, "nvmlDeviceGetTotalEnergyConsumption", &v->energy) || !find(v, "nvmlDeviceGetPowerUsage", &v->power) ||
        !find(v, "nvmlShutdown", &v->shutdown))
        return;
    void *optional = dlsym(v->library, "nvmlDeviceGetMigMode");
    memcpy(&mig, &optional, sizeof mig);
    int code = init();
    if (code != DONE) {
        v->shutdown = NULL;
        tell(v, "NVML does not begin", v->text(code));
        return;
    }
    code = count(&n);
    if (code != DONE) tell(v, "NVML counts no GPUs", v->text(code));
    for (unsigned int i = 0; i < n && i < STAC_NVML_DEVICES && !*v->why; i++) {
        void *handle = NULL;
        code = by_index(i, &handle);
        if (code != DONE)
            tell(v, "a GPU cannot be opened", v->text(code));
        else
            take_device(v, handle, mig);
    }
    if (n > STAC_NVML_DEVICES) tell(v, "too many GPUs", "");
    if (n == 0) tell(v, "this machine has no GPU", "");
}

void stac_nvml_open(struct stac_nvml *v, const char *library) {
    *v = (struct stac_nvml){0};
    v->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (v->library)
        take_devices(v);
    else
        tell(v, "no NVIDIA driver", library);
    dlerror(); /* what a failed search has left: the second call releases what the first one returns */
    dlerror();
    if (*v->why) v->n = 0; /* some of the GPUs are no figure */
}

void stac_nvml_close(struct stac_nvml *v) {
    if (v->shutdown) v->shutdown();
    if (v->library) dlclose(v->library);
    *v = (struct stac_nvml){0};
}

/* Read what a device shows; `dt` seconds after the last time, or < 0 for the first. */
static void read_device(struct stac_nvml *v, struct stac_nvml_device *d, double dt) {
    unsigned long long millijoules = 0;
    unsigned int milliwatts = 0;
    int code = d->counts ? v->energy(d->handle, &millijoules) : NOT_SUPPORTED;
    if (d->counts && code != DONE) {
        tell(v, "a GPU stopped showing its energy", v->text(code));
        return;
    }
    double joules = 1e-3 * (double)millijoules;
    if (dt >= 0 && joules < d->last) d->counter_failed = true;
    if (dt >= 0) d->counted += joules - d->last;
    d->last = joules;
    if (!d->has_power) return;
    code = v->power(d->handle, &milliwatts);
    if (code != DONE && !d->counts) tell(v, "a GPU stopped showing its power", v->text(code));
    if (code != DONE) d->has_power = false;
    double watts = 1e-3 * (double)milliwatts;
    if (dt >= 0 && d->has_power) d->polled += dt * (watts + d->watts) / 2;
    d->watts = watts;
}

void stac_nvml_begin(struct stac_nvml *v, double now) {
    if (v->n == 0) return; /* why stays */
    v->why[0] = v->note[0] = 0;
    v->polls = 0;
    v->seen = now;
    for (int i = 0; i < v->n; i++) {
        struct stac_nvml_device *d = &v->device[i];
        d->counter_failed = false;
        d->counted = d->polled = 0;
        read_device(v, d, -1);
    }
}

void stac_nvml_poll(struct stac_nvml *v, double now) {
    for (int i = 0; i < v->n && !*v->why; i++) read_device(v, &v->device[i], now - v->seen);
    v->seen = now;
    v->polls++;
}

enum { DOUBTFUL_JOULES = 20 }; /* from here on counter and polling must agree to a quarter */

/* One GPU: its counter, or polled power. */
static double joules_of(struct stac_nvml *v, const struct stac_nvml_device *d) {
    bool stands_still = d->counts && d->counted <= 0 && d->polled > 0;
    if (d->counts && !d->counter_failed && !stands_still) {
        if (d->has_power && d->polled > DOUBTFUL_JOULES && fabs(d->polled - d->counted) > 0.25 * d->polled)
            snprintf(v->note, sizeof v->note, "the counter says %.1f J, polled power %.1f J", d->counted, d->polled);
        if (d->counted > 0) return d->counted;
        tell(v, "the counter of a GPU did not advance", "");
        return NAN;
    }
    const char *what = d->counter_failed ? "goes back" : stands_still ? "does not advance" : "is not supported";
    if (!d->has_power || !(d->polled > 0)) {
        tell(v, "the energy counter of a GPU fails, and there is no power to poll; it", what);
        return NAN;
    }
    snprintf(v->note, sizeof v->note, "power polled %d times: the energy counter %s", v->polls, what);
    return d->polled;
}

double stac_nvml_joules(struct stac_nvml *v) {
    double sum = 0;
    for (int i = 0; i < v->n && !*v->why; i++) sum += joules_of(v, &v->device[i]);
    return v->n > 0 && !*v->why ? sum : NAN;
}
