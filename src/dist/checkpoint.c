#include "dist/checkpoint.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/draft.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/stop.h"

static const char job_record[] = "job";

/* ---- begin and end ------------------------------------------------------------------------------------------------ */

/* Moved aside first: what is cut short leaves no folder that looks like a checkpoint, and goes away with the next look. */
static int put_away(const struct stac_checkpoint *c, struct stac_error *err) {
    char *aside = stac_draft_name(c->folder, "old", err);
    if (!aside) return err->status;
    int status = stac_draft_remove(rename(c->folder, aside) == 0 ? aside : c->folder, err);
    free(aside);
    return status;
}

/* What removals that were cut short have left. */
static void sweep(const struct stac_checkpoint *c) {
    struct stac_error ignored = {0};
    free(stac_draft_name(c->folder, "old", &ignored));
}

/* Whether the folder holds a whole record that says whose it is: this job's, or (NULL) anybody's. */
static int belongs(const struct stac_checkpoint *c, const char *job, bool *yes, struct stac_error *err) {
    char *body;
    size_t size;
    bool damaged;
    STAC_TRY(stac_record_read(c->folder, job_record, job, &body, &size, &damaged, err));
    *yes = body != NULL;
    free(body);
    return STAC_OK;
}

/* Go through a folder that is nobody's: whether only records and drafts of them are in it; with `clear` these are removed. */
static bool holds_records_only(const char *folder, bool clear) {
    DIR *dir = opendir(folder);
    bool only = dir != NULL;
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        only = only && (strstr(e->d_name, ".tmp-") || stac_record_is_one(folder, e->d_name));
        if (only && clear) unlinkat(dirfd(dir), e->d_name, 0);
    }
    if (dir) closedir(dir);
    return only;
}

/* Whether the folder holds anything of this job; STAC_ERR_USAGE if it is another's. Without a whole record of whose it is, it
 * is no checkpoint: its maker was killed before the first, or as it went away. */
static int look(struct stac_checkpoint *c, bool replace, struct stac_error *err) {
    bool others = false;
    sweep(c);
    if (!stac_file_exists(c->folder)) return STAC_OK;
    STAC_TRY(belongs(c, c->job, &c->resumed, err));
    if (c->resumed) return STAC_OK;
    if (replace) return put_away(c, err);
    STAC_TRY(belongs(c, NULL, &others, err));
    if (others)
        return stac_fail(
            err, STAC_ERR_USAGE,
            "%s was left by a job that is not this one, or by another version: finish that one, remove the folder, "
            "or give --force",
            c->folder);
    if (holds_records_only(c->folder, false) && holds_records_only(c->folder, true)) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE, "%s holds something that is no checkpoint: remove it, or give --force", c->folder);
}

/* Where the checkpoint of a job for the result at `path` is. */
static int name_folder(struct stac_checkpoint *c, const char *path, const char *job, struct stac_error *err) {
    if (!(c->folder = stac_file_beside(path, ".checkpoint", err))) return err->status;
    snprintf(c->job, sizeof c->job, "%s", job ? job : "");
    return STAC_OK;
}

int stac_checkpoint_begin(struct stac_checkpoint *c, const char *path, const char *job, double interval, bool replace,
                          const struct stac_ranks *ranks, const struct stac_log *log, struct stac_error *err) {
    *c = (struct stac_checkpoint){.ranks = ranks, .log = log, .interval = interval, .written = stac_clock_now()};
    int status = name_folder(c, path, job, err);
    if (status == STAC_OK && ranks->rank == 0) status = look(c, replace, err);
    STAC_TRY(stac_agree(ranks, ranks->comm, status, err));
    STAC_TRY(stac_broadcast(ranks->comm, c->job, sizeof c->job, 0, err));
    STAC_TRY(stac_broadcast(ranks->comm, &c->resumed, sizeof c->resumed, 0, err));
    if (c->resumed) stac_log_info(log, "going on from %s", c->folder);
    return STAC_OK;
}

static void forget_waiting(struct stac_checkpoint *c) {
    for (size_t i = 0; i < c->n_waiting; i++) free(c->waiting[i].body);
    c->n_waiting = 0;
}

