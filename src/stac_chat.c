/* stac-chat: a conversation with a converted network, its original, or both: one turn per line, at a terminal or from a script
 * on standard input. Lines that begin with a slash are commands; two slashes stand for one that the model shall read. */
#include <editline/readline.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "energy/energy.h"
#include "stac.h"

enum { LONGEST_LINE = 1 << 20 };

/* One side of the conversation. */
struct speaker {
    enum stac_side side;
    bool speaks; /* the others listen: they are told what was said */
    struct stac_processor processor;
    struct stac_conversation talk;
    struct stac_counts *counts; /* [n_sites] of the last turn */
    size_t passed, written;     /* tokens that went through the network before the last turn; of its answer */
    double seconds;             /* of its answer */
};

struct program {
    struct stac_start start;
    struct stac_subject subject;
    struct speaker speaker[STAC_SIDES];
    int n_speakers;
    struct stac_energy_model coefficients;
    bool ends, failed; /* /quit; a line of a script went wrong */
};

static const char *name_of(const struct speaker *k) {
    return k->side == STAC_SNN ? "SNN" : "original";
}

static bool is_root(const struct program *p) {
    return p->start.ranks.rank == 0;
}

/* ---- lines -------------------------------------------------------------------------------------------------------- */

/* The next line of rank 0 without its end, or NULL at the end of the input. */
static char *ask_line(void) {
    char *line = NULL;
    size_t cap = 0;
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        line = readline("> ");
        if (line && *line) add_history(line);
        return line;
    }
    ssize_t got = getline(&line, &cap, stdin);
    while (got > 0 && (line[got - 1] == '\n' || line[got - 1] == '\r')) line[--got] = 0;
    if (got >= 0) return line;
    free(line);
    return NULL;
}

/* The same from rank 0 to all. Owned by the caller. */
static int next_line(struct program *p, char **line, struct stac_error *err) {
    MPI_Comm comm = p->start.ranks.comm;
    int64_t size = -1;
    *line = is_root(p) ? ask_line() : NULL;
    if (*line) size = strlen(*line) > LONGEST_LINE ? LONGEST_LINE : (int64_t)strlen(*line);
    int status = stac_broadcast(comm, &size, sizeof size, 0, err);
    if (status == STAC_OK && size >= 0 && !is_root(p)) status = STAC_NEW(*line, (size_t)size + 1, "a line", err);
    if (status == STAC_OK && size >= 0) status = stac_broadcast(comm, *line, (size_t)size, 0, err);
    if (status == STAC_OK && size >= 0) (*line)[size] = 0;
    if (status == STAC_OK && size >= 0) return STAC_OK;
    free(*line);
    *line = NULL;
    return status;
}

/* ---- turns -------------------------------------------------------------------------------------------------------- */

/* Whether a control character begins there: not a tab or an end of line; those of two bytes begin with C2. */
static bool is_control(const unsigned char *c, size_t size) {
    return (c[0] < ' ' && c[0] != '\t' && c[0] != '\n') || c[0] == 0x7f || (c[0] == 0xc2 && size > 1 && c[1] < 0xa0);
}

/* What a model says may be anything: a terminal is shown a question mark for what it would obey. */
static void show_piece(void *ctx, int conversation, const char *text, size_t size) {
    bool terminal = isatty(STDOUT_FILENO);
    (void)conversation;
    if (!is_root(ctx)) return;
    for (size_t i = 0; i < size; i++) {
        const unsigned char *c = (const unsigned char *)text + i;
        bool control = terminal && is_control(c, size - i);
        fputc(control ? '?' : *c, stdout);
        i += control && *c == 0xc2;
    }
    fflush(stdout);
}

/* What a side is counted for begins now. */
static void begin_counting(struct speaker *k) {
    stac_run_clear_counts(&k->processor.stand.run[0]);
    k->passed = k->processor.sessions.passed;
    k->written = 0;
    k->seconds = 0;
}

/* One speaker answers. The ranks of the first group do. */
static int answer(struct program *p, struct speaker *k, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    const struct stac_sampling how = {job->temperature, (int)job->top_k, job->top_p};
    double began = stac_clock_now();
    if (is_root(p)) printf("%s: ", name_of(k)), fflush(stdout);
    STAC_TRY(stac_conversations_answer(&k->talk, 1, &how, (int)job->max_new_tokens, show_piece, p, err));
    if (is_root(p)) printf("\n");
    k->written = k->talk.n_said;
    k->seconds = stac_clock_now() - began;
    return STAC_OK;
}

