#include "base/log.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/activity.h"

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

/* ---- progress ----------------------------------------------------------------------------------------------------- */

void stac_progress_begin(struct stac_progress *p, const struct stac_log *log, const char *phase, double total,
                         const char *unit) {
    FILE *screen = log && !log->quiet ? log->screen : NULL;
    *p = (struct stac_progress){
        .log = log, .phase = phase, .unit = unit, .total = total, .terminal = screen && isatty(fileno(screen))};
    p->began = p->shown = stac_clock_now();
    stac_activity_set(phase);
}

void stac_progress_fact(struct stac_progress *p, const char *name, double value) {
    int i = 0;
    while (i < p->n_facts && strcmp(p->fact[i].name, name) != 0) i++;
    if (i == (int)(sizeof p->fact / sizeof *p->fact)) return;
    if (i == p->n_facts) p->n_facts++;
    p->fact[i].name = name;
    p->fact[i].value = value;
}

double stac_progress_rate(const struct stac_progress *p, double now) {
    double elapsed = now - p->began;
    return elapsed > 0 ? (p->done - p->skipped) / elapsed : 0;
}

static void draw(struct stac_progress *p, double now) {
    char left[32] = "unknown";
    double share = p->total > 0 ? fmin(p->done / p->total, 1) : 0, rate = stac_progress_rate(p, now);
    if (rate > 0) stac_clock_duration(fmax(p->total - p->done, 0) / rate, left, sizeof left);
    fprintf(p->log->screen,
            p->terminal ? "\r\033[K  %-28s %3.0f %%   %.*f %s a second, %s left"
                        : "  %-28s %3.0f %%   %.*f %s a second, %s left\n",
            p->phase, 100 * share, stac_rate_digits(rate), rate, p->unit, left);
    fflush(p->log->screen);
    p->shown = now;
}

void stac_progress_step(struct stac_progress *p, double amount) {
    p->done += amount;
    if (!p->log) return;
    if (p->log->live) stac_live_tell(p->log->live, p);
    if (!p->log->screen || p->log->quiet) return;
    double now = stac_clock_now();
    if (now - p->shown >= (p->terminal ? REDRAW_SECONDS : LINE_SECONDS)) draw(p, now);
}

void stac_progress_skip(struct stac_progress *p, double amount) {
    p->done += amount;
    p->skipped += amount;
}

void stac_progress_end(struct stac_progress *p) {
    char took[32];
    stac_activity_set("");
    if (!p->log) return;
    if (p->terminal) fputs("\r\033[K", p->log->screen);
    stac_log_info(p->log, "  %-28s done in %s", p->phase, stac_clock_duration(stac_clock_now() - p->began, took, sizeof took));
}
