#include "dist/sentry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/activity.h"
#include "base/clock.h"
#include "base/thread.h"

enum { MOST_RANKS = 4096, STACK = 65536 };
static const char *cannot_share = "cannot share memory with the ranks of this machine";
static const double beat = 0.1, patience = 0.3; /* seconds */
static const double grace = 0.5;                /* seconds: who stops beside other ranks is noticed, and told, by them */

struct stac_sentry_slot {
    atomic_int rank, pid, left, told; /* told: somebody of this machine has said what ends the job; of slot 0 */
    atomic_ulong beats;
    char phase[64];
};

/* For the handler of crashes, which has no argument. */
static struct {
    int rank;
    char host[64];
    atomic_int *told;
} self;

/* ---- crashes ------------------------------------------------------------------------------------------------------ */

#if !defined(__SANITIZE_ADDRESS__) /* which tells of crashes itself */

static const char *what_happened(int number) {
    switch (number) {
    case SIGSEGV: return "segmentation fault";
    case SIGBUS: return "bus error: a file it reads was cut short, or memory failed";
    case SIGFPE: return "arithmetic fault";
    case SIGILL: return "illegal instruction";
    default: return "aborted";
    }
}

/* Only what is allowed in a handler: a line put together by hand. */
static void put(char *line, size_t size, size_t *n, const char *text) {
    while (*text && *n + 1 < size) line[(*n)++] = *text++;
}

static void tell_crash(int number) {
    char line[400], digits[12];
    size_t n = 0, d = sizeof digits - 1;
    digits[d] = 0;
    for (int rank = self.rank; d > 0 && (rank > 0 || d == sizeof digits - 1); rank /= 10) digits[--d] = (char)('0' + rank % 10);
    put(line, sizeof line, &n, "error: rank ");
    put(line, sizeof line, &n, digits + d);
    put(line, sizeof line, &n, " on ");
    put(line, sizeof line, &n, self.host);
    put(line, sizeof line, &n, *stac_activity() ? ", in " : "");
    put(line, sizeof line, &n, stac_activity());
    put(line, sizeof line, &n, ": ");
    put(line, sizeof line, &n, what_happened(number));
    put(line, sizeof line, &n, "\n");
    if (!self.told || atomic_exchange(self.told, 1) == 0) (void)!write(STDERR_FILENO, line, n);
    raise(number); /* the handler is gone by now: the process ends as it would have */
}

static void listen_for_crashes(void) {
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    static char stack[STACK];
    struct sigaction action = {.sa_handler = tell_crash, .sa_flags = SA_RESETHAND | SA_NODEFER | SA_ONSTACK};
    stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    sigemptyset(&action.sa_mask);
    sigaltstack(&own, NULL);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaction(numbers[i], &action, NULL);
}

#else

static void listen_for_crashes(void) {
}

#endif

/* ---- the thread --------------------------------------------------------------------------------------------------- */

/* One line, of the first on a machine who notices; then everybody goes. */
static void end_job(struct stac_sentry *w, int rank, const char *host, const char *phase, const char *fate) {
    if (atomic_exchange(&w->slot[0].told, 1) == 0)
        fprintf(stderr, "error: rank %d on %s%s%.63s: %s\n", rank, host, phase[0] ? ", in " : "", phase, fate);
    stac_clock_pause(patience);
    _exit(stac_exit_code(STAC_ERR_RANK));
}

static void end_without(struct stac_sentry *w, int i, const char *fate) {
    end_job(w, atomic_load(&w->slot[i].rank), self.host, w->slot[i].phase, fate);
}

static void give_sign(struct stac_sentry *w) {
    struct stac_sentry_slot *s = &w->slot[w->mine];
    snprintf(s->phase, sizeof s->phase, "%s", stac_activity());
    atomic_fetch_add(&s->beats, 1);
    stac_heartbeat_send(&w->machines, false);
}

/* What was seen of the others, and when. */
struct seen {
    unsigned long beats[MOST_RANKS];
    double since[MOST_RANKS];
    double machine, begun; /* when the machine before was last heard, 0: never; when to expect it */
    bool noted;
};

static void look_at(struct stac_sentry *w, int i, struct seen *seen, double now) {
    struct stac_sentry_slot *s = &w->slot[i];
    unsigned long beats = atomic_load(&s->beats);
    if (beats != seen->beats[i]) seen->beats[i] = beats, seen->since[i] = now;
    if (i == w->mine || atomic_load(&s->left) || beats == 0) return;
    if (kill((pid_t)atomic_load(&s->pid), 0) != 0 && errno == ESRCH && !atomic_load(&s->left))
        end_without(w, i, "it is gone: killed, or it left by itself");
    if (now - seen->since[i] > w->limit) end_without(w, i, "it gives no sign of life: stopped, or its processor is taken away");
}