/* Whether this rank takes turns. */
static bool talks(const struct program *p) {
    return p->subject.grid.group == 0 && p->subject.grid.stage >= 0;
}

/* Whether a line has room with all speakers, before any of them hears it. The same on every rank. */
static int check_line(const struct program *p, const char *line, struct stac_error *err) {
    int status = STAC_OK;
    for (int i = 0; i < p->n_speakers && talks(p) && status == STAC_OK; i++)
        status = stac_conversation_check(&p->speaker[i].talk, line, err);
    return stac_agree(&p->start.ranks, p->start.ranks.comm, status, err);
}

/* What the user says reaches all; those who are silent are told what the first speaker answers. */
static int take_turn(struct program *p, const char *line, struct stac_error *err) {
    const struct speaker *first = NULL;
    if (!talks(p)) return STAC_OK;
    for (int i = 0; i < p->n_speakers; i++) {
        struct speaker *k = &p->speaker[i];
        begin_counting(k);
        STAC_TRY(stac_conversation_ask(&k->talk, line, err));
        if (!k->speaks) continue;
        STAC_TRY(answer(p, k, err));
        if (!first) first = k;
    }
    for (int i = 0; i < p->n_speakers; i++)
        if (!p->speaker[i].speaks)
            STAC_TRY(stac_conversation_tell(&p->speaker[i].talk, stac_conversation_last(&first->talk), err));
    return STAC_OK;
}

/* ---- commands ----------------------------------------------------------------------------------------------------- */

static int set_mode(struct program *p, const char *mode, struct stac_error *err) {
    static const char *const modes[] = {"snn", "baseline", "both"};
    int found = 0, speakers = 0;
    while (found < 3 && strcmp(mode, modes[found]) != 0) found++;
    if (found == 3) return stac_fail(err, STAC_ERR_USAGE, "/mode snn, /mode baseline or /mode both");
    for (int i = 0; i < p->n_speakers; i++)
        speakers += found == 2 || p->speaker[i].side == (found == 0 ? STAC_SNN : STAC_BASELINE);
    if (speakers == 0 || (found == 2 && speakers < 2))
        return stac_fail(err, STAC_ERR_USAGE, "only the %s is here; start stac-chat with --mode both", name_of(p->speaker));
    for (int i = 0; i < p->n_speakers; i++)
        p->speaker[i].speaks = found == 2 || p->speaker[i].side == (found == 0 ? STAC_SNN : STAC_BASELINE);
    return STAC_OK;
}

static int begin_talk(struct program *p, struct speaker *k, struct stac_error *err) {
    const char *told = p->start.job.system[0] ? p->start.job.system : NULL;
    stac_conversation_clean(&k->talk);
    if (p->subject.grid.stage < 0) return STAC_OK;
    return stac_conversation_init(&k->talk, &p->subject, &k->processor.sessions, 0, told, err);
}

static int reset(struct program *p, const char *argument, struct stac_error *err) {
    (void)argument;
    for (int i = 0; i < p->n_speakers; i++) STAC_TRY(begin_talk(p, &p->speaker[i], err));
    return STAC_OK;
}

/* The file of one side: FILE.snn.h5, FILE.original.h5. */
static int file_of(const struct speaker *k, const char *name, char **out, struct stac_error *err) {
    struct stac_strbuf path = {0};
    if (!*name) return stac_fail(err, STAC_ERR_USAGE, "/save FILE and /load FILE want the name of a file");
    int status = stac_strbuf_printf(&path, err, "%s.%s.h5", name, k->side == STAC_SNN ? "snn" : "original");
    *out = path.data;
    return status;
}

static int save(struct program *p, const char *name, struct stac_error *err) {
    for (int i = 0; i < p->n_speakers; i++) {
        char *path = NULL;
        int status = file_of(&p->speaker[i], name, &path, err);
        if (status == STAC_OK) status = stac_processor_save(&p->speaker[i].processor, 0, path, err);
        if (status == STAC_OK && is_root(p)) printf("written to %s\n", path);
        free(path);
        STAC_TRY(status);
    }
    return STAC_OK;
}

