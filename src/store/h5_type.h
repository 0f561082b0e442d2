/* What writer and reader of HDF5 files share: kinds of values, and the fields of a table. */
#ifndef STAC_STORE_H5_TYPE_H
#define STAC_STORE_H5_TYPE_H

#include <stddef.h>

/* Numbers are little-endian. A text has a fixed number of bytes and ends with NUL; a record is a row of a table. */
enum stac_h5_type { STAC_H5_F32, STAC_H5_F64, STAC_H5_I8, STAC_H5_I32, STAC_H5_I64, STAC_H5_U64, STAC_H5_TEXT, STAC_H5_RECORD };

/* Bytes of a number. */
static inline size_t stac_h5_type_size(enum stac_h5_type type) {
    return type == STAC_H5_I8 ? 1 : type == STAC_H5_F32 || type == STAC_H5_I32 ? 4 : 8;
}

/* A table is a dataset of records, one compound type; every field with a unit carries it as the attribute NAME_unit. */
struct stac_h5_field {
    const char *name;
    enum stac_h5_type type;
    size_t text;   /* bytes of a text that ends with NUL, instead of a number; 0: a number */
    size_t offset; /* in the record */
    const char *unit;
};

/* Bytes of a field in a record. */
static inline size_t stac_h5_field_size(const struct stac_h5_field *field) {
    return field->text ? field->text : stac_h5_type_size(field->type);
}

#endif
