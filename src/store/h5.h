/* HDF5 with every call checked. Files are made with the latest format (its metadata carry checksums), without times, so
 * equal content gives equal bytes. Datasets are chunked with a Fletcher-32 checksum, which HDF5 verifies, and have the XXH3 of
 * their values as the attribute `xxh3`, which is verified here. Not collective: one rank writes. */
#ifndef STAC_STORE_H5_H
#define STAC_STORE_H5_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A file that is being written or read. `begun` and `complete` marks are attributes of the root. */
struct stac_h5 {
    hid_t file;  /* -1: closed */
    char *path;  /* final name, owned */
    char *draft; /* temporary name while writing, owned; NULL when reading */
};

/* Create under a temporary name beside `path` and set the begin mark. */
int stac_h5_create(const char *path, struct stac_h5 *h, struct stac_error *err);

/* Set the end mark, flush, close, sync and rename to the final name. On failure the draft is removed. */
int stac_h5_commit(struct stac_h5 *h, struct stac_error *err);

/* Open for reading: both marks must be there and the schema must be `kind` ("stac-snn", "stac-metrics") at this
 * version. */
int stac_h5_open(const char *path, const char *kind, int version, struct stac_h5 *h, struct stac_error *err);

/* Close and, when writing, throw the draft away. Accepts a closed file. */
void stac_h5_discard(struct stac_h5 *h);

enum stac_h5_type { STAC_H5_F32, STAC_H5_F64, STAC_H5_I8, STAC_H5_I32, STAC_H5_I64, STAC_H5_U64 };

/* Groups are made along the path where missing. Datasets of rank 1 or 2 (columns == 0: a vector of `rows`). `packed`
 * compresses (for histograms, which are mostly zeros). */
int stac_h5_write(struct stac_h5 *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns, const void *data,
                  bool packed, struct stac_error *err);

/* Read a dataset that must have exactly this type and shape, all of its values in the file, and their checksum. */
int stac_h5_read(struct stac_h5 *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns, void *data,
                 struct stac_error *err);

/* The same into a new array, which is made only when the dataset is as expected, so that memory is never taken on the word
 * of a damaged file: float32 values, which must be finite; int8 weights, which must lie in [-127, 127]; int32 tokens in
 * [0, n_vocab). On failure *out may be set and is the caller's all the same. */
int stac_h5_read_reals(struct stac_h5 *h, const char *path, size_t rows, size_t columns, float **out, struct stac_error *err);
int stac_h5_read_weights(struct stac_h5 *h, const char *path, size_t rows, size_t columns, int8_t **out,
                         struct stac_error *err);
int stac_h5_read_tokens(struct stac_h5 *h, const char *path, size_t rows, size_t columns, int n_vocab, int32_t **out,
                        struct stac_error *err);
bool stac_h5_has(struct stac_h5 *h, const char *path);
int stac_h5_rows(struct stac_h5 *h, const char *path, size_t most, size_t *rows, struct stac_error *err);

/* A table: a dataset of records, one compound type; every field with a unit carries it as the attribute NAME_unit. */
struct stac_h5_field {
    const char *name;
    enum stac_h5_type type;
    size_t text;   /* bytes of a text that ends with NUL, instead of a number; 0: a number */
    size_t offset; /* in the record */
    const char *unit;
};
int stac_h5_write_table(struct stac_h5 *h, const char *path, const struct stac_h5_field *field, int n_fields,
                        size_t record_size, const void *records, size_t n, struct stac_error *err);

/* Read n records (stac_h5_rows) that have all of these fields. Texts end with NUL, whatever the file holds. */
int stac_h5_read_table(struct stac_h5 *h, const char *path, const struct stac_h5_field *field, int n_fields, size_t record_size,
                       void *records, size_t n, struct stac_error *err);

/* Attributes of a group or dataset ("/" is the root). Strings are UTF-8 of any length; read ones belong to the caller. */
int stac_h5_set_int(struct stac_h5 *h, const char *path, const char *name, int64_t value, struct stac_error *err);
int stac_h5_set_real(struct stac_h5 *h, const char *path, const char *name, double value, struct stac_error *err);
int stac_h5_set_text(struct stac_h5 *h, const char *path, const char *name, const char *value, struct stac_error *err);

/* The name of attribute i of a group or dataset, in alphabetical order; false: there are no more, or no such group. */
bool stac_h5_attribute_name(struct stac_h5 *h, const char *path, size_t i, char *name, size_t size);
int stac_h5_get_int(struct stac_h5 *h, const char *path, const char *name, int64_t low, int64_t high, int64_t *out,
                    struct stac_error *err);
int stac_h5_get_real(struct stac_h5 *h, const char *path, const char *name, double *out, struct stac_error *err);
int stac_h5_get_text(struct stac_h5 *h, const char *path, const char *name, char **out, struct stac_error *err);

#endif
