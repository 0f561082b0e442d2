/* stac-service: runs the conversions and evaluations that wait in a folder, one after the other; many may work on one folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "spool/claim.h"
#include "spool/overview.h"
#include "store/snn_file.h"

enum { CHECKED = 1, BAD_JOB = 2, CHECKPOINTED = 75, UNKNOWN = 255, MOST_ARGUMENTS = 64, MOST_ROW = 16, LONGEST_REST = 60 };

static const char help[] =
    "Usage: stac-service SPOOL [--key value ...] [-- LAUNCHER ARGUMENT ...]\n"
    "       stac-service SPOOL --submit JOB ...\n"
    "       stac-service SPOOL --watch\n\n"
    "Runs the jobs that wait in SPOOL/queue, one after the other, and waits for more. A job is a YAML file called\n"
    "NAME.convert.yaml or NAME.eval.yaml, which the program stac-convert or stac-eval is given; names in it are relative to\n"
    "the folder in which the service was started. It ends in SPOOL/done, or in SPOOL/failed with the reason beside it; what\n"
    "the program said is in SPOOL/log. Put files into the queue with --submit, or with a mv on the same file system. Any\n"
    "number of services may work on one SPOOL, also on other machines that share it.\n\n"
    "What follows -- starts the program over its ranks: it is run without a shell, the argument {ranks} becomes the\n"
    "number of ranks, and program, job file and --once follow. Without it: mpirun -n RANKS, as root and with fewer processors\n"
    "than ranks with the flags that this takes.\n\n"
    "  --ranks     (1 to 100000; default 1)        ranks of a job\n"
    "  --retries   (0 to 1000; default 3)          how often a job is run again that ended with an error; a bad job (exit\n"
    "                                              code 2) is not, nor one with a check that failed (exit code 1 and a line\n"
    "                                              FAILED in its log; without it 1 is an error of the launcher)\n"
    "  --returns   (0 to 1000000; default 100)     how often a job may come back because it was checkpointed (exit code 75)\n"
    "                                              or its service died\n"
    "  --row       (1 to 16; default 5)            so many different jobs that fail one after the other are the doing of the\n"
    "                                              machine: the last one goes back uncounted, the service ends with 4\n"
    "  --beat      (0.1 to 3600 s; default 10)     time between two signs of life\n"
    "  --patience  (1 to 86400 s; default 120)     a service on another machine that is silent for so long, at least\n"
    "                                              twice --beat, is taken for dead\n"
    "  --poll      (0.05 to 3600 s; default 2)     time between two looks into an empty queue, and the rest after a failed\n"
    "                                              try; in a row each rest is twice as long, up to a minute\n"
    "  --grace     (0 to 86400 s; default 60)      time that a job has to checkpoint when the service is told to stop\n"
    "  --programs  (folder; default: that of stac-service)   where stac-convert and stac-eval are\n"
    "  --once      end when the queue is empty\n"
    "  --group     folders and jobs may be writable by the user's own groups, too\n"
    "  --submit    put the job files that follow into the queue, and end\n"
    "  --watch     a table of what is queued, running, done and failed; on a terminal until nothing is left to be done\n"
    "  --help, --version\n\n"
    "SIGUSR1, SIGTERM and SIGINT stop it: the job gets SIGUSR1, has --grace seconds to checkpoint, and goes back to the "
    "queue.\n"
    "Exit code: 0 done, 1 a job failed (with --once), 2 bad usage, 3 the spool was refused, 4 another failure, or --row\n"
    "jobs that failed, 75 stopped while jobs are left.\n";

/* Tries that failed one after the other, but for bad jobs and checks: --row different jobs are no accident. */
struct row {
    char job[MOST_ROW][STAC_SPOOL_NAME + 1];
    int jobs, tries;
    bool rest; /* after the last one, still to be taken */
};

struct service {
    struct stac_log log;
    struct stac_spool spool;
    struct stac_owner owner;
    struct stac_spool_names queue;
    long ranks, retries, returns, most; /* most: --row */
    double beat, patience, poll, grace;
    bool once, watch, submit, help, version;
    const char *path;
    char *const *operand; /* of --submit */
    int operands;
    char *programs;        /* folder */
    char *const *launcher; /* what follows --; NULL: mpirun */
    char ranks_text[16];
    double beaten; /* by the clock of stac_clock_now */
    bool stop;
    struct row row;
    int failed; /* jobs that this service gave up */
};

/* ---- command line ------------------------------------------------------------------------------------------------- */

