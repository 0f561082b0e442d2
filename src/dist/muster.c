#include "dist/muster.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"

static const double patience = 5, farewell = 1.5; /* seconds; farewell: until all watchers have seen that it is said */
enum { BETWEEN_LOOKS = 200 };                     /* milliseconds */

/* ---- the process beside a rank ------------------------------------------------------------------------------------ */

/* Whether nobody of this job has said on this machine what ends it: a name that goes away with the process that has it. */
static bool speaks_first(void) {
    const char *namespace = getenv("PMIX_NAMESPACE");
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "stac-muster %.80s", namespace ? namespace : "");
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return s < 0 || bind(s, (const struct sockaddr *)&name, size) == 0 || errno != EADDRINUSE;
}

static void say(const char *fate) {
    const char *number = getenv("PMIX_RANK");
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    fprintf(stderr, "error: rank %s on %s, while ranks gather: %s\n", number ? number : "?", host, fate);
}

static void end_rank(pid_t rank) {
    if (getppid() == rank) kill(rank, SIGKILL); /* else it has ended, and the number may be another's */
}

/* All ranks of a machine come to this at about the same time. */
static void end_waiting(pid_t rank) {
    if (speaks_first()) say("others are missing; see whether they and their machines run");
    end_rank(rank);
    stac_clock_pause(farewell);
}

/* Until `pipe` closes, with the rank or by it. */
static void watch(pid_t rank, int pipe, double limit) {
    struct pollfd end = {.fd = pipe};
    double began = stac_clock_now(), last = began, ran = began; /* when it was last seen not to be stopped */
    while (poll(&end, 1, BETWEEN_LOOKS) == 0) {
        double now = stac_clock_now();
        if (now - last > 1) began += now - last, ran = now; /* it is the watcher that stood still */
        last = now;
        if (!stac_process_is_stopped(rank)) ran = now;
        if (now - ran > patience) {
            say("it is stopped");
            end_rank(rank);
            return;
        }
        if (now - began > limit) {
            end_waiting(rank);
            return;
        }
    }
}

/* ---- begin and end ------------------------------------------------------------------------------------------------ */

int stac_muster_begin(struct stac_muster *m, double limit, struct stac_error *err) {
    int ends[2];
    pid_t rank = getpid();
    *m = (struct stac_muster){0};
    if (!getenv("PMIX_NAMESPACE")) return STAC_OK;
    if (pipe2(ends, O_CLOEXEC) != 0) return stac_fail(err, STAC_ERR_RANK, "cannot make a pipe: %s", strerror(errno));
    pid_t watcher = fork();
    if (watcher == 0) {
        setpgid(0, 0); /* a signal for all of the rank's group is not for it */
        close(ends[1]);
        watch(rank, ends[0], limit);
        _exit(0);
    }
    close(ends[0]);
    if (watcher > 0) {
        *m = (struct stac_muster){.held = ends[1], .watcher = (long)watcher};
        return STAC_OK;
    }
    int failed = errno;
    close(ends[1]);
    return stac_fail(err, STAC_ERR_RANK, "cannot begin the process that watches a rank: %s", strerror(failed));
}

void stac_muster_end(struct stac_muster *m) {
    if (m->watcher == 0) return;
    close(m->held);
    while (waitpid((pid_t)m->watcher, NULL, 0) < 0 && errno == EINTR) continue;
    *m = (struct stac_muster){0};
}
