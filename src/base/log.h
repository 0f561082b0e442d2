/* The log and the progress line.
 *
 * A log writes lines to a screen stream and to a file stream, either of which may be NULL; a zeroed log is silent.
 * Programs create it on one rank and pass it down; the library writes nowhere else. */
#ifndef STAC_BASE_LOG_H
#define STAC_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

#include "base/live.h"

struct stac_log {
    FILE *screen;           /* borrowed; usually stderr on rank 0 */
    FILE *file;             /* borrowed; lines are stamped with the date, progress is left out */
    bool quiet;             /* screen shows warnings only */
    struct stac_live *live; /* borrowed; who looks on from outside, or NULL */
};

void stac_log_info(const struct stac_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void stac_log_warn(const struct stac_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Progress of one phase: on a terminal one line redrawn in place with the share done, the rate and the time left, elsewhere a
 * line every few seconds; at the end one line with the time taken. Whoever looks on is told too, on every rank. */
struct stac_progress {
    const struct stac_log *log;
    const char *phase, *unit; /* borrowed */
    double total, done;       /* units, of all ranks; each rank estimates what the others have done */
    double skipped;           /* of them, without being done now: they say nothing about the rate */
    double began, shown;
    bool terminal;
    int n_facts;
    struct {
        const char *name; /* borrowed */
        double value;
    } fact[4]; /* for whoever looks on */
};

/* Digits behind the point that a rate is shown with. */
static inline int stac_rate_digits(double rate) {
    return rate < 10 ? 2 : rate < 100 ? 1 : 0;
}

/* `unit` is what `total` and the amounts count: "tokens", "windows". */
void stac_progress_begin(struct stac_progress *p, const struct stac_log *log, const char *phase, double total,
                         const char *unit);

/* Something about what is being done: "layer", "loss". The last value counts; at most four names. */
void stac_progress_fact(struct stac_progress *p, const char *name, double value);

void stac_progress_step(struct stac_progress *p, double amount);
/* Units a second until `now`, by the clock of stac_clock_now. */
double stac_progress_rate(const struct stac_progress *p, double now);

/* An amount was done before, and is there already. */
void stac_progress_skip(struct stac_progress *p, double amount);
void stac_progress_end(struct stac_progress *p);

#endif
