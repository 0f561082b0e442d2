/* What gguf.c (the header of the file) and gguf_meta.c (its typed metadata) share. */
#ifndef STAC_MODEL_GGUF_INTERNAL_H
#define STAC_MODEL_GGUF_INTERNAL_H

#include "base/cursor.h"
#include "base/file.h"
#include "model/dtype.h"
#include "model/gguf.h"
#include "model/name_index.h"

enum stac_gguf_value { /* types of metadata, numbered as in the file */
                       STAC_GV_U8,
                       STAC_GV_I8,
                       STAC_GV_U16,
                       STAC_GV_I16,
                       STAC_GV_U32,
                       STAC_GV_I32,
                       STAC_GV_F32,
                       STAC_GV_BOOL,
                       STAC_GV_STRING,
                       STAC_GV_ARRAY,
                       STAC_GV_U64,
                       STAC_GV_I64,
                       STAC_GV_F64,
                       STAC_GV_COUNT
};

struct stac_gguf_key {
    const char *name; /* borrowed from the file, not NUL-terminated, free of control characters */
    size_t name_size;
    uint32_t type;       /* enum stac_gguf_value */
    uint32_t item;       /* type of the items of an array; else the same as type */
    size_t n;            /* items of an array; else 1 */
    const uint8_t *data; /* the items, checked to lie in the file */
    size_t size;
};

struct stac_gguf {
    char *path;
    struct stac_mapping file;
    struct stac_gguf_key *keys;
    struct stac_name *key_names; /* sorted */
    size_t n_keys;
    struct stac_gguf_tensor *tensors;
    char (*tensor_texts)[64];       /* NUL-terminated copies of the names */
    struct stac_name *tensor_names; /* sorted */
    size_t n_tensors;
};

/* Pass over one value at the cursor and describe it in key (whose name is set): all lengths are checked. */
void stac_gguf_scan_value(struct stac_cursor *c, struct stac_gguf_key *key);

/* The format behind one of ggml's numbers; NULL: not read. */
const struct stac_dtype *stac_gguf_dtype(int type);

#endif
