#include "spool/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot(struct stac_error *err, const char *verb, const char *name) {
    return stac_fail(err, STAC_ERR_IO, "cannot %s the job %s: %s", verb, name, strerror(errno));
}

/* ---- tries -------------------------------------------------------------------------------------------------------- */

static void tries_name(const char *job, char out[NAME_MAX + 1]) {
    snprintf(out, NAME_MAX + 1, "%.*s.tries", STAC_SPOOL_NAME, job);
}

/* What cannot be read counts as the first try. */
static struct stac_tries read_tries(const struct stac_spool *s, const char *job) {
    char name[NAME_MAX + 1], text[64] = "";
    struct stac_tries t = {0};
    tries_name(job, name);
    int fd = openat(s->logs, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return t;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0 || sscanf(text, "failures %d returns %d", &t.failures, &t.returns) != 2) t = (struct stac_tries){0};
    return t;
}

static int write_tries(const struct stac_spool *s, const char *job, const struct stac_tries *t, struct stac_error *err) {
    char name[NAME_MAX + 1], text[64];
    tries_name(job, name);
    int n = snprintf(text, sizeof text, "failures %d returns %d\n", t->failures, t->returns);
    return stac_spool_write(s->logs, name, text, (size_t)n, err);
}

static void forget_tries(const struct stac_spool *s, const char *job) {
    char name[NAME_MAX + 1];
    tries_name(job, name);
    unlinkat(s->logs, name, 0);
}

/* ---- claiming ----------------------------------------------------------------------------------------------------- */