void stac_checkpoint_remove(struct stac_checkpoint *c) {
    struct stac_error ignored = {0};
    if (c->folder && stac_file_exists(c->folder)) put_away(c, &ignored);
}

void stac_checkpoint_clean(struct stac_checkpoint *c) {
    forget_waiting(c);
    free(c->waiting);
    free(c->folder);
    *c = (struct stac_checkpoint){0};
}

void stac_checkpoint_tidy(const char *path, const char *job) {
    struct stac_checkpoint c = {0};
    struct stac_error ignored = {0};
    if (name_folder(&c, path, job, &ignored) == STAC_OK && look(&c, false, &ignored) == STAC_OK) stac_checkpoint_remove(&c);
    stac_checkpoint_clean(&c);
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static void tell(struct stac_checkpoint *c, const struct stac_error *trouble) {
    if (!c->told) stac_log_warn(c->log, "no checkpoint can be written, the job goes on without: %s", trouble->text);
    c->told = c->failed = true;
}

/* The folder, with the record that says whose it is. */
static int make_folder(struct stac_checkpoint *c, struct stac_error *err) {
    char *path = stac_file_join(c->folder, job_record, err);
    int status = path ? stac_file_make_folder(c->folder, err) : err->status;
    if (status == STAC_OK && !stac_file_exists(path)) status = stac_record_write(c->folder, job_record, c->job, NULL, 0, err);
    free(path);
    return status;
}

int stac_checkpoint_ask(struct stac_checkpoint *c, bool *due, struct stac_error *err) {
    int wish[2] = {stac_stop_signal(), 0};
    *due = false;
    if (!c || !c->folder) return STAC_OK;
    if (c->ranks->rank == 0) wish[1] = stac_clock_now() - c->written >= c->interval;
    STAC_TRY(stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, wish, 2, MPI_INT, MPI_MAX, c->ranks->comm), "ranks cannot agree", err));
    c->stop = wish[0];
    *due = wish[0] || wish[1];
    if (!*due) return STAC_OK;
    struct stac_error trouble = {0};
    c->failed = false;
    if (c->ranks->rank == 0 && make_folder(c, &trouble) != STAC_OK) tell(c, &trouble);
    for (size_t i = 0; i < c->n_waiting; i++) {
        struct stac_bytes body = {c->waiting[i].body, c->waiting[i].size};
        stac_checkpoint_put(c, c->waiting[i].name, &body, 1, false);
    }
    forget_waiting(c);
    c->written = stac_clock_now();
    return stac_mpi_check(MPI_Barrier(c->ranks->comm), "ranks cannot agree", err); /* the folder is there */
}

/* Take a copy. */
static int wait_with(struct stac_checkpoint *c, const char *name, const struct stac_bytes *part, size_t n,
                     struct stac_error *err) {
    struct stac_waiting w = {0};
    STAC_TRY(stac_grow(&c->waiting, &c->waiting_cap, c->n_waiting + 1, sizeof *c->waiting, "a checkpoint", err));
    for (size_t i = 0; i < n; i++) w.size += part[i].size;
    STAC_TRY(STAC_NEW(w.body, w.size, "a checkpoint", err));
    char *at = w.body;
    for (size_t i = 0; i < n; at += part[i++].size)
        if (part[i].size) memcpy(at, part[i].data, part[i].size);
    snprintf(w.name, sizeof w.name, "%s", name);
    c->waiting[c->n_waiting++] = w;
    return STAC_OK;
}

void stac_checkpoint_put(struct stac_checkpoint *c, const char *name, const struct stac_bytes *part, size_t n, bool later) {
    struct stac_error trouble = {0};
    if (!c || !c->folder) return;
    int status = later ? wait_with(c, name, part, n, &trouble) : stac_record_write(c->folder, name, c->job, part, n, &trouble);
    if (status != STAC_OK) tell(c, &trouble);
}

