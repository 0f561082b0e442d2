#include "base/draft.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/process.h"

/* Where process numbers mean the same: this machine and name space. */
static uint32_t machine(void) {
    char name[320] = "";
    gethostname(name, 255);
    size_t n = strlen(name);
    ssize_t more = readlink("/proc/self/ns/pid", name + n, sizeof name - n);
    return (uint32_t)stac_xxh3(name, n + (more > 0 ? (size_t)more : 0));
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)kind, (void)at;
    return remove(path);
}

int stac_draft_remove(const char *path, struct stac_error *err) {
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_IO, "cannot remove %s: %s", path, strerror(errno));
}

void stac_draft_mark(char out[STAC_DRAFT_MARK]) {
    snprintf(out, STAC_DRAFT_MARK, "%08x-%d", machine(), (int)getpid());
}

bool stac_draft_mark_is_dead(const char *mark) {
    char lead[16], *end;
    int n = snprintf(lead, sizeof lead, "%08x-", machine());
    if (strncmp(mark, lead, (size_t)n) != 0 || mark[n] < '1' || mark[n] > '9') return false;
    errno = 0;
    long pid = strtol(mark + n, &end, 10);
    return *end == 0 && errno == 0 && pid <= INT_MAX && stac_process_is_gone(pid);
}

/* Whether a name is `lead` and then the mark of a process that is not there any more. */
static bool is_left_behind(const char *name, const char *lead) {
    size_t n = strlen(lead);
    return strncmp(name, lead, n) == 0 && stac_draft_mark_is_dead(name + n);
}

static void sweep(const char *folder, const char *lead) {
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    struct stac_error ignored = {0};
    while (dir && (entry = readdir(dir))) {
        if (!is_left_behind(entry->d_name, lead)) continue;
        char *path = stac_file_join(folder, entry->d_name, &ignored);
        if (path) stac_draft_remove(path, &ignored);
        free(path);
    }
    if (dir) closedir(dir);
}

char *stac_draft_name(const char *path, const char *kind, struct stac_error *err) {
    char mark[STAC_DRAFT_MARK];
    size_t n = strlen(path) + strlen(kind) + sizeof mark + 3;
    char *lead = stac_alloc(n, 1, "a path", err), *name = stac_alloc(n, 1, "a path", err);
    char *folder = stac_strdup(path, err), *base = stac_strdup(path, err);
    if (lead && name && folder && base) {
        stac_draft_mark(mark);
        snprintf(lead, n, "%s.%s-", basename(base), kind);
        sweep(dirname(folder), lead);
        snprintf(name, n, "%s.%s-%s", path, kind, mark);
    } else {
        free(name);
        name = NULL;
    }
    free(lead);
    free(folder);
    free(base);
    return name;
}