static int take_number(const char *flag, const char *value, double low, double high, bool whole, double *out,
                       struct stac_error *err) {
    char *end = NULL;
    errno = 0;
    double x = value ? strtod(value, &end) : 0;
    if (!value || !*value || *end || errno || !(x >= low && x <= high) || (whole && x != (double)(long)x))
        return stac_fail(err, STAC_ERR_USAGE, "%s takes a %s from %g to %g; see --help", flag,
                         whole ? "whole number" : "number", low, high);
    *out = x;
    return STAC_OK;
}

static int take_value(struct service *v, const char *flag, char *value, bool *known, struct stac_error *err) {
    const struct {
        const char *flag;
        double low, high;
        long *whole;
        double *real;
    } flags[] = {{"--ranks", 1, 100000, &v->ranks, NULL},      {"--retries", 0, 1000, &v->retries, NULL},
                 {"--returns", 0, 1000000, &v->returns, NULL}, {"--row", 1, MOST_ROW, &v->most, NULL},
                 {"--beat", 0.1, 3600, NULL, &v->beat},        {"--patience", 1, 86400, NULL, &v->patience},
                 {"--poll", 0.05, 3600, NULL, &v->poll},       {"--grace", 0, 86400, NULL, &v->grace}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        double x;
        if (strcmp(flag, flags[i].flag) != 0) continue;
        *known = true;
        STAC_TRY(take_number(flag, value, flags[i].low, flags[i].high, flags[i].whole != NULL, &x, err));
        if (flags[i].whole) *flags[i].whole = (long)x;
        if (flags[i].real) *flags[i].real = x;
        return STAC_OK;
    }
    if (strcmp(flag, "--programs") != 0) return STAC_OK;
    *known = true;
    if (!value) return stac_fail(err, STAC_ERR_USAGE, "--programs takes a folder; see --help");
    free(v->programs);
    v->programs = stac_strdup(value, err);
    return err->status;
}

static bool take_switch(struct service *v, const char *flag) {
    const struct {
        const char *flag;
        bool *on;
    } flags[] = {{"--once", &v->once}, {"--watch", &v->watch}, {"--submit", &v->submit},  {"--group", &v->spool.group},
                 {"--help", &v->help}, {"-h", &v->help},       {"--version", &v->version}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(flag, flags[i].flag) != 0) continue;
        *flags[i].on = true;
        return true;
    }
    return false;
}

static int take_launcher(struct service *v, int argc, char *const *argv, struct stac_error *err) {
    if (argc > MOST_ARGUMENTS - 4) return stac_fail(err, STAC_ERR_USAGE, "the launcher has too many arguments");
    v->launcher = argv;
    return STAC_OK;
}

static int command_line(struct service *v, int argc, char *const *argv, struct stac_error *err) {
    for (int i = 1; i < argc; i++) {
        bool known = false;
        if (strcmp(argv[i], "--") == 0) {
            STAC_TRY(take_launcher(v, argc - i - 1, argv + i + 1, err));
            break;
        }
        if (v->submit && v->path && strncmp(argv[i], "--", 2) != 0) {
            v->operand = argv + i;
            v->operands = argc - i;
            return STAC_OK;
        }
        if (argv[i][0] != '-') {
            if (v->path) return stac_fail(err, STAC_ERR_USAGE, "unexpected argument \"%.60s\"; see --help", argv[i]);
            v->path = argv[i];
            continue;
        }
        if (take_switch(v, argv[i])) continue;
        STAC_TRY(take_value(v, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &known, err));
        if (!known) return stac_fail(err, STAC_ERR_USAGE, "unknown flag %.60s; see --help", argv[i]);
        i++;
    }
    if (2 * v->beat > v->patience)
        return stac_fail(err, STAC_ERR_USAGE, "--patience must be at least twice --beat; see --help");
    if (v->submit && !v->help) return stac_fail(err, STAC_ERR_USAGE, "--submit needs job files");
    return STAC_OK;
}

/* ---- the command of a job ----------------------------------------------------------------------------------------- */

/* Whether exec would find it: so that a misspelt launcher does not make every job fail. */
static bool can_run(const char *name) {
    char path[PATH_MAX];
    if (strchr(name, '/')) return access(name, X_OK) == 0;
    for (const char *at = getenv("PATH"); at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        int n = snprintf(path, sizeof path, "%.*s/%s", (int)strcspn(at, ":"), at, name);
        if (n < (int)sizeof path && access(path, X_OK) == 0) return true;
    }
    return false;
}

