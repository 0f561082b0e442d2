/* Energy of processors and memory as the kernel shows it: RAPL zones of powercap, in microjoules.
 *
 * Zones overlap: a package holds its cores, and psys holds all. Only packages are read and, where it is a zone of its own,
 * their dram. The zones intel-rapl-mmio show the same packages again and are left out. Counters go round at
 * max_energy_range_uj. A counter that was not looked at for as long as it may take to go round twice is not believed. Nothing
 * here is collective, and nothing fails: where there is no figure, a text says why. */
#ifndef STAC_ENERGY_METER_RAPL_H
#define STAC_ENERGY_METER_RAPL_H

#include <stdbool.h>

#define STAC_METER_WHY 160
#define STAC_RAPL_ROOT "/sys/class/powercap"
#define STAC_RAPL_ZONES 32
#define STAC_RAPL_WATTS 1000.0 /* more than any zone draws, where the zone does not say */

struct stac_rapl_zone {
    char folder[320], name[32];
    double range, last; /* J */
    double watts;       /* the most it can draw */
};

/* Plain data. */
struct stac_rapl {
    int n;
    struct stac_rapl_zone zone[STAC_RAPL_ZONES];
    double joules;            /* since stac_rapl_begin */
    double seen;              /* s: when the zones were read last */
    char why[STAC_METER_WHY]; /* "": all is well */
};

/* Find the zones under `root`. Without any that can be read, n is 0 and `why` says why. */
void stac_rapl_open(struct stac_rapl *r, const char *root);

/* From now on; `now` in seconds of a clock that does not go back. */
void stac_rapl_begin(struct stac_rapl *r, double now);

/* Add what was used since the last call. A zone that is gone, that shows no number, or that may have gone round twice sets
 * `why`, for good until the next begin. */
void stac_rapl_read(struct stac_rapl *r, double now);

#endif
