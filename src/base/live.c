#include "base/live.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

/* Seconds between two versions of a file; of many ranks each takes longer, so that a shared file system sees a few a second. */
static double interval(const struct stac_live *l) {
    return l->ranks > 16 ? l->ranks / 16.0 : 1;
}

char *stac_live_folder(const char *folder, struct stac_error *err) {
    return stac_file_beside(folder, ".progress", err);
}

/* Files of a program that was killed. */
static void take_away_old(const char *folder) {
    DIR *d = opendir(folder);
    const struct dirent *entry;
    struct stac_error quiet = {0};
    while (d && (entry = readdir(d))) {
        if (strncmp(entry->d_name, "rank-", 5) != 0) continue;
        char *path = stac_file_join(folder, entry->d_name, &quiet);
        if (path) unlink(path);
        free(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}

int stac_live_init(struct stac_live *l, const char *folder, const char *program, int rank, int ranks, struct stac_error *err) {
    char name[32];
    *l = (struct stac_live){.program = program, .rank = rank, .ranks = ranks, .written = stac_clock_now()};
    snprintf(name, sizeof name, "rank-%d.json", rank);
    if (!(l->folder = stac_live_folder(folder, err))) return err->status;
    if (rank == 0) take_away_old(l->folder);
    l->path = stac_file_join(l->folder, name, err);
    return l->path ? STAC_OK : err->status;
}

/* NULL when memory is short. */
static char *describe(const struct stac_live *l, const struct stac_progress *p) {
    char host[64] = "";
    double now = stac_clock_now(), elapsed = now - p->began, rate = stac_progress_rate(p, now);
    gethostname(host, sizeof host - 1);
    json_t *facts = json_object();
    for (int i = 0; i < p->n_facts; i++) json_object_set_new(facts, p->fact[i].name, json_real(p->fact[i].value));
    json_t *o =
        json_pack("{s:s, s:i, s:i, s:s, s:I, s:I, s:s, s:f, s:f, s:s, s:f, s:f, s:f, s:o}", "program", l->program, "rank",
                  l->rank, "ranks", l->ranks, "host", host, "pid", (json_int_t)getpid(), "written", (json_int_t)time(NULL),
                  "phase", p->phase, "done", p->done, "total", p->total, "unit", p->unit, "rate", rate, "seconds", elapsed,
                  "seconds_left", rate > 0 ? (p->total - p->done) / rate : -1.0, "facts", facts);
    char *text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(o);
    return text;
}

/* No sync to the disk: it is for the moment only. */
static bool put(const char *path, const char *text) {
    char other[4096];
    if (snprintf(other, sizeof other, "%s.tmp", path) >= (int)sizeof other) return false;
    FILE *f = fopen(other, "wx");
    if (!f) return false;
    bool good = fputs(text, f) >= 0;
    good = fclose(f) == 0 && good && rename(other, path) == 0;
    if (!good) unlink(other);
    return good;
}

bool stac_live_is_due(const struct stac_live *l) {
    return l->path && stac_clock_now() - l->written >= interval(l);
}

void stac_live_tell(struct stac_live *l, const struct stac_progress *p) {
    if (!stac_live_is_due(l)) return;
    l->written = stac_clock_now();
    mkdir(l->folder, 0777);
    char *text = describe(l, p);
    if (text && put(l->path, text)) {
        free(text);
        return;
    }
    free(text);
    stac_live_clean(l); /* not here, then */
}

void stac_live_clean(struct stac_live *l) {
    if (l->path) unlink(l->path);
    if (l->folder) rmdir(l->folder);
    free(l->path);
    free(l->folder);
    l->path = l->folder = NULL;
}