/* One side goes on from what was read. */
static int take_up(struct program *p, struct speaker *k, struct stac_session *read, struct stac_error *err) {
    const struct stac_sessions *s = &k->processor.sessions;
    STAC_TRY(stac_processor_replace(&k->processor, 0, read, err));
    if (p->subject.grid.stage < 0) return STAC_OK;
    begin_counting(k);
    k->talk.begun = s->at[0].n > 0;
    if (is_root(p)) printf("%s: %zu tokens, %zu turns\n", name_of(k), s->at[0].n, s->at[0].n_turns);
    return STAC_OK;
}

/* All sides or none. */
static int load(struct program *p, const char *name, struct stac_error *err) {
    struct stac_session read[STAC_SIDES] = {0};
    int status = STAC_OK;
    for (int i = 0; i < p->n_speakers && status == STAC_OK; i++) {
        char *path = NULL;
        status = file_of(&p->speaker[i], name, &path, err);
        if (status == STAC_OK) status = stac_processor_read_file(&p->speaker[i].processor, path, &read[i], err);
        free(path);
    }
    for (int i = 0; i < p->n_speakers && status == STAC_OK; i++) status = take_up(p, &p->speaker[i], &read[i], err);
    for (int i = 0; i < STAC_SIDES; i++) stac_session_clean(&read[i]);
    return status;
}

/* Picojoules of the last turn by the three accounts; a set without coefficients for one leaves it out. */
static void print_energy(const struct program *p, const struct speaker *k) {
    static const char *const accounts[] = {"operations of products", "all operations", "and memory"};
    enum stac_machine machine = k->side == STAC_SNN ? STAC_SPIKING : STAC_DENSE;
    struct stac_bill bill = {0};
    for (int i = 0; i < stac_site_count(&p->subject.hp); i++) { /* the other machines on the bill say nothing here */
        const struct stac_site_work work = {.dense = &k->counts[i], .spiking = &k->counts[i], .bits = 8, .passes = 1};
        stac_bill_add(&p->coefficients, &work, &bill);
    }
    printf("  energy");
    for (int a = 0; a < STAC_ACCOUNTS; a++) {
        double pj = stac_bill_sum(&p->coefficients, &bill, machine, (enum stac_account)a);
        if (!isnan(pj)) printf("%s %.4g pJ %s", a ? "," : "", pj, accounts[a]);
    }
    printf(" (%s, %s)\n", p->coefficients.name, p->coefficients.format);
}

static void print_stats(const struct program *p, const struct speaker *k) {
    struct stac_counts sum = {0};
    size_t read = k->processor.sessions.passed - k->passed;
    for (int i = 0; i < stac_site_count(&p->subject.hp); i++) stac_counts_add(&sum, &k->counts[i]);
    printf("%s: %zu tokens read, %zu written in %.2f s; ", name_of(k), read, k->written, k->seconds);
    if (k->side == STAC_SNN)
        printf("%.4g spikes, %.0f a token; AC/MAC %.4f\n", (double)sum.spikes, read > 0 ? (double)sum.spikes / (double)read : 0,
               stac_ac_per_mac(&sum));
    else
        printf("%.4g multiply-accumulates\n", (double)sum.macs);
    print_energy(p, k);
}

static int stats(struct program *p, const char *argument, struct stac_error *err) {
    (void)argument;
    for (int i = 0; i < p->n_speakers; i++) {
        struct speaker *k = &p->speaker[i];
        if (!k->speaks) continue;
        STAC_TRY(stac_stand_counts(&k->processor.stand, 0, k->counts, err));
        if (is_root(p)) print_stats(p, k);
    }
    return STAC_OK;
}

static int help(struct program *p, const char *argument, struct stac_error *err);

static int quit(struct program *p, const char *argument, struct stac_error *err) {
    (void)argument, (void)err;
    p->ends = true;
    return STAC_OK;
}

static const struct command {
    const char *name;
    int (*run)(struct program *p, const char *argument, struct stac_error *err);
    const char *says;
} commands[] = {
    {"mode", set_mode, "snn, baseline or both: who answers; who is silent is told what was said"},
    {"reset", reset, "a new conversation"},
    {"save", save, "FILE: put the conversation away as FILE.snn.h5 and FILE.original.h5"},
    {"load", load, "FILE: take it up again"},
    {"stats", stats, "the last turn: tokens that went through the network, tokens of the answer, spikes, AC/MAC, picojoules"},
    {"help", help, "these lines; a line that begins with // is for the model, without the first slash"},
    {"quit", quit, "the end; as the end of the input"},
};

