/* Writing HDF5 files of STAC, with every call checked: in the part of the format that h5_index.h reads, which any HDF5
 * since 1.10 reads as well. Structures carry HDF5's checksums, datasets the XXH3 of their values as the attribute `xxh3`.
 * Without times, so equal content gives equal bytes. Not collective: one rank writes. */
#ifndef STAC_STORE_H5_WRITER_H
#define STAC_STORE_H5_WRITER_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "store/h5_type.h"

/* A file that is being written. `begun` and `complete` marks are attributes of the root. */
struct stac_h5_writer {
    hid_t file;  /* -1: closed */
    char *path;  /* final name, owned */
    char *draft; /* temporary name, owned */
};

/* Create under a temporary name beside `path` and set the begin mark. `headers`: bytes that all headers together may take; they
 * lie at the begin of the file then, so that what is in it is known after one piece was read. 0: a small file. */
int stac_h5_create(const char *path, size_t headers, struct stac_h5_writer *h, struct stac_error *err);

/* Set the end mark, flush, close, sync and rename to the final name. On failure the draft is removed. */
int stac_h5_commit(struct stac_h5_writer *h, struct stac_error *err);

/* Close and throw the draft away. Accepts a closed file. */
void stac_h5_discard(struct stac_h5_writer *h);

/* Groups are made along the path where missing. Datasets of rank 1 or 2 (columns == 0: a vector of `rows`). */
int stac_h5_write(struct stac_h5_writer *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns,
                  const void *data, struct stac_error *err);
int stac_h5_write_table(struct stac_h5_writer *h, const char *path, const struct stac_h5_field *field, int n_fields,
                        size_t record_size, const void *records, size_t n, struct stac_error *err);

/* Attributes of a group or dataset ("/" is the root). Texts are UTF-8, of up to 65,000 bytes. */
int stac_h5_set_int(struct stac_h5_writer *h, const char *path, const char *name, int64_t value, struct stac_error *err);
int stac_h5_set_real(struct stac_h5_writer *h, const char *path, const char *name, double value, struct stac_error *err);
int stac_h5_set_text(struct stac_h5_writer *h, const char *path, const char *name, const char *value, struct stac_error *err);

#endif
