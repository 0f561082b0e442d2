#include "report/picture.h"

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

int stac_picture_draw(const char *script, const char *path, bool *drawn, struct stac_error *err) {
    pid_t child;
    int to, state = 0;
    size_t size = strlen(script);
    *drawn = false;
    if (!start(&child, &to)) return STAC_OK;
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
    if (WIFEXITED(state) && WEXITSTATUS(state) == 127) return STAC_OK; /* not installed */
    if (!WIFEXITED(state) || WEXITSTATUS(state) != 0 || !stac_file_exists(path))
        return stac_fail(err, STAC_ERR_IO, "gnuplot could not draw %s", path);
    *drawn = true;
    return STAC_OK;
}

int stac_picture_begin(struct stac_strbuf *s, const char *path, int height, struct stac_error *err) {
    STAC_TRY(
        stac_strbuf_printf(s, err, "set terminal pngcairo size 960,%d font 'sans,11' background '#ffffff'\n%s", height, setup));
    STAC_TRY(stac_strbuf_puts(s, "set output '", err)); /* single quotes are doubled */
    for (const char *c = path; *c; c++) STAC_TRY(stac_strbuf_puts(s, *c == '\'' ? "''" : (char[]){*c, 0}, err));
    return stac_strbuf_puts(s, "'\n", err);
}

static int spikes_script(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_hparams *hp = &r->subject->hp;
    STAC_TRY(stac_picture_begin(s, path, 480, err));
    STAC_TRY(stac_strbuf_puts(s,
                              "set xlabel 'layer'\nset ylabel 'spikes per activation'\nset yrange [0:*]\n"
                              "set key outside right top\n$data << EOD\n",
                              err));
    for (int l = 0; l < hp->n_layer; l++) {
        STAC_TRY(stac_strbuf_printf(s, err, "%d", l));
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++)
            STAC_TRY(
                stac_strbuf_printf(s, err, " %.6g", stac_spikes_per_activation(&r->score.counts[l * STAC_SITE_HEAD_IN + k])));
        STAC_TRY(stac_strbuf_puts(s, "\n", err));
    }
    STAC_TRY(stac_strbuf_puts(s, "EOD\nplot ", err));
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) /* underscores would be subscripts */
        STAC_TRY(stac_strbuf_printf(s, err, "%s$data using 1:%d with linespoints ls %d title '%s' noenhanced", k ? ", " : "",
                                    k + 2, k + 1, stac_site_name((enum stac_site_kind)k)));
    return stac_strbuf_puts(s, "\n", err);
}

static int work_script(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    struct stac_counts sum[STAC_SITE_KINDS] = {{0}};
    double macs = (double)r->score.total.macs;
    for (int i = 0; i < stac_site_count(&r->subject->hp); i++)
        stac_counts_add(&sum[stac_site_kind_at(&r->subject->hp, i)], &r->score.counts[i]);
    STAC_TRY(stac_picture_begin(s, path, 480, err));
    STAC_TRY(stac_strbuf_puts(s,
                              "set ylabel 'per multiply-accumulate of the model'\nset yrange [0:*]\nset style data histogram\n"
                              "set style fill solid 0.85\nset boxwidth 0.9\nset xtics noenhanced\n$data << EOD\n",
                              err));
    for (int k = 0; k < STAC_SITE_KINDS; k++)
        STAC_TRY(stac_strbuf_printf(s, err, "%s %.6g %.6g\n", stac_site_name((enum stac_site_kind)k),
                                    (double)sum[k].macs / macs, (double)sum[k].acs / macs));
    return stac_strbuf_puts(s,
                            "EOD\nplot $data using 2:xtic(1) ls 6 title 'multiply-accumulates, dense', "
                            "$data using 3 ls 2 title 'additions, spiking'\n",
                            err);
}

/* The losses of a layer as a block of data; none where they begin with 0. */
static int losses_of_layer(const struct stac_snn *snn, int layer, struct stac_strbuf *s, struct stac_error *err) {
    double *loss;
    size_t n;
    STAC_TRY(stac_snn_read_losses(snn, layer, &loss, &n, err));
    int status = STAC_OK;
    for (size_t i = 0; i < n && status == STAC_OK; i++)
        status = stac_strbuf_printf(s, err, "%zu %.6g %d\n", i, loss[0] > 0 ? loss[i] / loss[0] : 1, layer);
    free(loss);
    return status == STAC_OK ? stac_strbuf_puts(s, "\n", err) : status;
}

static int training_script(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_hparams *hp = &r->subject->hp;
    STAC_TRY(stac_picture_begin(s, path, 480, err));
    STAC_TRY(stac_strbuf_puts(s,
                              "set xlabel 'step'\nset ylabel 'loss, relative to closed-form thresholds'\n"
                              "set cblabel 'layer'\nset palette defined (0 '#0072b2', 1 '#e69f00')\n$data << EOD\n",
                              err));
    for (int l = 0; l < hp->n_layer; l++) STAC_TRY(losses_of_layer(&r->subject->snn, l, s, err));
    return stac_strbuf_puts(s, "EOD\nplot $data using 1:2:3 with lines lw 2 lc palette notitle\n", err);
}

typedef int (*script_fn)(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err);

static int draw_script(script_fn make, const struct stac_result *r, const char *path, bool *drawn, struct stac_error *err) {
    struct stac_strbuf script = {0};
    int status = make(r, path, &script, err);
    if (status == STAC_OK) status = stac_picture_draw(stac_strbuf_text(&script), path, drawn, err);
    stac_strbuf_clean(&script);
    return status;
}

int stac_picture_spikes(const struct stac_result *r, const char *path, bool *drawn, struct stac_error *err) {
    return draw_script(spikes_script, r, path, drawn, err);
}

int stac_picture_work(const struct stac_result *r, const char *path, bool *drawn, struct stac_error *err) {
    return draw_script(work_script, r, path, drawn, err);
}

int stac_picture_training(const struct stac_result *r, const char *path, bool *drawn, struct stac_error *err) {
    return draw_script(training_script, r, path, drawn, err);
}
