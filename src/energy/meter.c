#include "energy/meter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

const char *stac_meter_name(enum stac_meter_kind kind) {
    return kind == STAC_METER_CPU ? "cpu" : "gpu";
}

/* ---- the thread --------------------------------------------------------------------------------------------------- */

enum { POLL_MILLISECONDS = 100 };

static void look(struct stac_meter *m) {
    double now = stac_clock_now();
    stac_rapl_read(&m->rapl, now);
    stac_nvml_poll(&m->nvml, now);
}

static void *poll_sensors(void *argument) {
    struct stac_meter *m = argument;
    pthread_mutex_lock(&m->lock);
    while (!m->ends) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += POLL_MILLISECONDS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&m->woken, &m->lock, &until);
        if (!m->ends) look(m);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

int stac_meter_open(struct stac_meter *m, const struct stac_ranks *ranks, const char *rapl_root, const char *nvml_library,
                    struct stac_error *err) {
    MPI_Comm machine;
    struct stac_error quiet = {0}; /* without the thread nothing is measured */
    int place = 0;
    *m = (struct stac_meter){.ranks = ranks};
    STAC_TRY(stac_mpi_check(MPI_Comm_split_type(ranks->comm, MPI_COMM_TYPE_SHARED, ranks->rank, MPI_INFO_NULL, &machine),
                            "cannot find the ranks of a machine", err));
    MPI_Comm_rank(machine, &place);
    MPI_Comm_free(&machine);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->woken, NULL);
    m->reads = place == 0;
    if (!m->reads) return STAC_OK;
    stac_rapl_open(&m->rapl, rapl_root);
    stac_nvml_open(&m->nvml, nvml_library);
    if (m->rapl.n + m->nvml.n > 0) m->polls = stac_thread_begin(&m->thread, poll_sensors, m, &quiet) == STAC_OK;
    return STAC_OK;
}

void stac_meter_close(struct stac_meter *m) {
    if (!m->ranks) return;
    pthread_mutex_lock(&m->lock);
    m->ends = true;
    pthread_cond_signal(&m->woken);
    pthread_mutex_unlock(&m->lock);
    if (m->polls) pthread_join(m->thread, NULL);
    stac_nvml_close(&m->nvml);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->woken);
    *m = (struct stac_meter){0};
}

/* ---- a phase ------------------------------------------------------------------------------------------------------ */

void stac_meter_begin(struct stac_meter *m) {
    pthread_mutex_lock(&m->lock);
    m->began = stac_clock_now();
    stac_rapl_begin(&m->rapl, m->began);
    stac_nvml_begin(&m->nvml, m->began);
    pthread_mutex_unlock(&m->lock);
}

/* What this machine used; NaN where it cannot be said, and why. */
static double joules_here(struct stac_meter *m, enum stac_meter_kind kind, char why[STAC_METER_WHY],
                          char note[STAC_METER_WHY]) {
    double joules;
    note[0] = 0;
    if (kind == STAC_METER_GPU) {
        joules = stac_nvml_joules(&m->nvml);
        snprintf(note, STAC_METER_WHY, "%s", m->nvml.note);
        snprintf(why, STAC_METER_WHY, "%s", m->nvml.why);
        return joules;
    }
    joules = m->rapl.n > 0 && !*m->rapl.why ? m->rapl.joules : NAN;
    snprintf(why, STAC_METER_WHY, "%s", *m->rapl.why || joules > 0 ? m->rapl.why : "the counters did not advance");
    return joules > 0 ? joules : NAN;
}

/* All machines together. */
static int merge(const struct stac_meter *m, enum stac_meter_kind kind, double here, char why[STAC_METER_WHY],
                 char note[STAC_METER_WHY], struct stac_used *out, struct stac_error *err) {
    MPI_Comm comm = m->ranks->comm;
    bool lacks = m->reads && isnan(here);
    int first = lacks ? m->ranks->rank : m->ranks->size, noted = *note ? m->ranks->rank : m->ranks->size;
    double sum = m->reads && !lacks ? here : 0;
    STAC_TRY(stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, comm), "cannot add up", err));
    STAC_TRY(stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm), "cannot compare", err));
    STAC_TRY(stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &noted, 1, MPI_INT, MPI_MIN, comm), "cannot compare", err));
    out->measured = first == m->ranks->size;
    out->joules = out->measured ? sum : 0;
    if (!out->measured) {
        STAC_TRY(stac_broadcast(comm, why, STAC_METER_WHY, first, err));
        snprintf(out->source, sizeof out->source, "not measured: %.159s", why);
        return STAC_OK;
    }
    if (noted < m->ranks->size) STAC_TRY(stac_broadcast(comm, note, STAC_METER_WHY, noted, err));
    snprintf(out->source, sizeof out->source, "%s%s%.159s", kind == STAC_METER_CPU ? "measured-rapl" : "measured-nvml",
             noted < m->ranks->size ? ": " : "", noted < m->ranks->size ? note : "");
    return STAC_OK;
}

int stac_meter_end(struct stac_meter *m, struct stac_usage *out, struct stac_error *err) {
    double here[STAC_METER_KINDS] = {0};
    char why[STAC_METER_KINDS][STAC_METER_WHY] = {{0}}, note[STAC_METER_KINDS][STAC_METER_WHY] = {{0}};
    *out = (struct stac_usage){0};
    pthread_mutex_lock(&m->lock);
    if (m->reads) look(m);
    out->seconds = stac_clock_now() - m->began;
    for (int k = 0; k < STAC_METER_KINDS && m->reads; k++) here[k] = joules_here(m, (enum stac_meter_kind)k, why[k], note[k]);
    pthread_mutex_unlock(&m->lock);
    for (int k = 0; k < STAC_METER_KINDS; k++)
        STAC_TRY(merge(m, (enum stac_meter_kind)k, here[k], why[k], note[k], &out->of[k], err));
    return stac_broadcast(m->ranks->comm, &out->seconds, sizeof out->seconds, 0, err);
}
