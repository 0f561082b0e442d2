#include "base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"

/* Its state ('R', 'S', 'Z', ...; 0: unknown) and its beginning. */
static char look(long pid, unsigned long long *ticks) {
    char path[64], text[1024], state = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = 0;
    *ticks = 0;
    const char *after = strrchr(text, ')'); /* the name before it may hold anything */
    if (!after ||
        sscanf(after, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state, ticks) != 2)
        return 0;
    return state;
}

unsigned long long stac_process_began(long pid) {
    unsigned long long ticks;
    char state = look(pid, &ticks);
    return state == 0 || state == 'Z' || state == 'X' ? 0 : ticks;
}

bool stac_process_is_gone(long pid) {
    unsigned long long ticks;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return true;
    char state = look(pid, &ticks);
    return state == 'Z' || state == 'X';
}

bool stac_process_is_stopped(long pid) {
    unsigned long long ticks;
    return look(pid, &ticks) == 'T';
}

/* The environment, every variable ended with NUL. */
static void read_environment(long pid, struct stac_strbuf *all) {
    char path[64], block[4096];
    struct stac_error quiet = {0};
    ssize_t n;
    snprintf(path, sizeof path, "/proc/%ld/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, block, sizeof block)) > 0)
        if (stac_strbuf_add(all, block, (size_t)n, &quiet) != STAC_OK) break;
    if (fd >= 0) close(fd);
}

bool stac_process_variable(long pid, const char *name, char *value, size_t size) {
    struct stac_strbuf all = {0};
    size_t length = strlen(name);
    bool found = false;
    read_environment(pid, &all);
    for (size_t at = 0; !found && at < all.size; at += strlen(all.data + at) + 1) {
        found = strncmp(all.data + at, name, length) == 0 && all.data[at + length] == '=';
        if (found) snprintf(value, size, "%s", all.data + at + length + 1);
    }
    stac_strbuf_clean(&all);
    return found;
}

void stac_process_each(void (*visit)(long pid, void *ctx), void *ctx) {
    DIR *dir = opendir("/proc");
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        char *end;
        long pid = strtol(e->d_name, &end, 10);
        if (!*end && pid > 1 && pid != (long)getpid()) visit(pid, ctx);
    }
    if (dir) closedir(dir);
}
