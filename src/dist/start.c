#include "dist/start.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/stop.h"

enum { LARGEST_JOB = 1 << 20 };
static const double longest_gathering = 300; /* seconds, as Slurm has it (PMIxTimeout) */

/* The text of the job file, from rank 0 to all. */
static int share_file(struct stac_start *s, const char *path, char **text, size_t *size, struct stac_error *err) {
    int status = STAC_OK;
    uint64_t bytes = 0;
    *text = NULL;
    if (s->ranks.rank == 0) {
        status = stac_file_read(path, LARGEST_JOB, text, size, err);
        if (status != STAC_OK) err->status = status = STAC_ERR_USAGE; /* a bad job, whatever is wrong with its file */
        bytes = status == STAC_OK ? *size : 0;
    }
    STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, status, err));
    STAC_TRY(stac_broadcast(s->ranks.comm, &bytes, sizeof bytes, 0, err));
    *size = (size_t)bytes;
    if (s->ranks.rank != 0) STAC_TRY(STAC_NEW(*text, *size + 1, "the job file", err));
    return stac_broadcast(s->ranks.comm, *text, *size, 0, err);
}

static int answer(struct stac_start *s, enum stac_job_request request, const char *version, struct stac_error *err) {
    s->answered = true;
    if (s->ranks.rank != 0) return STAC_OK;
    switch (request) {
    case STAC_JOB_SHOW_HELP: return stac_job_help(s->job.program, &s->answer, err);
    case STAC_JOB_SHOW_REFERENCE: return stac_job_reference(s->job.program, &s->answer, err);
    default: return stac_strbuf_printf(&s->answer, err, "%s\n", version);
    }
}

/* Ranks of other versions, or with another command line, would work at something else. */
static int check_same(const struct stac_start *s, const char *version, struct stac_error *err) {
    struct stac_strbuf text = {0};
    uint64_t mine = 0, first;
    int status = stac_job_print(&s->job, &text, err);
    if (status == STAC_OK) status = stac_strbuf_printf(&text, err, "%s", version);
    if (status == STAC_OK) mine = stac_xxh3(stac_strbuf_text(&text), strlen(stac_strbuf_text(&text)));
    stac_strbuf_clean(&text);
    STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, status, err));
    first = mine;
    STAC_TRY(stac_broadcast(s->ranks.comm, &first, sizeof first, 0, err));
    if (first != mine)
        status = stac_fail(err, STAC_ERR_USAGE,
                           "its job or its version is not that of rank 0: start all ranks alike (this is %s)", version);
    return stac_agree(&s->ranks, s->ranks.comm, status, err);
}

/* The folder that is written, or looked at; a conversation is seen by whoever holds it. */
static int begin_live(struct stac_start *s, struct stac_error *err) {
    const char *folder = s->job.program == STAC_CONVERT ? s->job.output_dir : s->job.dir;
    const char *name = s->job.program == STAC_CONVERT ? "stac-convert" : "stac-eval";
    if (s->job.program == STAC_CHAT || s->job.watch[0]) return STAC_OK;
    s->log.live = &s->live;
    return stac_live_init(&s->live, folder, name, s->ranks.rank, s->ranks.size, err);
}

int stac_start(struct stac_start *s, enum stac_program program, int argc, char *const *argv, const char *version,
               struct stac_error *err) {
    const char *path = NULL;
    char *text = NULL;
    size_t size = 0;
    enum stac_job_request request;
    int status = STAC_OK;
    *s = (struct stac_start){0};
    STAC_TRY(stac_muster_begin(&s->muster, longest_gathering, err));
    STAC_TRY(stac_ranks_begin(&s->ranks, err));
    STAC_TRY_DONE(stac_job_init(&s->job, program, err));
    status = stac_job_command_line(&s->job, argc, argv, NULL, 0, &path, &request, err);
    STAC_TRY_DONE(stac_agree(&s->ranks, s->ranks.comm, status, err));
    if (request != STAC_JOB_RUN) {
        status = answer(s, request, version, err);
        goto done;
    }
    if (path) {
        STAC_TRY_DONE(share_file(s, path, &text, &size, err));
        status = stac_job_command_line(&s->job, argc, argv, text, size, &path, &request, err);
        STAC_TRY_DONE(stac_agree(&s->ranks, s->ranks.comm, status, err));
    }
    STAC_TRY_DONE(check_same(s, version, err));
    STAC_TRY_DONE(stac_sentry_begin(&s->sentry, &s->ranks, s->job.rank_timeout, err));
    stac_muster_end(&s->muster);
    if (program != STAC_CHAT) stac_stop_listen(); /* not before: a launcher that ends ranks while they gather is to end them */
    stac_ranks_set_threads(&s->ranks, (int)s->job.threads);
    if (s->ranks.rank == 0) s->log = (struct stac_log){.screen = stderr, .quiet = s->job.quiet};
    status = stac_agree(&s->ranks, s->ranks.comm, begin_live(s, err), err);
done:
    free(text);
    return status;
}

int stac_finish(struct stac_start *s, int code, const struct stac_error *err) {
    stac_live_clean(&s->live);
    stac_strbuf_clean(&s->answer);
    stac_job_clean(&s->job);
    if (err->status != STAC_OK && !err->agreed) stac_sentry_end(&s->sentry); /* who leaves alone says so itself */
    code = stac_ranks_end(&s->ranks, code, err);
    stac_sentry_end(&s->sentry);
    stac_muster_end(&s->muster);
    return code;
}
