/* Time. Durations use the monotonic clock, so a clock set back does not show. */
#ifndef STAC_BASE_CLOCK_H
#define STAC_BASE_CLOCK_H

#include <stddef.h>

/* Seconds since an arbitrary fixed point. */
double stac_clock_now(void);

/* Do nothing for a while; a signal may end it early. */
void stac_clock_pause(double seconds);

/* Local date and time, "2025-01-31 23:59:59", into a buffer of at least 20 bytes. */
void stac_clock_stamp(char *out, size_t size);

/* "950 ms", "12.3 s", "4 min 05 s", "2 h 07 min" into out; returns out. */
char *stac_clock_duration(double seconds, char *out, size_t size);

#endif
