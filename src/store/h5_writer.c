#include "store/h5_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

/* All attributes and links of an object lie in its header, however many there are, and none in heaps (see h5_index.h). */
enum { MOST_IN_HEADER = 65535 };

/* Values begin at a cache line, for readers that map the file. */
enum { ALIGNED_FROM = 1, ALIGNMENT = 64 }; /* bytes */

/* The innermost message of HDF5's error stack: the reason, without the way that led to it. */
static herr_t innermost(unsigned n, const H5E_error2_t *entry, void *out) {
    if (n == 0) snprintf(out, 200, "%s", entry->desc ? entry->desc : "no reason given");
    return 0;
}

static int h5_error(struct stac_error *err, int status, const char *verb, const char *what, const struct stac_h5_writer *h) {
    char reason[200] = "no reason given";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, reason);
    H5Eclear2(H5E_DEFAULT);
    return stac_fail(err, status, "%s: cannot %s %s: %s", h->draft ? h->draft : h->path, verb, what, reason);
}

/* No output of HDF5's own, and no closing of files when the process ends: we close them all, and HDF5 1.10 crashes over one
 * whose closing failed because the disk was full. The first call comes before any other of HDF5. */
static void prepare(void) {
    static bool done;
    if (!done) H5dont_atexit();
    done = true;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* Little-endian, as in memory wherever this runs. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are written as they lie in memory");
static hid_t number_type(enum stac_h5_type type) {
    switch (type) {
    case STAC_H5_F32: return H5T_IEEE_F32LE;
    case STAC_H5_F64: return H5T_IEEE_F64LE;
    case STAC_H5_I8: return H5T_STD_I8LE;
    case STAC_H5_I32: return H5T_STD_I32LE;
    case STAC_H5_I64: return H5T_STD_I64LE;
    default: return H5T_STD_U64LE;
    }
}

/* What every object is made with. */
static bool keep_in_header(hid_t create) {
    bool links = H5Pisa_class(create, H5P_GROUP_CREATE) > 0 || H5Pisa_class(create, H5P_FILE_CREATE) > 0;
    return H5Pset_obj_track_times(create, false) >= 0 && H5Pset_attr_phase_change(create, MOST_IN_HEADER, 0) >= 0 &&
           (!links || H5Pset_link_phase_change(create, MOST_IN_HEADER, 0) >= 0);
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

int stac_h5_create(const char *path, size_t headers, struct stac_h5_writer *h, struct stac_error *err) {
    int status = STAC_OK;
    hid_t access = -1, create = -1;
    *h = (struct stac_h5_writer){.file = -1};
    prepare();
    if (!(h->path = stac_strdup(path, err))) return err->status;
    if (!(h->draft = stac_draft_name(path, "tmp", err))) {
        status = err->status;
        goto done;
    }
    access = H5Pcreate(H5P_FILE_ACCESS);
    create = H5Pcreate(H5P_FILE_CREATE);
    if (access < 0 || create < 0 || H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 ||
        H5Pset_alignment(access, ALIGNED_FROM, ALIGNMENT) < 0 || (headers && H5Pset_meta_block_size(access, headers) < 0) ||
        !keep_in_header(create) || (h->file = H5Fcreate(h->draft, H5F_ACC_TRUNC, create, access)) < 0) {
        status = h5_error(err, STAC_ERR_IO, "create", "the file", h);
        goto done;
    }
    STAC_TRY_DONE(stac_h5_set_int(h, "/", "begun", 1, err));
done:
    if (access >= 0) H5Pclose(access);
    if (create >= 0) H5Pclose(create);
    if (status != STAC_OK) stac_h5_discard(h);
    return status;
}

int stac_h5_commit(struct stac_h5_writer *h, struct stac_error *err) {
    int status = stac_h5_set_int(h, "/", "complete", 1, err);
    if (status == STAC_OK && H5Fflush(h->file, H5F_SCOPE_GLOBAL) < 0)
        status = h5_error(err, STAC_ERR_IO, "flush", "the file", h);
    if (H5Fclose(h->file) < 0 && status == STAC_OK) status = h5_error(err, STAC_ERR_IO, "close", "the file", h);
    h->file = -1;
    if (status == STAC_OK) status = stac_file_commit(h->draft, h->path, err);
    if (status == STAC_OK) {
        free(h->draft);
        h->draft = NULL;
    }
    stac_h5_discard(h);
    return status;
}

void stac_h5_discard(struct stac_h5_writer *h) {
    if (h->path && h->file >= 0) H5Fclose(h->file);
    if (h->draft) unlink(h->draft);
    free(h->path);
    free(h->draft);
    *h = (struct stac_h5_writer){.file = -1};
}

/* ---- groups --------------------------------------------------------------------------------------------------------- */

/* Every group on the way must exist before the last link may be asked for. */
static bool has(struct stac_h5_writer *h, const char *path) {
    char part[256];
    if (strcmp(path, "/") == 0) return true;
    for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        size_t n = slash ? (size_t)(slash - path) : strlen(path);
        if (n >= sizeof part) return false;
        memcpy(part, path, n);
        part[n] = 0;
        if (H5Lexists(h->file, part, H5P_DEFAULT) <= 0) return false;
        if (!slash) return true;
    }
}

/* Make the groups of a path that do not exist: all of it, or all but its last part. One by one, because groups that HDF5
 * makes on the way would carry the time. */
static int make_groups(struct stac_h5_writer *h, const char *path, bool all, struct stac_error *err) {
    char part[256];
    for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        size_t n = slash ? (size_t)(slash - path) : strlen(path);
        if ((!slash && !all) || n <= 1) return STAC_OK;
        if (n >= sizeof part) return stac_fail(err, STAC_ERR_INTERNAL, "a name of %zu characters in HDF5", n);
        memcpy(part, path, n);
        part[n] = 0;
        if (!has(h, part)) {
            hid_t create = H5Pcreate(H5P_GROUP_CREATE), group = -1;
            if (create >= 0 && keep_in_header(create)) group = H5Gcreate2(h->file, part, H5P_DEFAULT, create, H5P_DEFAULT);
            if (create >= 0) H5Pclose(create);
            if (group < 0) return h5_error(err, STAC_ERR_IO, "create", part, h);
            H5Gclose(group);
        }
        if (!slash) return STAC_OK;
    }
}