char *stac_checkpoint_get(struct stac_checkpoint *c, const char *name, size_t size, size_t *found) {
    struct stac_error trouble = {0};
    char *body = NULL;
    size_t there = 0;
    bool damaged = false;
    if (!c || !c->folder || !c->resumed) return NULL;
    if (stac_record_read(c->folder, name, c->job, &body, &there, &damaged, &trouble) != STAC_OK)
        stac_log_warn(c->log, "the checkpoint is not used: %s", trouble.text);
    if (damaged)
        stac_log_warn(c->log, "%s/%s is damaged: %s", c->folder, name, body ? "the one before it is used" : "it is made again");
    if (body && size && there != size) {
        free(body);
        body = NULL;
    }
    if (found) *found = there;
    return body;
}

int stac_checkpoint_leave(struct stac_checkpoint *c, struct stac_error *err) {
    if (!c || !c->stop) return STAC_OK;
    int failed = c->failed;
    STAC_TRY(
        stac_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, c->ranks->comm), "ranks cannot agree", err));
    if (failed)
        stac_fail(
            err, STAC_ERR_IO,
            "stopped by %s, and what is done could not be kept in %s: the same job, run again, has only what was kept before",
            stac_stop_name(c->stop), c->folder);
    else
        stac_fail(err, STAC_STOPPED, "by %s; what is done is kept in %s: run the same job again and it goes on",
                  stac_stop_name(c->stop), c->folder);
    err->agreed = 1;
    return err->status;
}

/* ---- pieces ------------------------------------------------------------------------------------------------------- */

/* What was kept becomes the share of rank 0. */
static int resume(const struct stac_pieces *w, int *done, struct stac_error *err) {
    struct stac_checkpoint *c = w->checkpoint;
    int64_t there = 0;
    size_t bytes = stac_partial_bytes(w->part, w->n_parts);
    *done = 0;
    if (!c || !c->folder || !c->resumed) return STAC_OK;
    if (c->ranks->rank == 0) {
        char *body = stac_checkpoint_get(c, w->record, sizeof there + bytes, NULL), *at = body;
        if (body) memcpy(&there, body, sizeof there);
        if (there < 0 || there > w->n) there = 0;
        if (body) at += sizeof there;
        for (int i = 0; i < w->n_parts && there > 0; at += stac_partial_bytes(&w->part[i], 1), i++)
            memcpy(w->part[i].data, at, stac_partial_bytes(&w->part[i], 1));
        free(body);
    }
    STAC_TRY(stac_broadcast(c->ranks->comm, &there, sizeof there, 0, err));
    *done = (int)there;
    return STAC_OK;
}

static int keep(const struct stac_pieces *w, int done, bool later, struct stac_error *err) {
    struct stac_bytes *part;
    int64_t count = done;
    if (w->checkpoint->ranks->rank != 0) return STAC_OK;
    STAC_TRY(STAC_NEW(part, w->n_parts + 1, "a checkpoint", err));
    part[0] = (struct stac_bytes){&count, sizeof count};
    for (int i = 0; i < w->n_parts; i++) part[i + 1] = (struct stac_bytes){w->part[i].data, stac_partial_bytes(&w->part[i], 1)};
    stac_checkpoint_put(w->checkpoint, w->record, part, (size_t)w->n_parts + 1, later);
    free(part);
    return STAC_OK;
}

/* After a piece: keep what is due; at the end all of it, for later. */
static int pause_for(const struct stac_pieces *w, int done, struct stac_error *err) {
    struct stac_checkpoint *c = w->checkpoint;
    bool due, whole = done == w->n;
    if (!c || !c->folder) return STAC_OK;
    STAC_TRY(stac_checkpoint_ask(c, &due, err));
    if (!due && !whole) return STAC_OK;
    STAC_TRY(stac_merge_to_first(c->ranks, w->part, w->n_parts, err));
    STAC_TRY(stac_agree(c->ranks, c->ranks->comm, keep(w, done, !due, err), err));
    return stac_checkpoint_leave(c, err);
}

int stac_work_in_pieces(const struct stac_pieces *w, struct stac_error *err) {
    int done;
    STAC_TRY(resume(w, &done, err));
    if (done && w->skipped) w->skipped(w->ctx, done);
    while (done < w->n) {
        int to = w->n - done < w->piece ? w->n : done + w->piece;
        STAC_TRY(w->run(w->ctx, done, to, err));
        done = to;
        STAC_TRY(pause_for(w, done, err));
    }
    return stac_merge_to_all(w->ranks, w->part, w->n_parts, err);
}
