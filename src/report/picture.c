#include "report/picture.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

extern char **environ;

static const char setup[] = "set border 3 lc '#444444'\nset tics nomirror out\nset grid ytics lc '#dddddd' lw 1\n"
                            "set style line 1 lc '#0072b2' lw 2 pt 7 ps 0.6\nset style line 2 lc '#d55e00' lw 2 pt 7 ps 0.6\n"
                            "set style line 3 lc '#009e73' lw 2 pt 7 ps 0.6\nset style line 4 lc '#cc79a7' lw 2 pt 7 ps 0.6\n"
                            "set style line 5 lc '#e69f00' lw 2 pt 7 ps 0.6\nset style line 6 lc '#56b4e9' lw 2 pt 7 ps 0.6\n";

/* Start gnuplot reading from a pipe; *to is its writing end. False when there is none. */
static bool start(pid_t *child, int *to) {
    int ends[2];
    posix_spawn_file_actions_t actions;
    char *const argv[] = {"gnuplot", NULL};
    if (pipe(ends) != 0) return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1, 0);
    int failed = posix_spawnp(child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    if (failed) close(ends[1]);
    *to = ends[1];
    return !failed;
}

bool stac_picture_draw(const char *script, const char *path) {
    pid_t child;
    int to, state = 0;
    size_t size = strlen(script);
    unlink(path); /* one that is there is of something else */
    if (!start(&child, &to)) return false;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before); /* a gnuplot that dies early shows in its exit status */
    for (size_t put = 0; put < size;) {
        ssize_t n = write(to, script + put, size - put);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        put += (size_t)n;
    }
    close(to);
    sigaction(SIGPIPE, &before, NULL);
    while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(state) && WEXITSTATUS(state) == 0 && stac_file_exists(path);
}

int stac_picture_of(const struct stac_result *r, stac_picture_fn make, const char *path, bool *drawn, struct stac_error *err) {
    struct stac_strbuf script = {0};
    int status = make(r, path, &script, err);
    *drawn = status == STAC_OK && stac_picture_draw(stac_strbuf_text(&script), path);
    stac_strbuf_clean(&script);
    return status;
}

int stac_picture_begin(struct stac_strbuf *s, const char *path, int height, struct stac_error *err) {
    STAC_TRY(
        stac_strbuf_printf(s, err, "set terminal pngcairo size 960,%d font 'sans,11' background '#ffffff'\n%s", height, setup));
    /* In gnuplot a quote, a line break or a backtick of a name could end it and begin a command: octal. A digit behind an octal
     * number would become a part of it. */
    bool plain = true;
    STAC_TRY(stac_strbuf_puts(s, "set output \"", err));
    for (const char *c = path; *c; c++) {
        plain = isalpha((unsigned char)*c) || strchr("/._-", *c) || (plain && isdigit((unsigned char)*c));
        STAC_TRY(stac_strbuf_printf(s, err, plain ? "%c" : "\\%03o", (unsigned char)*c));
    }
    return stac_strbuf_puts(s, "\"\n", err);
}
