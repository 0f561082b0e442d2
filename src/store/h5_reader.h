/* Reading HDF5 files of STAC, through the index of h5_index.h. All values of a dataset have the XXH3 that the file gives as its
 * attribute `xxh3`. Not collective: every rank reads for itself; after opening, threads may read at the same time. */
#ifndef STAC_STORE_H5_READER_H
#define STAC_STORE_H5_READER_H

#include "store/h5_index.h"

/* Zero-initialise; release with stac_h5_close. */
struct stac_h5_reader {
    char *path;
    int fd;                  /* for values; only valid while `path` is set */
    struct stac_mapping map; /* for what the index points to */
    struct stac_h5_index index;
};

/* Both marks must be there and the schema must be `kind` ("stac-snn", "stac-metrics") at this version. */
int stac_h5_open(const char *path, const char *kind, int version, struct stac_h5_reader *h, struct stac_error *err);

/* Accepts a closed file. */
void stac_h5_close(struct stac_h5_reader *h);

/* Read a dataset that must have exactly this type and shape (columns == 0: a vector of `rows`). */
int stac_h5_read(const struct stac_h5_reader *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns,
                 void *data, struct stac_error *err);

/* The same where it lies, in `file`: a mapping of the file that may outlive the reader. int8 weights, which must lie in [-127,
 * 127]; float32 values, which must be finite. */
int stac_h5_view_weights(const struct stac_h5_reader *h, const struct stac_mapping *file, const char *path, size_t rows,
                         size_t columns, int8_t **out, struct stac_error *err);
int stac_h5_view_reals(const struct stac_h5_reader *h, const struct stac_mapping *file, const char *path, size_t rows,
                       size_t columns, float **out, struct stac_error *err);

/* Into a new array, which is made only when the dataset is as expected, so that memory is never taken on the word of a damaged
 * file: finite float32 values; int32 tokens in [0, n_vocab). On failure *out may be set and is the caller's all the same. */
int stac_h5_read_reals(const struct stac_h5_reader *h, const char *path, size_t rows, size_t columns, float **out,
                       struct stac_error *err);
int stac_h5_read_tokens(const struct stac_h5_reader *h, const char *path, size_t rows, size_t columns, int n_vocab,
                        int32_t **out, struct stac_error *err);

/* Read n records (stac_h5_rows) that have all of these fields. Texts end with NUL, whatever the file holds. */
int stac_h5_read_table(const struct stac_h5_reader *h, const char *path, const struct stac_h5_field *field, int n_fields,
                       size_t record_size, void *records, size_t n, struct stac_error *err);

bool stac_h5_has(const struct stac_h5_reader *h, const char *path);
int stac_h5_rows(const struct stac_h5_reader *h, const char *path, size_t most, size_t *rows, struct stac_error *err);

/* Attributes of a group or dataset ("/" is the root). Texts belong to the caller;
 * those that are not in UTF-8 are refused. */
int stac_h5_get_int(const struct stac_h5_reader *h, const char *path, const char *name, int64_t low, int64_t high, int64_t *out,
                    struct stac_error *err);
int stac_h5_get_real(const struct stac_h5_reader *h, const char *path, const char *name, double *out, struct stac_error *err);
int stac_h5_get_text(const struct stac_h5_reader *h, const char *path, const char *name, char **out, struct stac_error *err);

/* The name of attribute i of a group or dataset, in alphabetical order; NULL: there are no more, or no such group. */
const char *stac_h5_attribute_name(const struct stac_h5_reader *h, const char *path, size_t i);

#endif