static int find_programs(struct service *v, struct stac_error *err) {
    static const char *const both[] = {"stac-convert", "stac-eval"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    if (!v->programs && n > 0 && strrchr(self, '/')) {
        *strrchr(self, '/') = 0;
        if (!(v->programs = stac_strdup(self, err))) return err->status;
    }
    for (int i = 0; i < 2; i++) {
        char *path = stac_file_join(v->programs ? v->programs : ".", both[i], err);
        if (!path) return err->status;
        bool good = access(path, X_OK) == 0;
        free(path);
        if (!good)
            return stac_fail(err, STAC_ERR_USAGE, "there is no %s in %s: name its folder with --programs", both[i],
                             v->programs ? v->programs : ".");
    }
    const char *launcher = v->launcher ? v->launcher[0] : "mpirun";
    if (launcher && !can_run(launcher)) return stac_fail(err, STAC_ERR_USAGE, "the launcher %.200s cannot be run", launcher);
    return STAC_OK;
}

static int fill_arguments(struct service *v, const char *program, const char *job, const char *argv[MOST_ARGUMENTS]) {
    int n = 0;
    snprintf(v->ranks_text, sizeof v->ranks_text, "%ld", v->ranks);
    for (int i = 0; v->launcher && v->launcher[i]; i++)
        argv[n++] = strcmp(v->launcher[i], "{ranks}") == 0 ? v->ranks_text : v->launcher[i];
    if (!v->launcher) {
        argv[n++] = "mpirun", argv[n++] = "-q", argv[n++] = "--bind-to", argv[n++] = "none";
        if (geteuid() == 0) argv[n++] = "--allow-run-as-root";
        if (sysconf(_SC_NPROCESSORS_ONLN) < v->ranks) argv[n++] = "--oversubscribe";
        argv[n++] = "-n", argv[n++] = v->ranks_text;
    }
    argv[n++] = program, argv[n++] = job, argv[n++] = "--once", argv[n] = NULL;
    return n;
}

/* As slurm/launch.sh does: mpirun waits long for a machine that is gone, unless it looks at its connections, here after 4
 * silent seconds, twice. */
static bool look_at_connections(void) {
    return setenv("OMPI_MCA_oob_tcp_keepalive_time", "4", 0) == 0 && setenv("OMPI_MCA_oob_tcp_keepalive_intvl", "1", 0) == 0 &&
           setenv("OMPI_MCA_oob_tcp_keepalive_probes", "2", 0) == 0;
}

/* In the child: the job gets SIGTERM when the service dies, and a session of its own, away from the terminal. */
static void become(const char *const *argv, const char *owner, pid_t service, int log) {
    sigset_t none;
    sigemptyset(&none);
    int nothing = open("/dev/null", O_RDONLY);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || getppid() != service ||
        setenv(STAC_OWNER_VARIABLE, owner, 1) != 0 || !look_at_connections())
        _exit(126);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* ---- one job ------------------------------------------------------------------------------------------------------ */

/* How a try ended. */
struct outcome {
    int code;     /* as a shell counts */
    bool lost;    /* it was taken back meanwhile, and therefore ended */
    bool checked; /* its program said that a check failed */
    double seconds;
};

static int open_log(const struct service *v, const char *job, int *fd, struct stac_error *err) {
    char name[NAME_MAX + 1];
    snprintf(name, sizeof name, "%.*s.log", STAC_SPOOL_NAME, job);
    *fd = openat(v->spool.logs, name, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    return *fd < 0 ? stac_fail(err, STAC_ERR_IO, "cannot open log/%s: %s", name, strerror(errno)) : STAC_OK;
}

/* Whether the log tells, from a place on, of a check that failed: launchers that fail say 1, too. */
static bool tells_of_check(int log, off_t from) {
    static const char sign[] = "FAILED  ";
    enum { OVERLAP = sizeof sign - 2 };
    char block[4096];
    size_t kept = 0;
    for (ssize_t n; (n = pread(log, block + kept, sizeof block - kept, from)) > 0;) {
        size_t there = kept + (size_t)n;
        if (memmem(block, there, sign, sizeof sign - 1)) return true;
        kept = there < OVERLAP ? there : OVERLAP;
        memmove(block, block + there - kept, kept);
        from += n;
    }
    return false;
}

/* Wait for a child that ended, a signal to stop, or the time; signals are blocked everywhere else. */
static void wait_for_signal(struct service *v, double seconds) {
    struct timespec time = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD), sigaddset(&set, SIGTERM), sigaddset(&set, SIGINT), sigaddset(&set, SIGUSR1);
    int got = sigtimedwait(&set, NULL, &time);
    if (got > 0 && got != SIGCHLD && !v->stop) {
        v->stop = true;
        stac_log_info(&v->log, "told to stop by signal %d", got);
    }
}

static int beat(struct service *v, bool *lost, struct stac_error *err) {
    *lost = false;
    if (stac_clock_now() - v->beaten < v->beat) return STAC_OK;
    v->beaten = stac_clock_now();
    return stac_owner_beat(&v->owner, lost, err);
}

/* What is done about a job that runs on after the service was told to stop, step by step. */
static void urge(struct service *v, pid_t child, double stopped, int *step) {
    double waited = stac_clock_now() - stopped;
    if (*step == 0 && kill(child, SIGUSR1) == 0) *step = 1;
    if (*step == 1 && waited > v->grace && kill(child, SIGTERM) == 0) *step = 2;
    if (*step == 2 && waited > v->grace + 5) stac_owner_kill_workers(v->owner.name), *step = 3;
}

static int attend(struct service *v, const struct stac_claim *c, pid_t child, struct outcome *o, struct stac_error *err) {
    double stopped = 0;
    int state = 0, step = 0;
    pid_t ended;
    while ((ended = waitpid(child, &state, WNOHANG)) == 0) {
        double left = v->beaten + v->beat - stac_clock_now();
        bool gone;
        wait_for_signal(v, v->stop ? 0.2 : left > 0.05 ? left : 0.05);
        if (v->stop && stopped == 0) stopped = stac_clock_now();
        if (v->stop) urge(v, child, stopped, &step);
        STAC_TRY(beat(v, &gone, err));
        if (!stac_claim_holds(&v->owner, c) && !o->lost) {
            o->lost = true;
            stac_owner_kill_workers(v->owner.name);
        }
    }
    if (ended < 0) stac_log_warn(&v->log, "nobody knows how %s ended: %s", c->name, strerror(errno));
    o->code = ended < 0 ? UNKNOWN : WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    return STAC_OK;
}

/* What a launcher that was killed left behind would write beside the next try. */
static void end_leftovers(const struct service *v, int code) {
    if (code != 0) stac_owner_kill_workers(v->owner.name);
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
}

static int run(struct service *v, const struct stac_claim *c, struct outcome *o, struct stac_error *err) {
    const char *argv[MOST_ARGUMENTS], *name = stac_spool_program(c->name);
    char job[PATH_MAX], stamp[32];
    double began = stac_clock_now();
    int log;
    pid_t self = getpid();
    char *program = stac_file_join(v->programs, name, err);
    if (!program) return err->status;
    snprintf(job, sizeof job, "%s/running/%s/%s", v->spool.path, v->owner.name, c->name);
    fill_arguments(v, program, job, argv);
    int status = open_log(v, c->name, &log, err);
    if (status != STAC_OK) goto done;
    stac_clock_stamp(stamp, sizeof stamp);
    dprintf(log, "== %s: try %d on %s\n", stamp, c->tries.failures + c->tries.returns + 1, v->owner.name);
    off_t from = lseek(log, 0, SEEK_END);
    pid_t child = fork();
    if (child == 0) become(argv, v->owner.name, self, log);
    if (child < 0)
        status = stac_fail(err, STAC_ERR_IO, "cannot start a process: %s", strerror(errno));
    else
        status = attend(v, c, child, o, err);
    if (status == STAC_OK) end_leftovers(v, o->code);
    o->checked = status == STAC_OK && o->code == CHECKED && tells_of_check(log, from);
    o->seconds = stac_clock_now() - began;
    stac_clock_stamp(stamp, sizeof stamp);
    if (status == STAC_OK)
        dprintf(log, "== %s: ended with code %d\n", stamp, o->code);
    else
        dprintf(log, "== %s: %s\n", stamp, err->text);
    close(log);
done:
    free(program);
    return status;
}

static int finish_done(struct service *v, const struct stac_claim *c, double seconds, enum stac_claim_end *end,
                       struct stac_error *err) {
    char record[1024];
    snprintf(record, sizeof record,
             "{\n  \"job\": \"%s\",\n  \"program\": \"%s\",\n  \"ranks\": %ld,\n  \"service\": \"%s\",\n"
             "  \"ended\": %lld,\n  \"seconds\": %.3f,\n  \"failures\": %d,\n  \"returns\": %d\n}\n",
             c->name, stac_spool_program(c->name), v->ranks, v->owner.name, (long long)time(NULL), seconds, c->tries.failures,
             c->tries.returns);
    return stac_claim_done(&v->owner, c, record, end, err);
}

static int give_up(struct service *v, const struct stac_claim *c, const struct outcome *o, struct stac_error *err) {
    char reason[STAC_SPOOL_REASON];
    snprintf(reason, sizeof reason, "exit code %d%s after %d failures and %d returns", o->code,
             o->checked ? " (a check failed)" : "", c->tries.failures, c->tries.returns);
    v->failed++;
    return stac_claim_give_up(&v->owner, c, reason, err);
}

/* One more try that failed; whether that is one job too many. */
static bool lengthen_row(struct row *r, const char *job, long most) {
    r->tries++;
    r->rest = true;
    for (int i = 0; i < r->jobs; i++)
        if (strcmp(r->job[i], job) == 0) return false;
    snprintf(r->job[r->jobs++], sizeof r->job[0], "%s", job);
    return r->jobs >= most;
}

/* A job that did not end with 0, by its exit code. *end is not set when it is given up. */
static int finish_undone(struct service *v, struct stac_claim *c, const struct outcome *o, enum stac_claim_end *end,
                         struct stac_error *err) {
    bool again = !o->checked && (v->stop || o->code == CHECKPOINTED), final = o->checked || o->code == BAD_JOB, end_of_row;
    if (again || final) v->row = (struct row){0};
    end_of_row = !again && !final && lengthen_row(&v->row, c->name, v->most);
    if (!end_of_row) ++*(again ? &c->tries.returns : &c->tries.failures);
    if (again ? c->tries.returns > v->returns : final || c->tries.failures > v->retries) return give_up(v, c, o, err);
    STAC_TRY(stac_claim_back(&v->owner, c, end, err));
    if (*end == STAC_CLAIM_GIVEN_UP) v->failed++;
    if (!end_of_row) return STAC_OK;
    return stac_fail(err, STAC_ERR_RANK,
                     "%d jobs failed one after the other, the last one %s with exit code %d: see log/ of the "
                     "spool; it is back in the queue, and its try does not count",
                     v->row.jobs, c->name, o->code);
}

/* Where the job belongs. */
static int finish(struct service *v, struct stac_claim *c, const struct outcome *o, struct stac_error *err) {
    char took[32];
    enum stac_claim_end end = STAC_CLAIM_GIVEN_UP;
    int status = o->code == 0 ? finish_done(v, c, o->seconds, &end, err) : finish_undone(v, c, o, &end, err);
    if (o->code == 0) v->row = (struct row){0};
    stac_clock_duration(o->seconds, took, sizeof took);
    if (end == STAC_CLAIM_MOVED)
        stac_log_info(&v->log, "%s %s, exit code %d after %s", o->code == 0 ? "done    " : "back    ", c->name, o->code, took);
    if (end == STAC_CLAIM_LOST) stac_log_warn(&v->log, "%s was taken back by another service", c->name);
    return status;
}

static int work(struct service *v, struct stac_claim *c, struct stac_error *err) {
    struct outcome o = {0};
    stac_log_info(&v->log, "running  %s", c->name);
    STAC_TRY(run(v, c, &o, err));
    if (o.lost) stac_log_warn(&v->log, "%s was taken back by another service", c->name);
    return o.lost ? STAC_OK : finish(v, c, &o, err);
}

/* ---- the service -------------------------------------------------------------------------------------------------- */

static int queued(const struct service *v, size_t *n, struct stac_error *err) {
    struct stac_spool_names names = {0};
    STAC_TRY(stac_spool_list(v->spool.queue, &names, err));
    *n = names.n;
    stac_spool_free_names(&names);
    return STAC_OK;
}

/* After a try that failed, before the next one: what failed it may pass, and should not meet all jobs meanwhile. */
static int rest(struct service *v, struct stac_error *err) {
    size_t left;
    double end, seconds = v->poll;
    bool lost;
    if (!v->row.rest) return STAC_OK;
    v->row.rest = false;
    STAC_TRY(queued(v, &left, err));
    for (int i = 1; i < v->row.tries && seconds < LONGEST_REST; i++) seconds *= 2;
    if (seconds > LONGEST_REST) seconds = LONGEST_REST;
    if (left > 0) stac_log_info(&v->log, "resting  %.3g s after %d tries in a row that failed", seconds, v->row.tries);
    for (end = stac_clock_now() + seconds; left > 0 && !v->stop && stac_clock_now() < end;) {
        double time = end - stac_clock_now();
        wait_for_signal(v, time < 0.05 ? 0.05 : time < v->beat ? time : v->beat);
        STAC_TRY(beat(v, &lost, err));
    }
    return STAC_OK;
}

static int serve(struct service *v, struct stac_error *err) {
    double looked = -1e9;
    while (!v->stop) {
        struct stac_claim c;
        bool lost, found;
        STAC_TRY(rest(v, err));
        STAC_TRY(beat(v, &lost, err));
        if (stac_clock_now() - looked > v->beat) {
            STAC_TRY(stac_claim_take_back(&v->owner, v->patience, (int)v->returns, err));
            looked = stac_clock_now();
        }
        STAC_TRY(stac_claim_next(&v->owner, &v->queue, &c, &found, err));
        if (found)
            STAC_TRY(work(v, &c, err));
        else if (v->once)
            break;
        wait_for_signal(v, found ? 0 : v->poll);
    }
    return STAC_OK;
}

static int run_service(struct service *v, int *code, struct stac_error *err) {
    sigset_t set;
    size_t left = 0;
    STAC_TRY(find_programs(v, err));
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD), sigaddset(&set, SIGTERM), sigaddset(&set, SIGINT), sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCHLD, SIG_DFL); /* where it is ignored, as whoever began this may have had it, children leave no exit code */
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* ranks whose launcher was killed are ours to collect */
    const int drafts[] = {v->spool.queue, v->spool.done, v->spool.failed, v->spool.logs};
    for (size_t i = 0; i < sizeof drafts / sizeof *drafts; i++) stac_spool_sweep(drafts[i]);
    STAC_TRY(stac_owner_begin(&v->owner, &v->spool, err));
    int status = serve(v, err);
    stac_spool_free_names(&v->queue);
    stac_owner_end(&v->owner);
    STAC_TRY(status);
    STAC_TRY(queued(v, &left, err));
    *code = v->stop && left > 0 ? CHECKPOINTED : v->once && v->failed > 0 ? 1 : 0;
    return STAC_OK;
}

