#include "spool/owner.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/process.h"

static const char heartbeat[] = ".heartbeat";

/* ---- names -------------------------------------------------------------------------------------------------------- */

static size_t read_small(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, size - 1) : 0;
    if (fd >= 0) close(fd);
    out[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

static unsigned machine(void) {
    char text[256];
    size_t n = read_small("/proc/sys/kernel/random/boot_id", text, sizeof text / 2);
    ssize_t m = readlink("/proc/self/ns/pid", text + n, sizeof text / 2);
    return (unsigned)stac_xxh3(text, n + (m > 0 ? (size_t)m : 0));
}

static void own_name(char *out, size_t size) {
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    for (char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-') *c = '-';
    snprintf(out, size, "%.48s.%08x.%ld.%llu", *host ? host : "host", machine(), (long)getpid(), stac_process_began(getpid()));
}

struct identity {
    char host[64];
    unsigned machine;
    long pid;
    unsigned long long start;
};

static bool read_name(const char *name, struct identity *id) {
    char rest;
    return sscanf(name, "%48[A-Za-z0-9-].%8x.%ld.%llu%c", id->host, &id->machine, &id->pid, &id->start, &rest) == 4;
}

void stac_owner_host(const char *owner, char *out, size_t size) {
    snprintf(out, size, "%.*s", (int)strcspn(owner, "."), owner);
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

static int make_folder(struct stac_owner *o, struct stac_error *err) {
    if (o->folder >= 0) close(o->folder);
    o->folder = -1;
    if (mkdirat(o->spool->running, o->name, 0755) != 0 && errno != EEXIST)
        return stac_fail(err, STAC_ERR_IO, "cannot create running/%s: %s", o->name, strerror(errno));
    o->folder = openat(o->spool->running, o->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int fd = o->folder < 0 ? -1 : openat(o->folder, heartbeat, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) return stac_fail(err, STAC_ERR_IO, "cannot open running/%s: %s", o->name, strerror(errno));
    close(fd);
    return STAC_OK;
}

int stac_owner_begin(struct stac_owner *o, const struct stac_spool *spool, struct stac_error *err) {
    *o = (struct stac_owner){.spool = spool, .folder = -1};
    own_name(o->name, sizeof o->name);
    return make_folder(o, err);
}

int stac_owner_beat(struct stac_owner *o, bool *lost, struct stac_error *err) {
    *lost = utimensat(o->folder, heartbeat, NULL, AT_SYMLINK_NOFOLLOW) != 0 && (errno == ENOENT || errno == ESTALE);
    return *lost ? make_folder(o, err) : STAC_OK; /* another failure is left to the next beat */
}

void stac_owner_end(struct stac_owner *o) {
    if (o->folder < 0) return;
    unlinkat(o->folder, heartbeat, 0);
    close(o->folder);
    o->folder = -1;
    unlinkat(o->spool->running, o->name, AT_REMOVEDIR);
}

void stac_owner_warn(struct stac_owner *o, const struct stac_error *trouble) {
    uint64_t digest = stac_xxh3(trouble->text, strlen(trouble->text));
    for (int i = 0; i < STAC_OWNER_TOLD; i++)
        if (o->told[i] == digest) return;
    o->told[o->n_told++ % STAC_OWNER_TOLD] = digest;
    stac_log_warn(o->spool->log, "%s", trouble->text);
}

/* ---- others ------------------------------------------------------------------------------------------------------- */

/* Of the folder where the file is missing: it died between making the one and the other. */
static bool last_beat(const struct stac_spool *s, const char *owner, struct timespec *out) {
    char path[NAME_MAX + sizeof heartbeat + 1];
    struct stat st;
    snprintf(path, sizeof path, "%.*s/%s", NAME_MAX, owner, heartbeat);
    if (fstatat(s->running, path, &st, AT_SYMLINK_NOFOLLOW) != 0 && fstatat(s->running, owner, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    *out = st.st_mtim;
    return true;
}

static double seconds_between(struct timespec from, struct timespec to) {
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

double stac_owner_age(const struct stac_spool *s, const struct stac_owner *o, const char *other) {
    struct timespec theirs, now;
    if (!last_beat(s, other, &theirs)) return -1;
    if (!o || !last_beat(s, o->name, &now)) clock_gettime(CLOCK_REALTIME, &now);
    return seconds_between(theirs, now);
}

double stac_owner_since(const struct stac_owner *o, struct timespec then) {
    struct stat st;
    if (utimensat(o->folder, heartbeat, NULL, AT_SYMLINK_NOFOLLOW) != 0 ||
        fstatat(o->folder, heartbeat, &st, AT_SYMLINK_NOFOLLOW) != 0)
        clock_gettime(CLOCK_REALTIME, &st.st_mtim);
    return seconds_between(then, st.st_mtim);
}

enum stac_owner_state stac_owner_look(const struct stac_owner *o, const char *other, double patience) {
    struct identity id = {0};
    if (strcmp(other, o->name) == 0) return STAC_OWNER_ALIVE;
    if (read_name(other, &id) && id.machine == machine())
        return stac_process_began(id.pid) == id.start && id.start != 0 ? STAC_OWNER_ALIVE : STAC_OWNER_DEAD;
    return stac_owner_age(o->spool, o, other) > patience ? STAC_OWNER_SILENT : STAC_OWNER_ALIVE;
}

/* ---- who works for it --------------------------------------------------------------------------------------------- */

struct hunt {
    const char *owner;
    int found;
};

static void kill_worker(long pid, void *ctx) {
    struct hunt *h = ctx;
    char value[160];
    if (!stac_process_variable(pid, STAC_OWNER_VARIABLE, value, sizeof value) || strcmp(value, h->owner) != 0) return;
    kill((pid_t)pid, SIGKILL);
    h->found++;
}

bool stac_owner_kill_workers(const char *owner) {
    enum { TURNS = 100 };
    for (int turn = 0, none = 0; turn < TURNS; turn++) {
        struct hunt hunt = {.owner = owner};
        stac_process_each(kill_worker, &hunt);
        none = hunt.found == 0 ? none + 1 : 0;
        if (none == 2) return true; /* a second look, at what was born during the first */
        if (none == 0) stac_clock_pause(0.05);
    }
    return false;
}
