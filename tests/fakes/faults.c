/* Calls that fail: a stand-in for disks and memory that do. STAC_FAULT="CALL NTH ERRNO": the NTH call of CALL and all later
 * ones fail. CALL is write, fsync, rename, look (fstatat), noreplace (renames that must not replace, and STAC_FAULT_DIR does
 * not count) or memory; "short NTH 0": half is written of what is asked. Only files below STAC_FAULT_DIR count. STAC_FAULT_HIT
 * names a file that is made when it happens. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
    char call[16];
    long nth;
    int error;
} fault;
static atomic_long seen;

__attribute__((constructor)) static void read_fault(void) {
    const char *text = getenv("STAC_FAULT");
    if (text) sscanf(text, "%15s %ld %d", fault.call, &fault.nth, &fault.error);
}

static int hits(const char *call) {
    if (strcmp(call, fault.call) != 0 || atomic_fetch_add(&seen, 1) + 1 < fault.nth) return 0;
    const char *mark = getenv("STAC_FAULT_HIT");
    int fd = mark ? open(mark, O_CREAT | O_WRONLY, 0600) : -1;
    if (fd >= 0) close(fd);
    errno = fault.error;
    return 1;
}

static int is_below(const char *path) {
    const char *dir = getenv("STAC_FAULT_DIR");
    return dir && path && strncmp(path, dir, strlen(dir)) == 0;
}

static int counts(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return is_below(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t n) {
    if (fault.nth && counts(fd)) {
        if (hits("write")) return -1;
        if (n > 1 && hits("short")) n /= 2;
    }
    return REAL(write)(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    if (fault.nth && counts(fd)) {
        if (hits("write")) return -1;
        if (n > 1 && hits("short")) n /= 2;
    }
    return REAL(pwrite)(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    return pwrite(fd, data, n, (off_t)at);
}

int fsync(int fd) {
    if (fault.nth && counts(fd) && hits("fsync")) return -1;
    return REAL(fsync)(fd);
}

int rename(const char *from, const char *to) {
    if (fault.nth && is_below(to) && hits("rename")) return -1;
    return REAL(rename)(from, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    if (fault.nth && is_below(to) && hits("rename")) return -1;
    if (fault.nth && (flags & RENAME_NOREPLACE) && hits("noreplace")) return -1;
    return REAL(renameat2)(from_dir, from, to_dir, to, flags);
}

int fstatat(int dir, const char *path, struct stat *st, int flags) {
    if (fault.nth && counts(dir) && hits("look")) return -1;
    return REAL(fstatat)(dir, path, st, flags);
}

/* What the library takes its memory with. */
void *aligned_alloc(size_t alignment, size_t size) {
    if (fault.nth && hits("memory")) return NULL;
    return REAL(aligned_alloc)(alignment, size);
}
