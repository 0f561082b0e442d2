/* stac-chat: a conversation with a converted network, its original, or both, one turn per line of standard input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "dist/start.h"
#include "eval/conversation.h"

enum { LONGEST_LINE = 1 << 20 };

struct program {
    struct stac_start start;
    struct stac_subject subject;
    struct stac_stand stand[STAC_SIDES];
    struct stac_sessions sessions[STAC_SIDES];
    struct stac_conversation talk[STAC_SIDES];
    int n_talks;
};

/* The next line without its end, from rank 0 to all; *line is NULL at the end of the input. Owned by the caller. */
static int next_line(struct program *p, char **line, struct stac_error *err) {
    struct stac_ranks *ranks = &p->start.ranks;
    int64_t size = -1;
    *line = NULL;
    if (ranks->rank == 0) {
        size_t cap = 0;
        if (isatty(STDIN_FILENO)) fputs("> ", stdout), fflush(stdout);
        ssize_t got = getline(line, &cap, stdin);
        while (got > 0 && ((*line)[got - 1] == '\n' || (*line)[got - 1] == '\r')) (*line)[--got] = 0;
        size = got > LONGEST_LINE ? LONGEST_LINE : got;
    }
    int status = stac_broadcast(ranks->comm, &size, sizeof size, 0, err);
    if (status == STAC_OK && size >= 0 && ranks->rank != 0) status = STAC_NEW(*line, (size_t)size + 1, "a line", err);
    if (status == STAC_OK && size >= 0) status = stac_broadcast(ranks->comm, *line, (size_t)size, 0, err);
    if (status == STAC_OK && size >= 0) (*line)[size] = 0;
    if (status == STAC_OK && size >= 0) return STAC_OK;
    free(*line);
    *line = NULL;
    return status;
}

static void show_piece(void *ctx, int conversation, const char *text, size_t size) {
    (void)conversation;
    if (((struct program *)ctx)->start.ranks.rank != 0) return;
    fwrite(text, 1, size, stdout);
    fflush(stdout);
}

/* One turn with one side, on the ranks of the first group. */
static int turn(struct program *p, int i, const char *line, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    struct stac_sampling how = {job->temperature, (int)job->top_k, job->top_p};
    if (p->subject.grid.group != 0) return STAC_OK;
    STAC_TRY(stac_conversation_ask(&p->talk[i], line, err));
    if (p->start.ranks.rank == 0) printf("%s: ", p->stand[i].side[0] == STAC_SNN ? "SNN" : "original");
    STAC_TRY(stac_conversations_answer(&p->talk[i], 1, &how, (int)job->max_new_tokens, show_piece, p, err));
    if (p->start.ranks.rank == 0) printf("\n");
    return STAC_OK;
}

static int prepare(struct program *p, struct stac_error *err) {
    struct stac_subject *s = &p->subject;
    int capacity = stac_subject_context(s);
    if (capacity > s->hp.n_ctx)
        stac_log_warn(s->log, "max_context_length is %d and the model has %d positions: later tokens share the last one",
                      capacity, s->hp.n_ctx);
    for (int side = 0; side < STAC_SIDES; side++) {
        if (!s->side[side]) continue;
        int i = p->n_talks++, status = STAC_OK;
        STAC_TRY(stac_stand_init(&p->stand[i], s, (enum stac_side)side, 1, capacity, capacity < 256 ? capacity : 256, err));
        if (s->grid.stage >= 0)
            status = stac_sessions_init(&p->sessions[i], &p->stand[i].pipeline, (uint64_t)s->job->seed, err);
        if (s->grid.stage >= 0 && status == STAC_OK)
            status = stac_conversation_init(&p->talk[i], s, &p->sessions[i], 0, NULL, err);
        STAC_TRY(stac_agree(s->ranks, s->ranks->comm, status, err));
    }
    return STAC_OK;
}

static int run(struct program *p, struct stac_error *err) {
    struct stac_start *s = &p->start;
    p->subject = (struct stac_subject){.job = &s->job, .ranks = &s->ranks, .log = &s->log};
    STAC_TRY(stac_subject_open(&p->subject, err));
    STAC_TRY(prepare(p, err));
    for (;;) {
        char *line;
        STAC_TRY(next_line(p, &line, err));
        if (!line) return STAC_OK;
        int status = STAC_OK;
        for (int i = 0; *line && status == STAC_OK && i < p->n_talks; i++) status = turn(p, i, line, err);
        free(line);
        STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, status, err));
    }
}

int main(int argc, char **argv) {
    static struct program p;
    struct stac_error err = {0};
    int status = stac_start(&p.start, STAC_CHAT, argc, argv, stac_build_info(), &err);
    if (status == STAC_OK && p.start.answered)
        fputs(stac_strbuf_text(&p.start.answer), stdout);
    else if (status == STAC_OK)
        run(&p, &err);
    for (int i = 0; i < p.n_talks; i++) {
        stac_conversation_clean(&p.talk[i]);
        stac_sessions_clean(&p.sessions[i]);
        stac_stand_clean(&p.stand[i]);
    }
    stac_subject_close(&p.subject);
    return stac_finish(&p.start, 0, &err);
}