/* ---- attributes --------------------------------------------------------------------------------------------------- */

static hid_t text_type(size_t size) {
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && (H5Tset_size(type, size) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

static int set_attribute(struct stac_h5_writer *h, const char *path, const char *name, hid_t type, const void *value,
                         struct stac_error *err) {
    if (!has(h, path)) STAC_TRY(make_groups(h, path, true, err));
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate_by_name(h->file, path, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    int status = STAC_OK;
    if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
        status = h5_error(err, STAC_ERR_IO, "write the attribute", name, h);
    if (attribute >= 0) H5Aclose(attribute);
    if (space >= 0) H5Sclose(space);
    return status;
}

int stac_h5_set_int(struct stac_h5_writer *h, const char *path, const char *name, int64_t value, struct stac_error *err) {
    return set_attribute(h, path, name, H5T_STD_I64LE, &value, err);
}

int stac_h5_set_real(struct stac_h5_writer *h, const char *path, const char *name, double value, struct stac_error *err) {
    return set_attribute(h, path, name, H5T_IEEE_F64LE, &value, err);
}

/* Fixed-length strings: they live in the attribute itself and equal texts give equal bytes. */
int stac_h5_set_text(struct stac_h5_writer *h, const char *path, const char *name, const char *value, struct stac_error *err) {
    hid_t type = text_type(strlen(value) + 1);
    if (type < 0) return h5_error(err, STAC_ERR_IO, "write the attribute", name, h);
    int status = set_attribute(h, path, name, type, value, err);
    H5Tclose(type);
    return status;
}

/* ---- datasets ----------------------------------------------------------------------------------------------------- */

/* A dataset of rank 1 or 2, in one piece, and the checksum of its values. */
static int write_set(struct stac_h5_writer *h, const char *path, hid_t type, size_t rows, size_t columns, const void *data,
                     struct stac_error *err) {
    hsize_t shape[2] = {rows, columns};
    uint64_t sum = stac_xxh3(data, rows * (columns ? columns : 1) * H5Tget_size(type));
    int status = STAC_OK;
    STAC_TRY(make_groups(h, path, false, err));
    hid_t space = H5Screate_simple(columns ? 2 : 1, shape, NULL), create = H5Pcreate(H5P_DATASET_CREATE), set = -1;
    if (space >= 0 && create >= 0 && keep_in_header(create) && H5Pset_layout(create, H5D_CONTIGUOUS) >= 0)
        set = H5Dcreate2(h->file, path, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (set < 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = h5_error(err, STAC_ERR_IO, "write", path, h);
    if (set >= 0 && H5Dclose(set) < 0 && status == STAC_OK) status = h5_error(err, STAC_ERR_IO, "write", path, h);
    if (space >= 0) H5Sclose(space);
    if (create >= 0) H5Pclose(create);
    return status != STAC_OK ? status : set_attribute(h, path, "xxh3", H5T_STD_U64LE, &sum, err);
}

int stac_h5_write(struct stac_h5_writer *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns,
                  const void *data, struct stac_error *err) {
    return write_set(h, path, number_type(type), rows, columns, data, err);
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

/* The type of a record in the file: one field after the other. */
static hid_t record_type(const struct stac_h5_field *field, int n, size_t size) {
    hid_t record = H5Tcreate(H5T_COMPOUND, size);
    bool made = record >= 0;
    size_t at = 0;
    for (int i = 0; i < n && made; i++) {
        hid_t type = field[i].text ? text_type(field[i].text) : H5Tcopy(number_type(field[i].type));
        made = type >= 0 && H5Tinsert(record, field[i].name, at, type) >= 0;
        if (type >= 0) H5Tclose(type);
        at += stac_h5_field_size(&field[i]);
    }
    if (made) return record;
    if (record >= 0) H5Tclose(record);
    return -1;
}

static void pack_records(const struct stac_h5_field *field, int n_fields, const char *record, size_t record_size, size_t n,
                         char *to) {
    for (size_t r = 0; r < n; r++)
        for (int i = 0; i < n_fields; i++) {
            memcpy(to, record + r * record_size + field[i].offset, stac_h5_field_size(&field[i]));
            to += stac_h5_field_size(&field[i]);
        }
}

int stac_h5_write_table(struct stac_h5_writer *h, const char *path, const struct stac_h5_field *field, int n_fields,
                        size_t record_size, const void *records, size_t n, struct stac_error *err) {
    char name[80], *packed;
    size_t size = 0;
    for (int i = 0; i < n_fields; i++) size += stac_h5_field_size(&field[i]);
    STAC_TRY(STAC_NEW(packed, n * size, "a table", err));
    pack_records(field, n_fields, records, record_size, n, packed);
    hid_t type = record_type(field, n_fields, size);
    int status = type < 0 ? h5_error(err, STAC_ERR_IO, "write", path, h) : write_set(h, path, type, n, 0, packed, err);
    if (type >= 0) H5Tclose(type);
    free(packed);
    for (int i = 0; i < n_fields && status == STAC_OK; i++) {
        snprintf(name, sizeof name, "%s_unit", field[i].name);
        if (*field[i].unit) status = stac_h5_set_text(h, path, name, field[i].unit, err);
    }
    return status;
}
