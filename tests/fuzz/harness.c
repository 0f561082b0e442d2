#include "harness.h"

#include <fcntl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 4, MOST_LINKS = 16 };

void fuzz_broken(const char *promise, const char *file, int line) {
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, promise);
    abort();
}

size_t fuzz_acceptances;

bool fuzz_accepted(int status, const struct stac_error *err) {
    if (status == STAC_OK) {
        PROMISE(err->status == STAC_OK);
        fuzz_acceptances++;
        return true;
    }
    if (status != STAC_ERR_INPUT && status != STAC_ERR_USAGE && status != STAC_ERR_IO) fuzz_broken(err->text, "status", status);
    PROMISE(err->status == status);
    PROMISE(*err->text && strlen(err->text) < sizeof err->text);
    for (const char *c = err->text; *c; c++) PROMISE((unsigned char)*c >= 0x20 && *c != 0x7f);
    return false;
}

size_t fuzz_lines(const struct stac_strbuf *text) {
    size_t n = 0;
    for (size_t i = 0; i < text->size; i++) {
        unsigned char c = (unsigned char)text->data[i];
        PROMISE(c == '\n' || (c >= 0x20 && c != 0x7f));
        PROMISE(c != 0xc2 || i + 1 == text->size || (unsigned char)text->data[i + 1] >= 0xa0 ||
                (unsigned char)text->data[i + 1] < 0x80); /* U+0080 to U+009F, which terminals obey too */
        n += c == '\n';
    }
    PROMISE(text->size == 0 || text->data[text->size - 1] == '\n');
    return n;
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

static struct {
    int fd;
    char path[32];
} files[FILES];

const char *fuzz_file(int number, const void *data, size_t size) {
    int fd = files[number].path[0] ? files[number].fd : memfd_create("input", MFD_CLOEXEC);
    PROMISE(fd >= 0);
    files[number].fd = fd;
    snprintf(files[number].path, sizeof files[number].path, "/proc/self/fd/%d", fd);
    PROMISE(ftruncate(fd, 0) == 0);
    PROMISE(size == 0 || pwrite(fd, data, size, 0) == (ssize_t)size);
    return files[number].path;
}

static char folder[256];
static int plain = -1;          /* the plain file */
static char *links[MOST_LINKS]; /* paths, to be removed */
static pid_t owner;             /* a child process leaves the folder to its parent */

static void remove_folder(void) {
    if (getpid() != owner) return;
    for (int i = MOST_LINKS - 1; i >= 0; i--) {
        if (links[i]) remove(links[i]);
        free(links[i]);
        links[i] = NULL;
    }
    rmdir(folder);
}

static void remember(const char *path) {
    int i = 0;
    while (i < MOST_LINKS && links[i]) i++;
    PROMISE(i < MOST_LINKS);
    links[i] = strdup(path);
    PROMISE(links[i] != NULL);
}

const char *fuzz_folder(void) {
    if (*folder) return folder;
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/stac-fuzz-XXXXXX", root && *root ? root : "/tmp");
    PROMISE(mkdtemp(folder) != NULL);
    owner = getpid();
    PROMISE(atexit(remove_folder) == 0);
    return folder;
}

const char *fuzz_plain_file(const void *data, size_t size) {
    static char path[300];
    if (plain < 0) {
        snprintf(path, sizeof path, "%s/input", fuzz_folder());
        plain = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        PROMISE(plain >= 0);
        remember(path);
    }
    PROMISE(pwrite(plain, data, size, 0) == (ssize_t)size && ftruncate(plain, (off_t)size) == 0);
    return path;
}

void fuzz_link(const char *name, int number) {
    char path[400], *slash;
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    struct stat st;
    if (lstat(path, &st) == 0) return;
    for (slash = strchr(path + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0700) == 0) remember(path);
        *slash = '/';
    }
    PROMISE(symlink(files[number].path, path) == 0);
    remember(path);
}

/* ---- inputs ------------------------------------------------------------------------------------------------------- */

const char *fuzz_part(const uint8_t *data, size_t size, int index, size_t *part_size) {
    const uint8_t *at = data, *end = data + size;
    for (; index > 0 && at < end; index--) {
        const uint8_t *zero = memchr(at, 0, (size_t)(end - at));
        at = zero ? zero + 1 : end;
    }
    const uint8_t *zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
    *part_size = size == 0 ? 0 : (size_t)((zero ? zero : end) - at);
    return (const char *)at;
}

char *fuzz_text(const uint8_t *data, size_t size, int index) {
    size_t n;
    const char *part = fuzz_part(data, size, index, &n);
    char *text = malloc(n + 1);
    PROMISE(text != NULL);
    if (n) memcpy(text, part, n);
    text[n] = 0;
    return text;
}

void fuzz_touch(const void *data, size_t size) {
    static volatile uint8_t sum;
    for (size_t i = 0; i < size; i++) sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
}

void fuzz_alone(void) {
    omp_set_num_threads(1);
}
