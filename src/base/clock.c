#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

double stac_clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void stac_clock_pause(double seconds) {
    double whole = floor(seconds);
    struct timespec t = {(time_t)whole, (long)((seconds - whole) * 1e9)};
    nanosleep(&t, NULL);
}

void stac_clock_stamp(char *out, size_t size) {
    time_t now = time(NULL);
    struct tm local;
    if (!localtime_r(&now, &local) || strftime(out, size, "%Y-%m-%d %H:%M:%S", &local) == 0) out[0] = 0;
}

char *stac_clock_duration(double seconds, char *out, size_t size) {
    if (seconds < 1)
        snprintf(out, size, "%.0f ms", seconds * 1e3);
    else if (seconds < 60)
        snprintf(out, size, "%.1f s", seconds);
    else if (seconds < 3600)
        snprintf(out, size, "%d min %02d s", (int)(seconds / 60), (int)seconds % 60);
    else
        snprintf(out, size, "%.0f h %02d min", floor(seconds / 3600), (int)(fmod(seconds, 3600) / 60));
    return out;
}
