#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