static bool is_there(int folder, const char *name) {
    struct stat st;
    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Neither is_there nor is_gone: nobody knows, because a disk or a file server does not answer. */
static bool is_gone(int folder, const char *name) {
    struct stat st;
    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 && (errno == ENOENT || errno == ENOTDIR || errno == ESTALE);
}

/* Another job of this name is being worked on, as far as anybody knows: this one has to wait for its end. */
static bool is_running(const struct stac_spool *s, const char *name) {
    struct stac_spool_names owners = {0};
    struct stac_error quiet = {0};
    char path[2 * NAME_MAX + 2];
    bool found = false;
    if (stac_spool_list(s->running, &owners, &quiet) != STAC_OK) return true;
    for (size_t i = 0; !found && i < owners.n; i++) {
        snprintf(path, sizeof path, "%s/%s", owners.name[i], name);
        found = !is_gone(s->running, path);
    }
    stac_spool_free_names(&owners);
    return found;
}

/* Move an entry that is no job out of the way; where that is not possible it stays, and is said once. */
static void refuse(struct stac_owner *o, int folder, const char *name, const char *reason) {
    struct stac_error err = {0};
    if (stac_spool_give_up(o->spool, folder, name, reason, &err) != STAC_OK) stac_owner_warn(o, &err);
}

/* A second name that is seconds old is of a submission, by links, that has not come to its end; or never will, for it was
 * killed. */
static bool is_being_put(const struct stac_owner *o, const char *name) {
    enum { SECONDS = 3 };
    struct stat st;
    int queue = o->spool->queue;
    if (fstatat(queue, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 2) return false;
    if (stac_owner_since(o, st.st_ctim) < SECONDS) return true;
    stac_spool_sweep(queue);
    return fstatat(queue, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink == 1;
}

/* By a rename; *ours is false when another was faster. */
static int take(struct stac_owner *o, const char *name, bool *ours, struct stac_error *err) {
    bool lost;
    *ours = renameat(o->spool->queue, name, o->folder, name) == 0;
    if (*ours) return STAC_OK;
    if (errno != ENOENT && errno != ESTALE) return cannot(err, "claim", name);
    STAC_TRY(stac_owner_beat(o, &lost, err)); /* our folder may be gone */
    *ours = is_there(o->folder, name);        /* a file server may have asked twice, and renamed the first time */
    return STAC_OK;
}

/* Uncounted. */
static int put_back(struct stac_owner *o, const char *name, struct stac_error *err) {
    if (stac_spool_move(o->folder, name, o->spool->queue, name) == 0 || errno == ENOENT) return STAC_OK;
    return cannot(err, "put back", name);
}

/* Looks again once the job is ours: what was looked at before might have been exchanged. */
static int claim(struct stac_owner *o, const char *name, struct stac_claim *c, bool *found, struct stac_error *err) {
    const struct stac_spool *s = o->spool;
    char reason[STAC_SPOOL_REASON];
    bool ours;
    enum stac_spool_verdict verdict = stac_spool_judge(s, s->queue, name, reason);
    if (verdict == STAC_SPOOL_REFUSED && is_there(s->queue, name) && !is_being_put(o, name)) refuse(o, s->queue, name, reason);
    if (verdict != STAC_SPOOL_ACCEPTED || is_running(s, name)) return STAC_OK;
    STAC_TRY(take(o, name, &ours, err));
    if (!ours) return STAC_OK;
    verdict = stac_spool_judge(s, o->folder, name, reason);
    if (verdict == STAC_SPOOL_UNKNOWN) return put_back(o, name, err);
    if (verdict == STAC_SPOOL_REFUSED)
        refuse(o, o->folder, name, reason);
    else if (is_there(s->done, name))
        refuse(o, o->folder, name, "a job of this name is done already");
    else
        *found = true;
    if (*found) snprintf(c->name, sizeof c->name, "%s", name);
    if (*found) c->tries = read_tries(s, name);
    return STAC_OK;
}

int stac_claim_next(struct stac_owner *o, struct stac_spool_names *names, struct stac_claim *c, bool *found,
                    struct stac_error *err) {
    *found = false;
    if (names->at >= names->n) STAC_TRY(stac_spool_list(o->spool->queue, names, err));
    while (!*found && names->at < names->n) STAC_TRY(claim(o, names->name[names->at++], c, found, err));
    return STAC_OK;
}

bool stac_claim_holds(const struct stac_owner *o, const struct stac_claim *c) {
    return !is_gone(o->folder, c->name);
}

/* ---- ends --------------------------------------------------------------------------------------------------------- */

/* What a rename has come to: LOST when the job had been taken back. */
static int moved(int failed, const char *name, int to, enum stac_claim_end *end, struct stac_error *err) {
    int error = failed ? errno : 0;
    *end = STAC_CLAIM_LOST;
    if ((error == ENOENT || error == ESTALE) && !is_there(to, name)) return STAC_OK;
    if (error && error != ENOENT && error != ESTALE)
        return stac_fail(err, STAC_ERR_IO, "cannot move the job %s: %s", name, strerror(error));
    fsync(to); /* so that it is still there after a loss of power; where that is not possible it is done again */
    *end = STAC_CLAIM_MOVED;
    return STAC_OK;
}

int stac_claim_done(struct stac_owner *o, const struct stac_claim *c, const char *record, enum stac_claim_end *end,
                    struct stac_error *err) {
    const struct stac_spool *s = o->spool;
    char name[NAME_MAX + 1];
    *end = STAC_CLAIM_LOST;
    if (!stac_claim_holds(o, c)) return STAC_OK;
    snprintf(name, sizeof name, "%s.json", c->name);
    STAC_TRY(stac_spool_write(s->done, name, record, strlen(record), err));
    STAC_TRY(moved(renameat(o->folder, c->name, s->done, c->name), c->name, s->done, end, err));
    if (*end == STAC_CLAIM_LOST) return STAC_OK;
    forget_tries(s, c->name);
    snprintf(name, sizeof name, "%s.txt", c->name);
    if (!is_there(s->failed, c->name)) unlinkat(s->failed, name, 0); /* of an earlier life */
    return STAC_OK;
}

int stac_claim_back(struct stac_owner *o, const struct stac_claim *c, enum stac_claim_end *end, struct stac_error *err) {
    int queue = o->spool->queue;
    *end = STAC_CLAIM_LOST;
    if (!stac_claim_holds(o, c)) return STAC_OK;
    STAC_TRY(write_tries(o->spool, c->name, &c->tries, err));
    int failed = stac_spool_move(o->folder, c->name, queue, c->name);
    if (!failed || errno != EEXIST) return moved(failed, c->name, queue, end, err);
    *end = STAC_CLAIM_GIVEN_UP;
    return stac_claim_give_up(o, c, "it was to go back to the queue, where a newer job has taken its name", err);
}

int stac_claim_give_up(struct stac_owner *o, const struct stac_claim *c, const char *reason, struct stac_error *err) {
    STAC_TRY(stac_spool_give_up(o->spool, o->folder, c->name, reason, err));
    forget_tries(o->spool, c->name);
    return STAC_OK;
}

/* ---- taking back -------------------------------------------------------------------------------------------------- */

static int take_back_job(struct stac_owner *dead, const char *name, int returns, struct stac_error *err) {
    struct stac_claim c = {.tries = read_tries(dead->spool, name)};
    char reason[STAC_SPOOL_REASON];
    enum stac_claim_end end;
    snprintf(c.name, sizeof c.name, "%s", name);
    if (++c.tries.returns > returns) {
        snprintf(reason, sizeof reason, "it came back %d times, the last time because its service died", c.tries.returns);
        return stac_claim_give_up(dead, &c, reason, err);
    }
    STAC_TRY(stac_claim_back(dead, &c, &end, err));
    if (end == STAC_CLAIM_MOVED) stac_log_info(dead->spool->log, "took back %s from %s", name, dead->name);
    return STAC_OK;
}

/* Everything of one service that is gone, and its folder. A job that cannot be moved is told, and stays. */
static void take_back_all(struct stac_owner *o, const char *owner, int returns) {
    struct stac_owner dead = {.spool = o->spool};
    struct stac_spool_names names = {0};
    snprintf(dead.name, sizeof dead.name, "%s", owner);
    dead.folder = openat(o->spool->running, owner, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dead.folder < 0) return; /* another was faster, or it is no owner's folder */
    struct stac_error trouble = {0};
    if (stac_spool_list(dead.folder, &names, &trouble) != STAC_OK) stac_owner_warn(o, &trouble);
    for (size_t i = 0; i < names.n; i++) {
        stac_error_clear(&trouble);
        if (take_back_job(&dead, names.name[i], returns, &trouble) != STAC_OK) stac_owner_warn(o, &trouble);
    }
    stac_spool_free_names(&names);
    stac_owner_end(&dead);
}

int stac_claim_take_back(struct stac_owner *o, double patience, int returns, struct stac_error *err) {
    struct stac_spool_names owners = {0};
    int status = stac_spool_list(o->spool->running, &owners, err);
    for (size_t i = 0; status == STAC_OK && i < owners.n; i++) {
        enum stac_owner_state state = stac_owner_look(o, owners.name[i], patience);
        if (state == STAC_OWNER_ALIVE) continue;
        if (state == STAC_OWNER_DEAD && !stac_owner_kill_workers(owners.name[i]))
            continue; /* they would write beside the next */
        take_back_all(o, owners.name[i], returns);
    }
    stac_spool_free_names(&owners);
    return status;
}
