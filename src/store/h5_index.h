/* What is in an HDF5 file of STAC, read out of its bytes.
 *
 * HDF5 itself is not made for files of strangers: fuzzing made 1.10.8 crash over forged ones. Files of STAC use a
 * part of the format that is small enough to be checked byte by byte: a superblock of version 2 or 3, object headers of version
 * 2 that hold all of their links and attributes, hard links, scalar attributes, datasets of one or two dimensions in one piece,
 * numbers, texts of fixed length and records of them (HDF5 File Format Specification Version 3.0, sections II.A, IV.A). All
 * checksums are verified. Whatever else a file has is refused. */
#ifndef STAC_STORE_H5_INDEX_H
#define STAC_STORE_H5_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "store/h5_type.h"

struct stac_h5_kind {
    enum stac_h5_type type;
    size_t size; /* bytes of a value */
};

/* Of a group or dataset. */
struct stac_h5_attribute {
    const char *name;
    struct stac_h5_kind kind; /* no record */
    const uint8_t *value;     /* kind.size bytes, not aligned */
};

/* A field of a record, as it is in the file. */
struct stac_h5_member {
    const char *name;
    struct stac_h5_kind kind;
    size_t offset;
};

struct stac_h5_object {
    char *path; /* "/" is the root */
    bool is_group;
    struct stac_h5_kind kind; /* of a dataset's values; so are the following */
    int rank;                 /* 1 or 2 */
    uint64_t shape[2];        /* shape[1] is 1 where the rank is 1 */
    size_t offset, size;      /* of the values in the file, all of which are there */
    size_t first_member, n_members;
    size_t first_attribute, n_attributes; /* in alphabetical order */
    size_t address;                       /* of its header */
};

/* Objects in alphabetical order of their paths. Zero-initialise; names and values lie in the mapping. */
struct stac_h5_index {
    struct stac_h5_object *object;
    struct stac_h5_attribute *attribute;
    struct stac_h5_member *member;
    size_t n_objects, n_attributes, n_members;
    size_t cap_objects, cap_attributes, cap_members;
};

/* STAC_ERR_INPUT with a reason when the file, called `name`, is not wholly of the part of HDF5 above. Takes time and memory in
 * proportion to the size of the file at most. */
int stac_h5_index(const char *name, const struct stac_mapping *file, struct stac_h5_index *x, struct stac_error *err);
void stac_h5_index_clean(struct stac_h5_index *x);

/* NULL: there is none. */
const struct stac_h5_object *stac_h5_index_find(const struct stac_h5_index *x, const char *path);

#endif
