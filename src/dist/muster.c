#include "dist/muster.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/thread.h"

static const double patience = 5, between_looks = 0.2, farewell = 1.5; /* seconds; farewell: until all have seen it */

/* Whether nobody of this job has said on this machine what ends it: a name that goes away with the process that has it. */
static bool speaks_first(const char *namespace) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "stac-muster %.80s", namespace);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return s < 0 || bind(s, (const struct sockaddr *)&name, size) == 0 || errno != EADDRINUSE;
}

static void end_job(const struct stac_muster *m, const char *who, const char *fate) {
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    if (speaks_first(m->namespace)) fprintf(stderr, "error: rank %s on %s, while ranks gather: %s\n", who, host, fate);
    stac_clock_pause(farewell);
    _exit(stac_exit_code(STAC_ERR_RANK));
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
    end_job(m, rank, "it is stopped");
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
            end_job(m, getenv("PMIX_RANK") ? getenv("PMIX_RANK") : "?",
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
