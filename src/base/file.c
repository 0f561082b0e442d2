#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/memory.h"

static int io_error(struct stac_error *err, const char *verb, const char *path) {
    return stac_fail(err, STAC_ERR_IO, "cannot %s %s: %s", verb, path, strerror(errno));
}

/* O_NONBLOCK so that a FIFO cannot hold us. */
int stac_file_open(const char *path, int *fd, size_t *size, struct stac_error *err) {
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) return io_error(err, "open", path);
    int status = STAC_OK;
    if (fstat(*fd, &st) != 0)
        status = io_error(err, "examine", path);
    else if (!S_ISREG(st.st_mode))
        status =
            stac_fail(err, STAC_ERR_INPUT, "%s is %s, not a regular file", path, S_ISDIR(st.st_mode) ? "a folder" : "special");
    if (status != STAC_OK) {
        close(*fd);
        return status;
    }
    *size = (size_t)st.st_size;
    return STAC_OK;
}

int stac_file_map_open(const char *path, int fd, size_t size, struct stac_mapping *map, struct stac_error *err) {
    if (size == 0) return stac_fail(err, STAC_ERR_INPUT, "%s is empty", path);
    void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return io_error(err, "map", path);
    *map = (struct stac_mapping){p, size};
    return STAC_OK;
}

int stac_file_map(const char *path, struct stac_mapping *map, struct stac_error *err) {
    int fd;
    size_t size;
    STAC_TRY(stac_file_open(path, &fd, &size, err));
    int status = stac_file_map_open(path, fd, size, map, err);
    close(fd);
    return status;
}

int stac_file_read_at(const char *path, int fd, void *out, size_t size, size_t offset, struct stac_error *err) {
    for (size_t got = 0; got < size;) {
        ssize_t r = pread(fd, (char *)out + got, size - got, (off_t)(offset + got));
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return io_error(err, "read", path);
        if (r == 0) return stac_fail(err, STAC_ERR_INPUT, "%s was cut short while it was read", path);
        got += (size_t)r;
    }
    return STAC_OK;
}

void stac_file_unmap(struct stac_mapping *map) {
    if (map->data) munmap((void *)(uintptr_t)map->data, map->size);
    *map = (struct stac_mapping){0};
}

int stac_file_read(const char *path, size_t limit, char **text, size_t *size, struct stac_error *err) {
    int fd, status = STAC_OK;
    size_t n, got = 0;
    char *buffer = NULL;
    *text = NULL;
    STAC_TRY(stac_file_open(path, &fd, &n, err));
    if (n > limit) {
        status = stac_fail(err, STAC_ERR_INPUT, "%s has %zu bytes, more than the %zu accepted", path, n, limit);
        goto done;
    }
    STAC_TRY_DONE(STAC_NEW(buffer, n + 1, path, err));
    while (got < n) {
        ssize_t r = read(fd, buffer + got, n - got);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) {
            status = io_error(err, "read", path);
            goto done;
        }
        if (r == 0) break; /* shorter than it was: what is there is what there is */
        got += (size_t)r;
    }
    buffer[got] = 0;
    *text = buffer;
    *size = got;
    buffer = NULL;
done:
    free(buffer);
    close(fd);
    return status;
}

static int write_all(int fd, const char *path, const char *data, size_t size, struct stac_error *err) {
    for (size_t put = 0; put < size;) {
        ssize_t r = write(fd, data + put, size - put);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return io_error(err, "write", path);
        put += (size_t)r;
    }
    return fsync(fd) != 0 ? io_error(err, "sync", path) : STAC_OK;
}

int stac_file_write(const char *path, const void *data, size_t size, struct stac_error *err) {
    char *temporary = stac_draft_name(path, "tmp", err);
    if (!temporary) return err->status;
    int status = STAC_OK, fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        status = io_error(err, "create", temporary);
    } else {
        status = write_all(fd, temporary, data, size, err);
        if (close(fd) != 0 && status == STAC_OK) status = io_error(err, "close", temporary);
        if (status == STAC_OK) status = stac_file_commit(temporary, path, err);
        if (status != STAC_OK) unlink(temporary);
    }
    free(temporary);
    return status;
}

int stac_file_sync(const char *path, struct stac_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return io_error(err, "open", path);
    int failed = fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP ? io_error(err, "sync", path) : STAC_OK;
    close(fd);
    return failed;
}

static int sync_folder_of(const char *path, struct stac_error *err) {
    char *copy = stac_strdup(path, err);
    if (!copy) return err->status;
    int status = stac_file_sync(dirname(copy), err);
    free(copy);
    return status;
}

int stac_file_commit(const char *from, const char *to, struct stac_error *err) {
    STAC_TRY(stac_file_sync(from, err));
    if (rename(from, to) != 0) return io_error(err, "rename a finished file to", to);
    return sync_folder_of(to, err);
}

int stac_file_swap(const char *from, const char *to, bool *swapped, struct stac_error *err) {
    STAC_TRY(stac_file_sync(from, err));
    *swapped = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0;
    int status = *swapped ? sync_folder_of(to, err) : STAC_OK;
    if (status != STAC_OK) *swapped = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) != 0; /* back again */
    return status;
}

bool stac_file_exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

bool stac_file_is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int stac_file_make_folder(const char *path, struct stac_error *err) {
    char *copy = stac_strdup(path, err);
    if (!copy) return err->status;
    int status = STAC_OK;
    for (char *c = copy + 1; status == STAC_OK && *copy; c++) {
        char kept = *c;
        if (kept != '/' && kept != 0) continue;
        *c = 0;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            status = io_error(err, "create the folder", copy);
        else if (!stac_file_is_folder(copy))
            status = stac_fail(err, STAC_ERR_IO, "cannot create the folder %s: %s is a file", path, copy);
        *c = kept;
        if (kept == 0) break;
    }
    free(copy);
    return status;
}

char *stac_file_join(const char *folder, const char *name, struct stac_error *err) {
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = stac_alloc(n, 1, "a path", err);
    if (!path) return NULL;
    size_t at = strlen(folder);
    snprintf(path, n, "%s%s%s", folder, at > 0 && folder[at - 1] == '/' ? "" : "/", name);
    return path;
}

char *stac_file_beside(const char *folder, const char *suffix, struct stac_error *err) {
    size_t n = strlen(folder), more = strlen(suffix) + 1;
    while (n > 1 && folder[n - 1] == '/') n--;
    char *path = stac_alloc(n + more, 1, "a path", err);
    if (path) snprintf(path, n + more, "%.*s%s", (int)n, folder, suffix);
    return path;
}