static int watch(struct service *v, struct stac_error *err) {
    bool terminal = isatty(STDOUT_FILENO);
    struct stac_overview counts = {.queued = 1};
    while (counts.queued + counts.running > 0) {
        struct stac_strbuf text = {0};
        STAC_TRY(stac_overview_write(&v->spool, &counts, &text, err));
        if (terminal) printf("\033[H\033[J");
        fputs(stac_strbuf_text(&text), stdout);
        fflush(stdout);
        stac_strbuf_clean(&text);
        if (!terminal) break;
        stac_clock_pause(1);
    }
    return STAC_OK;
}

static int submit(struct service *v, struct stac_error *err) {
    for (int i = 0; i < v->operands; i++) STAC_TRY(stac_spool_submit(&v->spool, v->operand[i], err));
    return STAC_OK;
}

static int act(struct service *v, int argc, char *const *argv, int *code, struct stac_error *err) {
    STAC_TRY(command_line(v, argc, argv, err));
    if (v->help || v->version) {
        printf("%s", v->help ? help : stac_build_info());
        if (!v->help) printf("\n");
        return STAC_OK;
    }
    if (!v->path) return stac_fail(err, STAC_ERR_USAGE, "name the SPOOL; see --help");
    v->spool.make = !v->watch;
    STAC_TRY(stac_spool_open(&v->spool, v->path, err));
    if (v->submit) return submit(v, err);
    return v->watch ? watch(v, err) : run_service(v, code, err);
}

int main(int argc, char **argv) {
    struct service v = {
        .ranks = 1, .retries = 3, .returns = 100, .most = 5, .beat = 10, .patience = 120, .poll = 2, .grace = 60};
    struct stac_error err = {0};
    int code = 0;
    v.log.screen = stderr;
    v.spool.log = &v.log;
    v.owner.folder = v.spool.folder = v.spool.queue = v.spool.running = v.spool.done = v.spool.failed = v.spool.logs = -1;
    if (act(&v, argc, argv, &code, &err) != STAC_OK) {
        fprintf(stderr, "error: %s\n", err.text);
        code = stac_exit_code(err.status);
    }
    stac_spool_close(&v.spool);
    free(v.programs);
    return code;
}
