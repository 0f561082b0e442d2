#include "spool/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/strbuf.h"

static int system_error(struct stac_error *err, const char *verb, const char *name) {
    return stac_fail(err, STAC_ERR_IO, "cannot %s %.200s: %s", verb, name, strerror(errno));
}

/* ---- who may write ------------------------------------------------------------------------------------------------ */

static bool is_own_group(gid_t group) {
    gid_t groups[256];
    int n = getgroups(256, groups);
    if (group == getegid()) return true;
    for (int i = 0; i < n; i++)
        if (groups[i] == group) return true;
    return false;
}

/* NULL when nobody but the user, root and, where that is asked for, the user's own group can change it. */
static const char *distrust(const struct stat *st, bool group) {
    if (st->st_uid != geteuid() && st->st_uid != 0) return "belongs to another user";
    if (st->st_mode & S_IWOTH) return "can be written by everybody";
    if (!(st->st_mode & S_IWGRP)) return NULL;
    if (!group) return "can be written by its group (--group accepts that)";
    return is_own_group(st->st_gid) ? NULL : "can be written by a group that is not the user's";
}

/* Programs open jobs by their path, so nobody may exchange a folder above the spool. A sticky folder like /tmp is fine. */
static int check_above(const struct stac_spool *s, struct stac_error *err) {
    struct stat st;
    char *above = stac_strdup(s->path, err);
    if (!above) return err->status;
    int status = STAC_OK;
    for (char *slash; status == STAC_OK && (slash = strrchr(above, '/'));) {
        slash[slash == above] = 0;
        if (stat(above, &st) != 0)
            status = system_error(err, "examine", above);
        else if (st.st_mode & S_ISVTX)
            st.st_mode &= ~(mode_t)(S_IWGRP | S_IWOTH);
        const char *bad = status == STAC_OK ? distrust(&st, s->group) : NULL;
        if (bad) status = stac_fail(err, STAC_ERR_INPUT, "the folder %s above the spool %s", above, bad);
        if (slash == above) break;
    }
    free(above);
    return status;
}

/* ---- folders ------------------------------------------------------------------------------------------------------ */

static int open_folder(const struct stac_spool *s, int at, const char *name, int *out, struct stac_error *err) {
    struct stat st;
    mode_t mode = s->group ? 0777 : 0755; /* of which the umask takes its part */
    if (s->make && mkdirat(at, name, mode) != 0 && errno != EEXIST) return system_error(err, "create the folder", name);
    *out = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*out < 0 && (errno == ELOOP || errno == ENOTDIR))
        return stac_fail(err, STAC_ERR_INPUT, "%.200s is a link or no folder: a spool has folders only", name);
    if (*out < 0 || fstat(*out, &st) != 0) return system_error(err, "open the folder", name);
    const char *bad = distrust(&st, s->group);
    return bad ? stac_fail(err, STAC_ERR_INPUT, "the folder %.200s %s", name, bad) : STAC_OK;
}

/* The path without slashes at its end, behind which a link would be followed. */
static int open_top(struct stac_spool *s, const char *path, struct stac_error *err) {
    char *copy = stac_strdup(path, err);
    if (!copy) return err->status;
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--) copy[n - 1] = 0;
    int status = open_folder(s, AT_FDCWD, copy, &s->folder, err);
    if (status == STAC_OK && !(s->path = realpath(copy, NULL))) status = system_error(err, "find", copy);
    free(copy);
    return status;
}

int stac_spool_open(struct stac_spool *s, const char *path, struct stac_error *err) {
    s->path = NULL;
    s->folder = s->queue = s->running = s->done = s->failed = s->logs = -1;
    if (!*path) return stac_fail(err, STAC_ERR_USAGE, "the spool has no name");
    int status = open_top(s, path, err);
    if (status == STAC_OK) status = check_above(s, err);
    if (status == STAC_OK) status = open_folder(s, s->folder, "queue", &s->queue, err);
    if (status == STAC_OK) status = open_folder(s, s->folder, "running", &s->running, err);
    if (status == STAC_OK) status = open_folder(s, s->folder, "done", &s->done, err);
    if (status == STAC_OK) status = open_folder(s, s->folder, "failed", &s->failed, err);
    if (status == STAC_OK) status = open_folder(s, s->folder, "log", &s->logs, err);
    if (status != STAC_OK) {
        stac_spool_close(s);
        return stac_fail_in(err, "spool %.200s", path);
    }
    return STAC_OK;
}

