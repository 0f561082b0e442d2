#include "spool/overview.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "spool/owner.h"

enum { SHOWN = 10 }; /* failed jobs */

/* Whatever files are called and hold, the table does nothing to a terminal. */

/* Jobs among the names of a folder: records and reasons lie beside them. */
static bool is_job(const char *name) {
    return stac_spool_program(name) != NULL;
}

static int count_jobs(int folder, size_t *n, struct stac_error *err) {
    struct stac_spool_names names = {0};
    *n = 0;
    STAC_TRY(stac_spool_list(folder, &names, err));
    for (size_t i = 0; i < names.n; i++) *n += is_job(names.name[i]);
    stac_spool_free_names(&names);
    return STAC_OK;
}

/* One line for each job of an owner. */
static int list_owner(const struct stac_spool *s, const char *owner, size_t *running, struct stac_strbuf *out,
                      struct stac_error *err) {
    struct stac_spool_names names = {0};
    char host[64], age[32] = "unknown";
    int folder = openat(s->running, owner, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return STAC_OK;
    double seconds = stac_owner_age(s, NULL, owner);
    stac_owner_host(owner, host, sizeof host);
    if (seconds >= 0) stac_clock_duration(seconds, age, sizeof age);
    int status = stac_spool_list(folder, &names, err);
    for (size_t i = 0; status == STAC_OK && i < names.n; i++, (*running)++)
        status = stac_strbuf_printf(out, err, "running  %-40s on %s, heard of %s ago\n", stac_one_line(names.name[i]),
                                    stac_one_line(host), age);
    stac_spool_free_names(&names);
    close(folder);
    return status;
}

static int list_running(const struct stac_spool *s, size_t *running, struct stac_strbuf *out, struct stac_error *err) {
    struct stac_spool_names owners = {0};
    *running = 0;
    int status = stac_spool_list(s->running, &owners, err);
    for (size_t i = 0; status == STAC_OK && i < owners.n; i++) status = list_owner(s, owners.name[i], running, out, err);
    stac_spool_free_names(&owners);
    return status;
}

/* The reason, which is the first line of the text beside a failed job. */
static int list_failed(const struct stac_spool *s, struct stac_strbuf *out, struct stac_error *err) {
    struct stac_spool_names names = {0};
    size_t shown = 0;
    int status = stac_spool_list(s->failed, &names, err);
    for (size_t i = 0; status == STAC_OK && shown < SHOWN && i < names.n; i++) {
        char path[NAME_MAX + 1], text[512];
        if (!is_job(names.name[i]) || strlen(names.name[i]) > STAC_SPOOL_NAME) continue;
        snprintf(path, sizeof path, "%.*s.txt", STAC_SPOOL_NAME, names.name[i]);
        int fd = openat(s->failed, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
        if (fd >= 0) close(fd);
        text[n > 0 ? n : 0] = 0;
        text[strcspn(text, "\n")] = 0;
        status = stac_strbuf_printf(out, err, "failed   %s\n", stac_one_line(*text ? text : names.name[i]));
        shown++;
    }
    stac_spool_free_names(&names);
    return status;
}

int stac_overview_write(const struct stac_spool *s, struct stac_overview *counts, struct stac_strbuf *out,
                        struct stac_error *err) {
    struct stac_strbuf running = {0};
    STAC_TRY(count_jobs(s->queue, &counts->queued, err));
    int status = list_running(s, &counts->running, &running, err);
    if (status == STAC_OK) status = count_jobs(s->done, &counts->done, err);
    if (status == STAC_OK) status = count_jobs(s->failed, &counts->failed, err);
    if (status == STAC_OK)
        status = stac_strbuf_printf(out, err, "queued %zu   running %zu   done %zu   failed %zu\n%s", counts->queued,
                                    counts->running, counts->done, counts->failed, stac_strbuf_text(&running));
    stac_strbuf_clean(&running);
    return status == STAC_OK ? list_failed(s, out, err) : status;
}