static void look_at_machine(struct stac_sentry *w, struct seen *seen, double now) {
    const struct stac_heartbeat *m = &w->machines;
    if (stac_heartbeat_listen(&w->machines)) seen->machine = now;
    if (!m->open || m->left) return;
    if (seen->machine == 0) {
        if (seen->begun == 0) seen->begun = now;
        if (seen->noted || now - seen->begun < w->limit) return;
        seen->noted = true;
        fprintf(stderr, "note: nothing is heard from %s on %s (UDP, a firewall?): that machine is not watched\n",
                m->before.host, self.host);
        return;
    }
    if (now - seen->machine > w->limit + (m->before.n_ranks > 1 ? grace : 0))
        end_job(w, m->before.rank, m->before.host, m->phase,
                "no sign of life from its machine: it is down or cut off, or stopped");
}

static void *watch(void *ctx) {
    struct stac_sentry *w = ctx;
    static struct seen seen;
    double last = stac_clock_now();
    while (!atomic_load(&w->slot[w->mine].left)) {
        double now = stac_clock_now();
        give_sign(w);
        bool slept = now - last > 1; /* it is this rank that stood still */
        for (int i = 0; i < w->n && slept; i++) seen.since[i] = now;
        if (slept && seen.machine > 0) seen.machine = now;
        for (int i = 0; i < w->n; i++) {
            if (seen.since[i] == 0) seen.since[i] = now;
            look_at(w, i, &seen, now);
        }
        look_at_machine(w, &seen, now);
        last = now;
        stac_clock_pause(beat);
    }
    return NULL;
}

/* ---- begin and end ------------------------------------------------------------------------------------------------ */

/* Memory without a name, of the first rank here, which the others find among its open files. It is not MPI's, for it is looked
 * at until MPI has ended. */
static int open_memory(const struct stac_sentry *w, MPI_Comm local, int *fd, struct stac_error *err) {
    int owner[2] = {(int)getpid(), -1}; /* process, file */
    char path[64];
    if (w->mine == 0) owner[1] = *fd = memfd_create("stac-sentry", MFD_CLOEXEC);
    if (*fd >= 0 && ftruncate(*fd, (off_t)((size_t)w->n * sizeof *w->slot)) != 0) owner[1] = -1;
    STAC_TRY(stac_broadcast(local, owner, sizeof owner, 0, err));
    snprintf(path, sizeof path, "/proc/%d/fd/%d", owner[0], owner[1]);
    if (w->mine != 0) *fd = open(path, O_RDWR | O_CLOEXEC);
    return *fd >= 0 && owner[1] >= 0 ? STAC_OK : stac_fail(err, STAC_ERR_MEMORY, "%s: %s", cannot_share, strerror(errno));
}

static int map_memory(struct stac_sentry *w, int rank, int fd, struct stac_error *err) {
    void *base = mmap(NULL, (size_t)w->n * sizeof *w->slot, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) return stac_fail(err, STAC_ERR_MEMORY, "%s: %s", cannot_share, strerror(errno));
    w->slot = base;
    atomic_store(&w->slot[w->mine].rank, rank);
    atomic_store(&w->slot[w->mine].pid, (int)getpid());
    atomic_store(&w->slot[w->mine].beats, 1); /* from here on it is missed */
    return STAC_OK;
}

static int share_memory(struct stac_sentry *w, MPI_Comm local, int rank, struct stac_error *err) {
    int fd = -1;
    int status = open_memory(w, local, &fd, err);
    if (status == STAC_OK) status = map_memory(w, rank, fd, err);
    int waited = stac_mpi_check(MPI_Barrier(local), cannot_share, err); /* also after a failure: the others are waiting */
    if (fd >= 0) close(fd);
    return status != STAC_OK ? status : waited;
}

static int meet(struct stac_sentry *w, const struct stac_ranks *r, struct stac_error *err) {
    MPI_Comm local;
    STAC_TRY(stac_mpi_check(MPI_Comm_split_type(r->comm, MPI_COMM_TYPE_SHARED, r->rank, MPI_INFO_NULL, &local),
                            "cannot find the ranks of this machine", err));
    MPI_Comm_rank(local, &w->mine);
    MPI_Comm_size(local, &w->n);
    int status = stac_heartbeat_begin(&w->machines, r, err);
    if (status == STAC_OK && (w->n > 1 || w->machines.open) && w->n <= MOST_RANKS)
        status = share_memory(w, local, r->rank, err);
    MPI_Comm_free(&local);
    return status;
}

int stac_sentry_begin(struct stac_sentry *w, const struct stac_ranks *r, double limit, struct stac_error *err) {
    *w = (struct stac_sentry){.limit = limit};
    self.rank = r->rank;
    memcpy(self.host, r->host, sizeof self.host);
    listen_for_crashes();
    if (limit <= 0) return STAC_OK;
    int status = meet(w, r, err);
    if (status == STAC_OK && w->slot) {
        self.told = &w->slot[0].told;
        status = stac_thread_begin(&w->thread, watch, w, err);
        w->watches = status == STAC_OK;
    }
    return stac_agree(r, r->comm, status, err);
}

void stac_sentry_end(struct stac_sentry *w) {
    if (w->slot) atomic_store(&w->slot[w->mine].left, 1);
    if (w->watches) pthread_join(w->thread, NULL);
    stac_heartbeat_send(&w->machines, true);
    stac_heartbeat_end(&w->machines);
    self.told = NULL;
    if (w->slot) munmap(w->slot, (size_t)w->n * sizeof *w->slot);
    *w = (struct stac_sentry){0};
}