void stac_spool_close(struct stac_spool *s) {
    int *all[] = {&s->folder, &s->queue, &s->running, &s->done, &s->failed, &s->logs};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (*all[i] >= 0) close(*all[i]);
        *all[i] = -1;
    }
    free(s->path);
    s->path = NULL;
}

/* ---- jobs --------------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

const char *stac_spool_program(const char *name) {
    if (ends_with(name, ".convert.yaml")) return "stac-convert";
    return ends_with(name, ".eval.yaml") ? "stac-eval" : NULL;
}

static bool is_safe_name(const char *name) {
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n > 0 && name[n] == 0 && n <= STAC_SPOOL_NAME && name[0] != '.';
}

static const char *distrust_name(const char *name) {
    if (!is_safe_name(name)) return "its name is not 1 to 200 of A-Z a-z 0-9 . _ -";
    return stac_spool_program(name) ? NULL : "its name ends neither in .convert.yaml nor in .eval.yaml";
}

/* A second name of a file would make renames undefined: rename(a, b) does nothing when both are the same file. */
static const char *distrust_file(const struct stac_spool *s, const struct stat *st) {
    if (S_ISLNK(st->st_mode)) return "it is a link, not a file";
    if (!S_ISREG(st->st_mode)) return "it is not a regular file";
    if (st->st_uid != geteuid()) return "it belongs to another user";
    if (st->st_nlink != 1) return "it has other names (hard links)";
    if (st->st_size > STAC_SPOOL_LARGEST) return "it has more than 1 MiB";
    return distrust(st, s->group);
}

