#include "dist/record.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

enum { VERSION = 1 };

struct head {
    char magic[8];
    uint64_t version, size, body_sum;
    char job[72], name[STAC_RECORD_NAME];
    uint64_t head_sum;
};

static const char magic[8] = {'S', 'T', 'A', 'C', 'K', 'E', 'P', 'T'};

static uint64_t sum_of_head(const struct head *h) {
    return stac_xxh3(h, offsetof(struct head, head_sum));
}

const char *stac_record_body(const char *bytes, size_t n, const char *name, const char *job, size_t *size) {
    struct head h;
    if (n < sizeof h) return NULL;
    memcpy(&h, bytes, sizeof h);
    if (memcmp(h.magic, magic, sizeof magic) != 0 || h.version != VERSION || h.head_sum != sum_of_head(&h) ||
        h.size != n - sizeof h)
        return NULL;
    if ((job && strncmp(h.job, job, sizeof h.job) != 0) || strncmp(h.name, name, sizeof h.name) != 0) return NULL;
    if (stac_xxh3(bytes + sizeof h, h.size) != h.body_sum) return NULL;
    *size = h.size;
    return bytes + sizeof h;
}

/* Paths of the two generations, new strings; both NULL on failure. */
static int paths(const char *folder, const char *name, char **now, char **old, struct stac_error *err) {
    char before[STAC_RECORD_NAME + 8];
    snprintf(before, sizeof before, "%.*s.old", STAC_RECORD_NAME - 1, name);
    *old = NULL;
    if ((*now = stac_file_join(folder, name, err)) && (*old = stac_file_join(folder, before, err))) return STAC_OK;
    free(*now);
    *now = NULL;
    return err->status;
}

/* The whole file in memory. */
static int assemble(const char *name, const char *job, const struct stac_bytes *part, size_t n, char **bytes, size_t *total,
                    struct stac_error *err) {
    struct head h = {.version = VERSION};
    memcpy(h.magic, magic, sizeof magic);
    snprintf(h.job, sizeof h.job, "%s", job);
    snprintf(h.name, sizeof h.name, "%s", name);
    for (size_t i = 0; i < n; i++) h.size += part[i].size;
    *total = sizeof h + h.size;
    STAC_TRY(STAC_NEW(*bytes, *total, "a checkpoint", err));
    char *at = *bytes + sizeof h;
    for (size_t i = 0; i < n; at += part[i++].size)
        if (part[i].size) memcpy(at, part[i].data, part[i].size);
    h.body_sum = stac_xxh3(*bytes + sizeof h, h.size);
    h.head_sum = sum_of_head(&h);
    memcpy(*bytes, &h, sizeof h);
    return STAC_OK;
}

int stac_record_write(const char *folder, const char *name, const char job[STAC_SHA256_HEX], const struct stac_bytes *part,
                      size_t n, struct stac_error *err) {
    char *now = NULL, *old = NULL, *bytes = NULL;
    size_t total;
    int status = STAC_OK;
    STAC_TRY_DONE(paths(folder, name, &now, &old, err));
    STAC_TRY_DONE(assemble(name, job, part, n, &bytes, &total, err));
    unlink(old);
    if (link(now, old) != 0) unlink(old); /* none before it, or no hard links here: then there is one generation */
    status = stac_file_write(now, bytes, total, err);
done:
    free(now);
    free(old);
    free(bytes);
    return status;
}

/* One generation; *body NULL: not there, or not whole. */
static int read_file(const char *path, const char *name, const char *job, char **body, size_t *size, struct stac_error *err) {
    struct stac_mapping map = {0};
    struct stac_error unreadable = {0};
    *body = NULL;
    if (!stac_file_exists(path) || stac_file_map(path, &map, &unreadable) != STAC_OK) return STAC_OK;
    const char *at = stac_record_body((const char *)map.data, map.size, name, job, size);
    int status = at ? STAC_NEW(*body, *size + 1, "a checkpoint", err) : STAC_OK;
    if (*body) memcpy(*body, at, *size);
    stac_file_unmap(&map);
    return status;
}

bool stac_record_is_one(const char *folder, const char *name) {
    struct stac_error ignored = {0};
    struct stac_mapping map = {0};
    char *path = stac_file_join(folder, name, &ignored);
    bool is = path && stac_file_map(path, &map, &ignored) == STAC_OK && map.size >= sizeof magic &&
              memcmp(map.data, magic, sizeof magic) == 0;
    stac_file_unmap(&map);
    free(path);
    return is;
}

int stac_record_read(const char *folder, const char *name, const char *job, char **body, size_t *size, bool *damaged,
                     struct stac_error *err) {
    char *now, *old;
    *body = NULL;
    *size = 0;
    STAC_TRY(paths(folder, name, &now, &old, err));
    int status = read_file(now, name, job, body, size, err);
    *damaged = !*body && stac_file_exists(now);
    if (status == STAC_OK && !*body) status = read_file(old, name, job, body, size, err);
    free(now);
    free(old);
    return status;
}
