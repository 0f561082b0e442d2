/* Files: read-only mappings, bounded reads, paths, and writes that are all there or not there. */
#ifndef STAC_BASE_FILE_H
#define STAC_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A whole regular file mapped read-only. Zero-initialise; release with stac_file_unmap. */
struct stac_mapping {
    const uint8_t *data;
    size_t size;
};

int stac_file_map(const char *path, struct stac_mapping *map, struct stac_error *err);

/* The same in steps: an open descriptor of a regular file, the caller's to close, and its size; its mapping; bytes of it, all
 * of which must be there. */
int stac_file_open(const char *path, int *fd, size_t *size, struct stac_error *err);
int stac_file_map_open(const char *path, int fd, size_t size, struct stac_mapping *map, struct stac_error *err);
int stac_file_read_at(const char *path, int fd, void *out, size_t size, size_t offset, struct stac_error *err);

void stac_file_unmap(struct stac_mapping *map);

/* A whole regular file of at most `limit` bytes, read into a new NUL-terminated buffer owned by the caller. */
int stac_file_read(const char *path, size_t limit, char **text, size_t *size, struct stac_error *err);

/* Write a file under a temporary name in the same folder, sync it, and rename it to `path`. */
int stac_file_write(const char *path, const void *data, size_t size, struct stac_error *err);

/* fsync a file or folder by name; rename `from` to `to` and sync the folder that holds it. */
int stac_file_sync(const char *path, struct stac_error *err);
int stac_file_commit(const char *from, const char *to, struct stac_error *err);

/* The same where `to` exists: the two change places at once, so that at no moment there is none. False in *swapped, and nothing
 * done: this file system cannot. */
int stac_file_swap(const char *from, const char *to, bool *swapped, struct stac_error *err);

bool stac_file_exists(const char *path);
bool stac_file_is_folder(const char *path);

/* Make a folder and its parents; an existing folder is fine. */
int stac_file_make_folder(const char *path, struct stac_error *err);

/* "folder/name" as a new string owned by the caller; NULL on failure. */
char *stac_file_join(const char *folder, const char *name, struct stac_error *err);

/* "folder" and the suffix, without slashes between them: what lies beside a folder. Otherwise the same. */
char *stac_file_beside(const char *folder, const char *suffix, struct stac_error *err);

#endif
