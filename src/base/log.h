/* The log and the progress line.
 *
 * A log writes lines to a screen stream and to a file stream, either of which may be NULL; a zeroed log is silent.
 * Programs create it on one rank and pass it down; the library writes nowhere else. */
#ifndef STAC_BASE_LOG_H
#define STAC_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

struct stac_log {
    FILE *screen; /* borrowed; usually stderr on rank 0 */
    FILE *file;   /* borrowed; lines are stamped with the date, progress is left out */
    bool quiet;   /* screen shows warnings only */
};

void stac_log_info(const struct stac_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void stac_log_warn(const struct stac_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Progress of one phase: on a terminal one line redrawn in place with the share done and the time left, elsewhere
 * a line every few seconds; at the end one line with the time taken. */
struct stac_progress {
    const struct stac_log *log;
    const char *phase; /* borrowed */
    double total, done;
    double began, shown;
    bool terminal;
};

void stac_progress_begin(struct stac_progress *p, const struct stac_log *log, const char *phase, double total);
void stac_progress_step(struct stac_progress *p, double amount);
void stac_progress_end(struct stac_progress *p);

#endif