enum stac_spool_verdict stac_spool_judge(const struct stac_spool *s, int folder, const char *name,
                                         char reason[STAC_SPOOL_REASON]) {
    struct stat st;
    const char *bad = distrust_name(name);
    if (!bad && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return STAC_SPOOL_UNKNOWN;
    if (!bad && !(bad = distrust_file(s, &st))) return STAC_SPOOL_ACCEPTED;
    snprintf(reason, STAC_SPOOL_REASON, "%s", bad);
    return STAC_SPOOL_REFUSED;
}

/* ---- moving ------------------------------------------------------------------------------------------------------- */

/* As links leave it that were cut short, or that a file server made when it was asked for the first time. */
static bool is_same_file(int a, const char *name_a, int b, const char *name_b) {
    struct stat x, y;
    return fstatat(a, name_a, &x, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(b, name_b, &y, AT_SYMLINK_NOFOLLOW) == 0 &&
           x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int stac_spool_move(int from, const char *name, int to, const char *as) {
    struct stat st;
    if (renameat2(from, name, to, as, RENAME_NOREPLACE) == 0) return 0;
    if (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP) {
        if (linkat(from, name, to, as, 0) == 0) return unlinkat(from, name, 0);
        if (errno != EEXIST && errno != ENOENT) {
            if (fstatat(to, as, &st, AT_SYMLINK_NOFOLLOW) != 0) return renameat(from, name, to, as);
            errno = EEXIST;
        }
    }
    if (errno != EEXIST) return -1;
    if (is_same_file(from, name, to, as)) return unlinkat(from, name, 0);
    errno = EEXIST;
    return -1;
}

/* ---- small files -------------------------------------------------------------------------------------------------- */

/* Where the file system knows no such thing, that is fine. */
static int sync_open(int fd, const char *name, struct stac_error *err) {
    return fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP ? system_error(err, "sync", name) : STAC_OK;
}

static int write_to(int fd, const char *name, const char *text, size_t size, struct stac_error *err) {
    for (size_t put = 0; put < size;) {
        ssize_t r = write(fd, text + put, size - put);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return system_error(err, "write", name);
        put += (size_t)r;
    }
    return sync_open(fd, name, err);
}

/* A new file under a name that begins with a dot, into `draft`. */
static int write_draft(int folder, const char *name, const char *text, size_t size, char draft[NAME_MAX + 1],
                       struct stac_error *err) {
    char mark[STAC_DRAFT_MARK];
    stac_draft_mark(mark);
    snprintf(draft, NAME_MAX + 1, ".%.*s.%s", STAC_SPOOL_NAME + 16, name, mark);
    unlinkat(folder, draft, 0); /* of an earlier process of that number */
    int fd = openat(folder, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) return system_error(err, "create", name);
    int status = write_to(fd, name, text, size, err);
    if (close(fd) != 0 && status == STAC_OK) status = system_error(err, "close", name);
    if (status != STAC_OK) unlinkat(folder, draft, 0);
    return status;
}

int stac_spool_write(int folder, const char *name, const char *text, size_t size, struct stac_error *err) {
    char draft[NAME_MAX + 1];
    STAC_TRY(write_draft(folder, name, text, size, draft, err));
    if (renameat(folder, draft, folder, name) == 0) return STAC_OK;
    int status = system_error(err, "rename a file to", name);
    unlinkat(folder, draft, 0);
    return status;
}

int stac_spool_submit(const struct stac_spool *s, const char *path, struct stac_error *err) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *bad = distrust_name(name);
    char draft[NAME_MAX + 1], *text;
    size_t size;
    if (bad) return stac_fail(err, STAC_ERR_USAGE, "the job %.200s: %s", path, bad);
    STAC_TRY(stac_file_read(path, STAC_SPOOL_LARGEST, &text, &size, err));
    int status = faccessat(s->done, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0
                     ? stac_fail(err, STAC_ERR_USAGE, "a job %s is done already", name)
                     : write_draft(s->queue, name, text, size, draft, err);
    free(text);
    STAC_TRY(status);
    if (stac_spool_move(s->queue, draft, s->queue, name) == 0) return sync_open(s->queue, "the queue", err);
    status = errno == EEXIST ? stac_fail(err, STAC_ERR_USAGE, "a job %s is in the queue already", name)
                             : system_error(err, "put into the queue", name);
    unlinkat(s->queue, draft, 0);
    return status;
}

/* ---- giving up ---------------------------------------------------------------------------------------------------- */

enum { LAST_BYTES = 4096, LAST_LINES = 20 };

/* The last lines of a job's log, "" without one. */
static void read_end(const struct stac_spool *s, const char *name, char out[LAST_BYTES + 1]) {
    char path[NAME_MAX + 1];
    struct stat st;
    ssize_t n = 0;
    out[0] = 0;
    snprintf(path, sizeof path, "%.*s.log", STAC_SPOOL_NAME, name);
    int fd = openat(s->logs, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = pread(fd, out, LAST_BYTES, st.st_size > LAST_BYTES ? st.st_size - LAST_BYTES : 0);
    close(fd);
    out[n > 0 ? n : 0] = 0;
    char *from = out + (n > 0 ? n : 0);
    for (int lines = 0; from > out && (from[-1] != '\n' || lines++ < LAST_LINES); from--) continue;
    memmove(out, from, strlen(from) + 1);
}

/* A name as text: what is not printable, and the backslash, as \xNN. */
static int spell(const char *name, struct stac_strbuf *out, struct stac_error *err) {
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        STAC_TRY(stac_strbuf_printf(out, err, c < 0x20 || c >= 0x7f || c == '\\' ? "\\x%02x" : "%c", c));
    }
    return STAC_OK;
}

static int explain(const struct stac_spool *s, const char *from, const char *name, const char *reason, struct stac_error *err) {
    char path[NAME_MAX + 1], end[LAST_BYTES + 1];
    struct stac_strbuf text = {0};
    read_end(s, name, end);
    snprintf(path, sizeof path, "%.*s.txt", STAC_SPOOL_NAME, name);
    int status = spell(from, &text, err);
    if (status == STAC_OK)
        status = stac_strbuf_printf(&text, err, ": %s\n%s%s", reason, *end ? "The end of its log:\n" : "", end);
    if (status == STAC_OK) status = stac_spool_write(s->failed, path, stac_strbuf_text(&text), text.size, err);
    if (status == STAC_OK) stac_log_warn(s->log, "failed   %.*s", (int)strcspn(text.data, "\n"), text.data);
    stac_strbuf_clean(&text);
    return status;
}

static bool is_folder(int folder, const char *name) {
    struct stat st;
    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* The name in failed/: its own or, where that is not safe, a digest; with a number before it from the second turn on. */
static void name_failed(const char *name, int turn, char out[STAC_SPOOL_NAME + 1]) {
    char safe[STAC_SPOOL_NAME + 1], lead[16] = "";
    if (is_safe_name(name))
        snprintf(safe, sizeof safe, "%s", name);
    else
        snprintf(safe, sizeof safe, "refused-%016llx", (unsigned long long)stac_xxh3(name, strlen(name)));
    if (turn > 0) snprintf(lead, sizeof lead, "%d.", turn);
    size_t n = strlen(safe), room = STAC_SPOOL_NAME - strlen(lead);
    snprintf(out, STAC_SPOOL_NAME + 1, "%s%.*s", lead, (int)room, safe + (n > room ? n - room : 0));
}

/* Under a name that no folder has in failed/, and no folder in place of its reason. 0, or -1 with errno. */
static int move_to_failed(const struct stac_spool *s, int folder, const char *name, char out[STAC_SPOOL_NAME + 1]) {
    enum { TURNS = 1000 };
    char reason[NAME_MAX + 1];
    for (int turn = 0; turn < TURNS; turn++) {
        name_failed(name, turn, out);
        snprintf(reason, sizeof reason, "%s.txt", out);
        if (is_folder(s->failed, reason)) continue;
        if (renameat(folder, name, s->failed, out) == 0) return 0;
        if (errno != EISDIR && errno != ENOTDIR && errno != ENOTEMPTY && errno != EEXIST) return -1;
    }
    return -1;
}

int stac_spool_give_up(const struct stac_spool *s, int folder, const char *name, const char *reason, struct stac_error *err) {
    char safe[STAC_SPOOL_NAME + 1];
    if (move_to_failed(s, folder, name, safe) != 0)
        return errno == ENOENT ? STAC_OK : system_error(err, "move to failed/", safe);
    return explain(s, name, safe, reason, err);
}

/* ---- lists -------------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A stream over a folder that leaves the descriptor alone. */
static DIR *open_stream(int folder) {
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0) close(fd);
    return dir;
}

int stac_spool_list(int folder, struct stac_spool_names *out, struct stac_error *err) {
    int status = STAC_OK;
    DIR *dir = open_stream(folder);
    stac_spool_free_names(out);
    if (!dir) return system_error(err, "read", "a folder of the spool");
    for (const struct dirent *e; status == STAC_OK && (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        status = stac_grow(&out->name, &out->cap, out->n + 1, sizeof *out->name, "a list of jobs", err);
        if (status == STAC_OK && !(out->name[out->n] = stac_strdup(e->d_name, err))) status = err->status;
        if (status == STAC_OK) out->n++;
    }
    closedir(dir);
    if (status != STAC_OK)
        stac_spool_free_names(out);
    else if (out->n > 0)
        qsort(out->name, out->n, sizeof *out->name, compare_names);
    return status;
}

void stac_spool_free_names(struct stac_spool_names *names) {
    for (size_t i = 0; i < names->n; i++) free(names->name[i]);
    free(names->name);
    *names = (struct stac_spool_names){0};
}

void stac_spool_sweep(int folder) {
    DIR *dir = open_stream(folder);
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        const char *mark = strrchr(e->d_name, '.');
        if (e->d_name[0] == '.' && stac_draft_mark_is_dead(mark + 1)) unlinkat(folder, e->d_name, 0);
    }
    if (dir) closedir(dir);
}