static int help(struct program *p, const char *argument, struct stac_error *err) {
    (void)argument, (void)err;
    for (size_t i = 0; i < sizeof commands / sizeof *commands && is_root(p); i++)
        printf("/%-6s %s\n", commands[i].name, commands[i].says);
    return STAC_OK;
}

/* A line that went wrong is told and the conversation goes on; anything worse ends it. The same on every rank. */
static int go_on(struct program *p, const struct stac_error *own, struct stac_error *err) {
    if (own->status == STAC_ERR_USAGE || own->status == STAC_ERR_INPUT || own->status == STAC_ERR_IO) {
        p->failed = true;
        stac_log_warn(&p->start.log, "%s", own->text);
        return STAC_OK;
    }
    *err = *own;
    return own->status;
}

/* A command. */
static int obey(struct program *p, char *line, struct stac_error *err) {
    char *argument = line + strcspn(line, " \t");
    struct stac_error own = {0};
    int status = STAC_OK;
    size_t i = 0, n = sizeof commands / sizeof *commands;
    if (*argument) *argument++ = 0;
    argument += strspn(argument, " \t");
    while (i < n && strcmp(commands[i].name, line) != 0) i++;
    if (i < n)
        status = commands[i].run(p, argument, &own);
    else
        status = stac_fail(&own, STAC_ERR_USAGE, "there is no command /%s; /help lists them", line);
    return status == STAC_OK ? STAC_OK : go_on(p, &own, err);
}

/* What the models shall read. */
static int hear(struct program *p, const char *line, struct stac_error *err) {
    struct stac_error own = {0};
    return check_line(p, line, &own) == STAC_OK ? take_turn(p, line, err) : go_on(p, &own, err);
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

static int prepare(struct program *p, struct stac_error *err) {
    struct stac_subject *s = &p->subject;
    for (int side = 0; side < STAC_SIDES; side++) {
        if (!s->side[side]) continue;
        struct speaker *k = &p->speaker[p->n_speakers++];
        *k = (struct speaker){.side = (enum stac_side)side, .speaks = true};
        STAC_TRY(stac_processor_init(&k->processor, s, (enum stac_side)side, 1, 0, err));
        int status = STAC_NEW(k->counts, stac_site_count(&s->hp), "counts", err);
        if (status == STAC_OK) status = begin_talk(p, k, err);
        STAC_TRY(stac_agree(s->ranks, s->ranks->comm, status, err));
    }
    return STAC_OK;
}

static int run(struct program *p, struct stac_error *err) {
    struct stac_start *s = &p->start;
    p->subject = (struct stac_subject){.job = &s->job, .ranks = &s->ranks, .log = &s->log};
    STAC_TRY(stac_subject_open(&p->subject, err));
    STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, stac_energy_model_read(s->job.energy_model, &p->coefficients, err), err));
    STAC_TRY(prepare(p, err));
    while (!p->ends) {
        char *line;
        int status = STAC_OK;
        STAC_TRY(next_line(p, &line, err));
        if (!line) return STAC_OK;
        if (line[0] == '/' && line[1] != '/')
            status = obey(p, line + 1, err);
        else if (*line)
            status = hear(p, line + (line[0] == '/'), err);
        free(line);
        STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, status, err));
    }
    return STAC_OK;
}

int main(int argc, char **argv) {
    static struct program p;
    struct stac_error err = {0};
    int status = stac_start(&p.start, STAC_CHAT, argc, argv, stac_build_info(), &err);
    if (status == STAC_OK && p.start.answered)
        fputs(stac_strbuf_text(&p.start.answer), stdout);
    else if (status == STAC_OK)
        run(&p, &err);
    for (int i = 0; i < p.n_speakers; i++) {
        stac_conversation_clean(&p.speaker[i].talk);
        stac_processor_clean(&p.speaker[i].processor);
        free(p.speaker[i].counts);
    }
    stac_subject_close(&p.subject);
    return stac_finish(&p.start, p.failed ? 1 : 0, &err);
}
