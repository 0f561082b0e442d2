#include "result/watch.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/live.h"
#include "base/log.h"
#include "base/memory.h"

enum { LARGEST = 1 << 16, MOST_RANKS = 1 << 16, SILENT_SECONDS = 60 };

/* Whether the process that wrote a file was on this machine and is not there any more. */
static bool is_gone(const char *host, int64_t pid) {
    char own[64] = "";
    gethostname(own, sizeof own - 1);
    return strcmp(own, host) == 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static int write_facts(const json_t *o, struct stac_strbuf *out, struct stac_error *err) {
    const char *name;
    json_t *value, *facts = json_object_get(o, "facts");
    json_object_foreach(facts, name, value) {
        if (!json_is_number(value)) continue;
        STAC_TRY(stac_strbuf_printf(out, err, ", %.40s %.6g", name, json_number_value(value)));
    }
    return STAC_OK;
}

static int write_rank(const json_t *o, const char *path, struct stac_strbuf *out, struct stac_watched *seen,
                      struct stac_error *err) {
    const char *program, *phase, *unit, *host;
    int64_t rank, ranks, pid, written;
    double done, total, rate, left;
    char duration[32];
    STAC_TRY(stac_json_string_or(o, path, "program", "", &program, err));
    STAC_TRY(stac_json_string_or(o, path, "phase", "", &phase, err));
    STAC_TRY(stac_json_string_or(o, path, "unit", "", &unit, err));
    STAC_TRY(stac_json_string_or(o, path, "host", "", &host, err));
    STAC_TRY(stac_json_int(o, path, "rank", 0, MOST_RANKS, &rank, err));
    STAC_TRY(stac_json_int(o, path, "ranks", 1, MOST_RANKS, &ranks, err));
    STAC_TRY(stac_json_int(o, path, "pid", 1, INT32_MAX, &pid, err));
    STAC_TRY(stac_json_int(o, path, "written", 0, INT64_MAX, &written, err));
    STAC_TRY(stac_json_real_or(o, path, "done", 0, 1e300, 0, &done, err));
    STAC_TRY(stac_json_real_or(o, path, "total", 0, 1e300, 0, &total, err));
    STAC_TRY(stac_json_real_or(o, path, "rate", 0, 1e300, 0, &rate, err));
    STAC_TRY(stac_json_real_or(o, path, "seconds_left", -1e300, 1e300, -1, &left, err));
    double share = total > 0 ? 100 * done / total : 0, silent = (double)(time(NULL) - written);
    bool gone = is_gone(host, pid);
    seen->ranks++;
    seen->gone += gone;
    STAC_TRY(stac_strbuf_printf(out, err, "%.20s, rank %d of %d: %.40s %.0f %%, %.*f %.20s a second", program, (int)rank,
                                (int)ranks, phase, share < 100 ? share : 100, stac_rate_digits(rate), rate, unit));
    if (left >= 0) STAC_TRY(stac_strbuf_printf(out, err, ", %s left", stac_clock_duration(left, duration, sizeof duration)));
    STAC_TRY(write_facts(o, out, err));
    if (gone)
        STAC_TRY(stac_strbuf_printf(out, err, "; process %d is gone", (int)pid));
    else if (silent > SILENT_SECONDS)
        STAC_TRY(stac_strbuf_printf(out, err, "; no news for %s", stac_clock_duration(silent, duration, sizeof duration)));
    stac_one_line(out->data); /* whatever the file says */
    return stac_strbuf_puts(out, "\n", err);
}

/* A file that went away meanwhile, or that nobody here wrote, is passed over. */
static int read_rank(const char *folder, int rank, struct stac_strbuf *out, struct stac_watched *seen, struct stac_error *err) {
    struct stac_error quiet = {0};
    struct stac_strbuf line = {0};
    char name[32];
    json_t *o = NULL;
    snprintf(name, sizeof name, "rank-%d.json", rank);
    char *path = stac_file_join(folder, name, err);
    if (!path) return err->status;
    int status = STAC_OK;
    if (stac_json_load(path, LARGEST, &o, &quiet) == STAC_OK && write_rank(o, path, &line, seen, &quiet) == STAC_OK)
        status = stac_strbuf_puts(out, stac_strbuf_text(&line), err);
    json_decref(o);
    stac_strbuf_clean(&line);
    free(path);
    return status;
}

static int by_number(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* Numbers of the ranks that have a file, ascending. */
static int list_ranks(const char *folder, int *rank, int *n, struct stac_error *err) {
    const struct dirent *entry;
    DIR *d = opendir(folder);
    *n = 0;
    if (!d && errno != ENOENT) return stac_fail(err, STAC_ERR_IO, "cannot look into %s: %s", folder, strerror(errno));
    while (d && (entry = readdir(d)) && *n < MOST_RANKS) {
        int number, end = 0;
        if (sscanf(entry->d_name, "rank-%5d.json%n", &number, &end) == 1 && end > 0 && !entry->d_name[end] && number >= 0)
            rank[(*n)++] = number;
    }
    if (d) closedir(d);
    qsort(rank, (size_t)*n, sizeof *rank, by_number);
    return STAC_OK;
}

int stac_watch_read(const char *folder, struct stac_strbuf *out, struct stac_watched *seen, struct stac_error *err) {
    char *live = stac_live_folder(folder, err);
    int *rank = NULL, n = 0, status = live ? STAC_NEW(rank, MOST_RANKS, "ranks", err) : err->status;
    *seen = (struct stac_watched){0};
    if (status == STAC_OK) status = list_ranks(live, rank, &n, err);
    for (int i = 0; i < n && status == STAC_OK; i++) status = read_rank(live, rank[i], out, seen, err);
    free(rank);
    free(live);
    return status;
}
