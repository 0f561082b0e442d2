#include "dist/muster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/thread.h"

enum { EXIT_CODE = 4 };
static const double patience = 5, between_looks = 0.2, turn = 0.3; /* seconds; turn: the first says it, and ends the others */

static int own_number(const char *variable) {
    const char *value = getenv(variable);
    return value ? (int)strtol(value, NULL, 10) : 0;
}

/* The ranks of a machine speak in turn, so that one does. */
static void end_job(const char *who, const char *fate) {
    int place = own_number(getenv("SLURM_LOCALID") ? "SLURM_LOCALID" : "OMPI_COMM_WORLD_LOCAL_RANK");
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    stac_clock_pause(turn * (place < 8 ? place : 8));
    fprintf(stderr, "error: rank %s on %s, while ranks gather: %s\n", who, host, fate);
    _exit(EXIT_CODE);
}

/* ---- looking ------------------------------------------------------------------------------------------------------ */

static bool same_program(long pid) {
    char path[64];
    struct stat mine, theirs;
    snprintf(path, sizeof path, "/proc/%ld/exe", pid);
    return stat(path, &theirs) == 0 && stat("/proc/self/exe", &mine) == 0 && mine.st_ino == theirs.st_ino &&
           mine.st_dev == theirs.st_dev;
}

struct look {
    const struct stac_muster *m;
    long lowest; /* of the ranks that are stopped: one process is followed */
};

static void look_at(long pid, void *ctx) {
    struct look *l = ctx;
    char namespace[sizeof l->m->namespace];
    if ((l->lowest != 0 && pid > l->lowest) || !stac_process_is_stopped(pid)) return;
    if (!stac_process_variable(pid, "PMIX_NAMESPACE", namespace, sizeof namespace)) return;
    if (strcmp(namespace, l->m->namespace) == 0 && same_program(pid)) l->lowest = pid;
}

static void look_around(struct stac_muster *m, double now) {
    struct look look = {.m = m};
    char rank[16] = "?";
    stac_process_each(look_at, &look);
    if (look.lowest != m->stopped) m->since = now;
    m->stopped = look.lowest;
    if (m->stopped == 0 || now - m->since < patience) return;
    stac_process_variable(m->stopped, "PMIX_RANK", rank, sizeof rank);
    end_job(rank, "it is stopped");
}

static void *watch(void *ctx) {
    struct stac_muster *m = ctx;
    double last = m->began;
    while (!atomic_load(&m->over)) {
        double now = stac_clock_now();
        if (now - last > 1) m->began += now - last, m->since = now; /* it is this rank that stood still */
        last = now;
        look_around(m, now);
        if (now - m->began > m->limit)
            end_job(getenv("PMIX_RANK") ? getenv("PMIX_RANK") : "?",
                    "others are missing; see whether they and their machines run");
        stac_clock_pause(between_looks);
    }
    return NULL;
}

/* ---- begin and end ------------------------------------------------------------------------------------------------ */

int stac_muster_begin(struct stac_muster *m, double limit, struct stac_error *err) {
    const char *namespace = getenv("PMIX_NAMESPACE");
    *m = (struct stac_muster){.limit = limit, .began = stac_clock_now()};
    if (!namespace) return STAC_OK;
    snprintf(m->namespace, sizeof m->namespace, "%s", namespace);
    STAC_TRY(stac_thread_begin(&m->thread, watch, m, err));
    m->watches = true;
    return STAC_OK;
}

void stac_muster_dismiss(struct stac_muster *m) {
    atomic_store(&m->over, true);
}

void stac_muster_end(struct stac_muster *m) {
    stac_muster_dismiss(m);
    if (m->watches) pthread_join(m->thread, NULL);
    m->watches = false;
}
