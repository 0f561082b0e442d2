#include "base/log.h"

#include <stdarg.h>
#include <unistd.h>

#include "base/clock.h"

#define REDRAW_SECONDS 0.2
#define LINE_SECONDS 5.0

static void write_line(FILE *to, const char *lead, const char *format, va_list args) {
    if (!to) return;
    fputs(lead, to);
    vfprintf(to, format, args);
    fputc('\n', to);
    fflush(to);
}

static void write_both(const struct stac_log *log, bool warn, const char *format, va_list args) {
    if (!log) return;
    va_list again;
    va_copy(again, args);
    char stamp[20], lead[40];
    stac_clock_stamp(stamp, sizeof stamp);
    snprintf(lead, sizeof lead, "%s  %s", stamp, warn ? "warning: " : "");
    if (!log->quiet || warn) write_line(log->screen, warn ? "warning: " : "", format, args);
    write_line(log->file, lead, format, again);
    va_end(again);
}

void stac_log_info(const struct stac_log *log, const char *format, ...) {
    va_list args;
    va_start(args, format);
    write_both(log, false, format, args);
    va_end(args);
}

void stac_log_warn(const struct stac_log *log, const char *format, ...) {
    va_list args;
    va_start(args, format);
    write_both(log, true, format, args);
    va_end(args);
}

void stac_progress_begin(struct stac_progress *p, const struct stac_log *log, const char *phase, double total) {
    FILE *screen = log && !log->quiet ? log->screen : NULL;
    *p = (struct stac_progress){.log = log, .phase = phase, .total = total, .terminal = screen && isatty(fileno(screen))};
    p->began = p->shown = stac_clock_now();
}

static void draw(struct stac_progress *p, double now) {
    char left[32];
    double share = p->total > 0 ? p->done / p->total : 0, elapsed = now - p->began;
    if (share > 1) share = 1;
    if (share > 0)
        stac_clock_duration(elapsed / share - elapsed, left, sizeof left);
    else
        snprintf(left, sizeof left, "unknown");
    fprintf(p->log->screen, p->terminal ? "\r\033[K  %-28s %3.0f %%   %s left" : "  %-28s %3.0f %%   %s left\n", p->phase,
            100 * share, left);
    fflush(p->log->screen);
    p->shown = now;
}

void stac_progress_step(struct stac_progress *p, double amount) {
    p->done += amount;
    if (!p->log || !p->log->screen || p->log->quiet) return;
    double now = stac_clock_now();
    if (now - p->shown >= (p->terminal ? REDRAW_SECONDS : LINE_SECONDS)) draw(p, now);
}

void stac_progress_end(struct stac_progress *p) {
    if (!p->log) return;
    char took[32];
    if (p->terminal) fputs("\r\033[K", p->log->screen);
    stac_log_info(p->log, "  %-28s done in %s", p->phase, stac_clock_duration(stac_clock_now() - p->began, took, sizeof took));
}
