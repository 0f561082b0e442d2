#include "store/h5.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "store/h5_check.h"

enum { CHUNK_BYTES = 1 << 20, LONGEST_TEXT = 1 << 24 };

/* The innermost message of HDF5's error stack: the reason, without the way that led to it. */
static herr_t innermost(unsigned n, const H5E_error2_t *entry, void *out) {
    if (n == 0) snprintf(out, 200, "%s", entry->desc ? entry->desc : "no reason given");
    return 0;
}

static int h5_error(struct stac_error *err, int status, const char *verb, const char *what, const struct stac_h5 *h) {
    char reason[200] = "no reason given";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, reason);
    H5Eclear2(H5E_DEFAULT);
    return stac_fail(err, status, "%s: cannot %s %s: %s", h->draft ? h->draft : h->path, verb, what, reason);
}

/* No output of HDF5's own, no links into other files, and no closing of files when the process ends: we close them all, and
 * HDF5 1.10 crashes over one whose closing failed because the disk was full. The first call comes before any other of HDF5. */
static void prepare(void) {
    static bool done;
    if (!done) {
        H5dont_atexit();
        H5Lunregister(H5L_TYPE_EXTERNAL); /* a file leads nowhere else */
    }
    done = true;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* Little-endian in the file, native in memory. */
static hid_t file_type(enum stac_h5_type type) {
    switch (type) {
    case STAC_H5_F32: return H5T_IEEE_F32LE;
    case STAC_H5_F64: return H5T_IEEE_F64LE;
    case STAC_H5_I8: return H5T_STD_I8LE;
    case STAC_H5_I32: return H5T_STD_I32LE;
    case STAC_H5_I64: return H5T_STD_I64LE;
    default: return H5T_STD_U64LE;
    }
}

static hid_t memory_type(enum stac_h5_type type) {
    switch (type) {
    case STAC_H5_F32: return H5T_NATIVE_FLOAT;
    case STAC_H5_F64: return H5T_NATIVE_DOUBLE;
    case STAC_H5_I8: return H5T_NATIVE_INT8;
    case STAC_H5_I32: return H5T_NATIVE_INT32;
    case STAC_H5_I64: return H5T_NATIVE_INT64;
    default: return H5T_NATIVE_UINT64;
    }
}

static size_t type_size(enum stac_h5_type type) {
    return type == STAC_H5_I8 ? 1 : type == STAC_H5_F32 || type == STAC_H5_I32 ? 4 : 8;
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

int stac_h5_create(const char *path, struct stac_h5 *h, struct stac_error *err) {
    int status = STAC_OK;
    hid_t access = -1, create = -1;
    *h = (struct stac_h5){.file = -1};
    prepare();
    if (!(h->path = stac_strdup(path, err))) return err->status;
    if (!(h->draft = stac_draft_name(path, "tmp", err))) {
        status = err->status;
        goto done;
    }
    access = H5Pcreate(H5P_FILE_ACCESS);
    create = H5Pcreate(H5P_FILE_CREATE);
    if (access < 0 || create < 0 || H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST) < 0 ||
        H5Pset_obj_track_times(create, false) < 0 || (h->file = H5Fcreate(h->draft, H5F_ACC_TRUNC, create, access)) < 0) {
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

int stac_h5_commit(struct stac_h5 *h, struct stac_error *err) {
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

void stac_h5_discard(struct stac_h5 *h) {
    if (h->path && h->file >= 0) H5Fclose(h->file);
    if (h->draft) unlink(h->draft);
    free(h->path);
    free(h->draft);
    *h = (struct stac_h5){.file = -1};
}

/* A version that is not read here: what can be done. */
static int other_version(struct stac_h5 *h, int found, int version, struct stac_error *err) {
    struct stac_error quiet = {0};
    char *made = NULL;
    stac_h5_get_text(h, "/", "built_with", &made, &quiet);
    const char *by = made ? made : "an unknown program";
    stac_fail(err, STAC_ERR_INPUT, "%s has schema version %d, written by %.*s; this program reads version %d: %s", h->path,
              found, (int)strcspn(by, ",") < 40 ? (int)strcspn(by, ",") : 40, by, version,
              found > version ? "use that one, or a newer one" : "make the file again with it, or use that one");
    free(made);
    return err->status;
}

static int check_marks(struct stac_h5 *h, const char *kind, int version, struct stac_error *err) {
    int64_t mark, found;
    char *name = NULL;
    struct stac_error quiet = {0};
    if (stac_h5_get_int(h, "/", "begun", 1, 1, &mark, &quiet) != STAC_OK ||
        stac_h5_get_text(h, "/", "schema", &name, &quiet) != STAC_OK)
        return stac_fail(err, STAC_ERR_INPUT, "%s is an HDF5 file, but not one of STAC", h->path);
    int same = strcmp(name, kind) == 0, status = STAC_OK;
    if (!same) status = stac_fail(err, STAC_ERR_INPUT, "%s holds a \"%.40s\", not a \"%s\"", h->path, name, kind);
    free(name);
    if (status == STAC_OK && stac_h5_get_int(h, "/", "complete", 1, 1, &mark, &quiet) != STAC_OK)
        status = stac_fail(err, STAC_ERR_INPUT, "%s has no end mark: whoever wrote it did not finish; make it again", h->path);
    if (status == STAC_OK) status = stac_h5_get_int(h, "/", "schema_version", 1, 1 << 20, &found, err);
    return status == STAC_OK && found != version ? other_version(h, (int)found, version, err) : status;
}

/* What HDF5 must not be let into. */
static int check_front(const char *path, const struct stac_mapping *map, struct stac_error *err) {
    if (!stac_h5_is_hdf5(map))
        return stac_fail(err, STAC_ERR_INPUT, "%s: cannot open it as HDF5: it does not begin as such a file does", path);
    if (stac_h5_is_sealed(map)) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s is an HDF5 file, but not one of STAC", path);
}

int stac_h5_open(const char *path, const char *kind, int version, struct stac_h5 *h, struct stac_error *err) {
    *h = (struct stac_h5){.file = -1};
    prepare();
    struct stac_mapping map = {0}; /* a clear error for what is not a regular, readable, non-empty file */
    STAC_TRY(stac_file_map(path, &map, err));
    int front = check_front(path, &map, err);
    stac_file_unmap(&map);
    STAC_TRY(front);
    if (!(h->path = stac_strdup(path, err))) return err->status;
    h->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    int status = h->file < 0 ? h5_error(err, STAC_ERR_INPUT, "open", "it as HDF5", h) : check_marks(h, kind, version, err);
    if (status != STAC_OK) stac_h5_discard(h);
    return status;
}

/* ---- groups --------------------------------------------------------------------------------------------------------- */

/* Every group on the way must exist before the last link may be asked for. */
bool stac_h5_has(struct stac_h5 *h, const char *path) {
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
static int make_groups(struct stac_h5 *h, const char *path, bool all, struct stac_error *err) {
    char part[256];
    for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        size_t n = slash ? (size_t)(slash - path) : strlen(path);
        if ((!slash && !all) || n <= 1) return STAC_OK;
        if (n >= sizeof part) return stac_fail(err, STAC_ERR_INTERNAL, "a name of %zu characters in HDF5", n);
        memcpy(part, path, n);
        part[n] = 0;
        if (!stac_h5_has(h, part)) {
            hid_t create = H5Pcreate(H5P_GROUP_CREATE), group = -1;
            if (create >= 0 && H5Pset_obj_track_times(create, false) >= 0)
                group = H5Gcreate2(h->file, part, H5P_DEFAULT, create, H5P_DEFAULT);
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

static int set_attribute(struct stac_h5 *h, const char *path, const char *name, hid_t stored, hid_t memory, const void *value,
                         struct stac_error *err) {
    if (!stac_h5_has(h, path)) STAC_TRY(make_groups(h, path, true, err));
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate_by_name(h->file, path, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    int status = STAC_OK;
    if (attribute < 0 || H5Awrite(attribute, memory, value) < 0)
        status = h5_error(err, STAC_ERR_IO, "write the attribute", name, h);
    if (attribute >= 0) H5Aclose(attribute);
    if (space >= 0) H5Sclose(space);
    return status;
}

int stac_h5_set_int(struct stac_h5 *h, const char *path, const char *name, int64_t value, struct stac_error *err) {
    return set_attribute(h, path, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, err);
}

int stac_h5_set_real(struct stac_h5 *h, const char *path, const char *name, double value, struct stac_error *err) {
    return set_attribute(h, path, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value, err);
}

/* Fixed-length strings: they live in the attribute itself and equal texts give equal bytes. */
int stac_h5_set_text(struct stac_h5 *h, const char *path, const char *name, const char *value, struct stac_error *err) {
    hid_t type = text_type(strlen(value) + 1);
    if (type < 0) return h5_error(err, STAC_ERR_IO, "write the attribute", name, h);
    int status = set_attribute(h, path, name, type, type, value, err);
    H5Tclose(type);
    return status;
}

static int open_attribute(struct stac_h5 *h, const char *path, const char *name, hid_t *attribute, struct stac_error *err) {
    *attribute = H5Aopen_by_name(h->file, path, name, H5P_DEFAULT, H5P_DEFAULT);
    if (*attribute >= 0) return STAC_OK;
    H5Eclear2(H5E_DEFAULT);
    return stac_fail(err, STAC_ERR_INPUT, "%s: %s has no attribute %s", h->path, path, name);
}

bool stac_h5_attribute_name(struct stac_h5 *h, const char *path, size_t i, char *name, size_t size) {
    bool there =
        stac_h5_has(h, path) && H5Aget_name_by_idx(h->file, path, H5_INDEX_NAME, H5_ITER_INC, i, name, size, H5P_DEFAULT) >= 0;
    H5Eclear2(H5E_DEFAULT);
    return there;
}

static int get_number(struct stac_h5 *h, const char *path, const char *name, H5T_class_t class, hid_t memory, void *out,
                      struct stac_error *err) {
    hid_t attribute;
    STAC_TRY(open_attribute(h, path, name, &attribute, err));
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    bool scalar = type >= 0 && space >= 0 && H5Tget_class(type) == class && H5Tget_size(type) == sizeof(int64_t) &&
                  H5Sget_simple_extent_npoints(space) == 1;
    int status = STAC_OK;
    if (!scalar || H5Aread(attribute, memory, out) < 0)
        status = stac_fail(err, STAC_ERR_INPUT, "%s: the attribute %s of %s is not a number", h->path, name, path);
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    H5Aclose(attribute);
    return status;
}

int stac_h5_get_int(struct stac_h5 *h, const char *path, const char *name, int64_t low, int64_t high, int64_t *out,
                    struct stac_error *err) {
    STAC_TRY(get_number(h, path, name, H5T_INTEGER, H5T_NATIVE_INT64, out, err));
    if (*out >= low && *out <= high) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: the attribute %s of %s is %lld; possible are %lld to %lld", h->path, name, path,
                     (long long)*out, (long long)low, (long long)high);
}

int stac_h5_get_real(struct stac_h5 *h, const char *path, const char *name, double *out, struct stac_error *err) {
    return get_number(h, path, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, out, err);
}

int stac_h5_get_text(struct stac_h5 *h, const char *path, const char *name, char **out, struct stac_error *err) {
    hid_t attribute;
    STAC_TRY(open_attribute(h, path, name, &attribute, err));
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    size_t size = type >= 0 ? H5Tget_size(type) : 0;
    bool text = type >= 0 && space >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 && size > 0 &&
                size <= LONGEST_TEXT && H5Sget_simple_extent_npoints(space) == 1;
    int status =
        text ? STAC_OK : stac_fail(err, STAC_ERR_INPUT, "%s: the attribute %s of %s is not a text", h->path, name, path);
    char *value = NULL;
    if (status == STAC_OK) status = STAC_NEW(value, size + 1, "an attribute", err);
    if (status == STAC_OK && H5Aread(attribute, type, value) < 0)
        status = h5_error(err, STAC_ERR_INPUT, "read the attribute", name, h);
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    H5Aclose(attribute);
    if (status != STAC_OK) free(value);
    *out = status == STAC_OK ? value : NULL;
    return status;
}

/* ---- datasets ----------------------------------------------------------------------------------------------------- */

/* Rows of a chunk of about CHUNK_BYTES, all columns together. */
static void set_chunk(hid_t create, size_t rows, size_t columns, size_t size) {
    size_t row = (columns ? columns : 1) * size, most = CHUNK_BYTES / row;
    hsize_t chunk[2] = {most < 1 ? 1 : most > rows ? rows : most, columns ? columns : 1};
    H5Pset_chunk(create, columns ? 2 : 1, chunk);
}

static size_t values(size_t rows, size_t columns) {
    return rows * (columns ? columns : 1);
}

/* The checksum of a dataset's values as they lie in memory, which is little-endian wherever this runs: Fletcher-32 takes zeros
 * over values and checksum alike for sound. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "checksums of datasets are those of little-endian values");

static int seal(struct stac_h5 *h, const char *path, const void *data, size_t size, struct stac_error *err) {
    uint64_t sum = stac_xxh3(data, size);
    return set_attribute(h, path, "xxh3", H5T_STD_U64LE, H5T_NATIVE_UINT64, &sum, err);
}

static int check_seal(struct stac_h5 *h, const char *path, const void *data, size_t size, struct stac_error *err) {
    uint64_t sum;
    STAC_TRY(get_number(h, path, "xxh3", H5T_INTEGER, H5T_NATIVE_UINT64, &sum, err));
    if (sum == stac_xxh3(data, size)) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: the values of %s are not those that were written: the file is damaged", h->path,
                     path);
}

int stac_h5_write(struct stac_h5 *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns, const void *data,
                  bool packed, struct stac_error *err) {
    hsize_t shape[2] = {rows, columns};
    int status = STAC_OK;
    STAC_TRY(make_groups(h, path, false, err));
    hid_t space = H5Screate_simple(columns ? 2 : 1, shape, NULL), create = H5Pcreate(H5P_DATASET_CREATE), set = -1;
    if (space >= 0 && create >= 0) {
        H5Pset_obj_track_times(create, false);
        if (rows > 0) set_chunk(create, rows, columns, type_size(type));
        if (rows > 0 && packed) H5Pset_deflate(create, 4);
        if (rows > 0) H5Pset_fletcher32(create);
        set = H5Dcreate2(h->file, path, file_type(type), space, H5P_DEFAULT, create, H5P_DEFAULT);
    }
    if (set < 0 || H5Dwrite(set, memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = h5_error(err, STAC_ERR_IO, "write", path, h);
    if (set >= 0 && H5Dclose(set) < 0 && status == STAC_OK) status = h5_error(err, STAC_ERR_IO, "write", path, h);
    if (space >= 0) H5Sclose(space);
    if (create >= 0) H5Pclose(create);
    return status != STAC_OK ? status : seal(h, path, data, values(rows, columns) * type_size(type), err);
}

/* Open a dataset and learn its shape. */
static int open_set(struct stac_h5 *h, const char *path, hid_t *set, hsize_t shape[2], int *rank, struct stac_error *err) {
    *set = H5Dopen2(h->file, path, H5P_DEFAULT);
    if (*set < 0 && !stac_h5_has(h, path))
        return stac_fail(err, STAC_ERR_INPUT, "%s has no %s: the file is damaged", h->path, path);
    if (*set < 0) *set = H5Dopen2(h->file, path, H5P_DEFAULT); /* for the reason, which the search has wiped */
    if (*set < 0) return h5_error(err, STAC_ERR_INPUT, "open", path, h);
    hid_t space = H5Dget_space(*set);
    *rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    bool fits = *rank >= 1 && *rank <= 2 && H5Sget_simple_extent_dims(space, shape, NULL) == *rank;
    if (space >= 0) H5Sclose(space);
    if (fits) return STAC_OK;
    H5Dclose(*set);
    return stac_fail(err, STAC_ERR_INPUT, "%s: %s has %d dimensions", h->path, path, *rank);
}

int stac_h5_rows(struct stac_h5 *h, const char *path, size_t most, size_t *rows, struct stac_error *err) {
    hid_t set;
    hsize_t shape[2];
    int rank;
    STAC_TRY(open_set(h, path, &set, shape, &rank, err));
    H5Dclose(set);
    if (shape[0] > most)
        return stac_fail(err, STAC_ERR_INPUT, "%s: %s has %llu rows; at most %zu are possible", h->path, path,
                         (unsigned long long)shape[0], most);
    *rows = (size_t)shape[0];
    return STAC_OK;
}

/* Open a dataset that must have exactly this type and shape. */
static int open_expected(struct stac_h5 *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns, hid_t *set,
                         struct stac_error *err) {
    hsize_t shape[2] = {0, 0};
    int rank;
    const char *unfit;
    STAC_TRY(open_set(h, path, set, shape, &rank, err));
    hid_t stored = H5Dget_type(*set);
    bool same = stored >= 0 && H5Tequal(stored, file_type(type)) > 0;
    if (stored >= 0) H5Tclose(stored);
    if (rank != (columns ? 2 : 1) || shape[0] != rows || (columns && shape[1] != columns) || !same)
        stac_fail(err, STAC_ERR_INPUT, "%s: %s has %llu x %llu values, %zu x %zu of another type or shape were expected",
                  h->path, path, (unsigned long long)shape[0], (unsigned long long)(rank == 2 ? shape[1] : 1), rows,
                  columns ? columns : 1);
    else if ((unfit = stac_h5_unfit(*set, shape, rank)))
        stac_fail(err, STAC_ERR_INPUT, "%s: %s %s: the file is damaged", h->path, path, unfit);
    else
        return STAC_OK;
    H5Dclose(*set);
    return err->status;
}

/* Read and close a dataset that open_expected opened. Its seal covers all values, so that HDF5 need not check its chunks too.
 */
static int read_opened(struct stac_h5 *h, const char *path, hid_t set, enum stac_h5_type type, size_t n, void *data,
                       struct stac_error *err) {
    int status = STAC_OK;
    hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    if (transfer < 0 || H5Pset_edc_check(transfer, H5Z_DISABLE_EDC) < 0 ||
        H5Dread(set, memory_type(type), H5S_ALL, H5S_ALL, transfer, data) < 0)
        status = h5_error(err, STAC_ERR_INPUT, "read", path, h);
    if (transfer >= 0) H5Pclose(transfer);
    H5Dclose(set);
    return status != STAC_OK ? status : check_seal(h, path, data, n * type_size(type), err);
}

int stac_h5_read(struct stac_h5 *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns, void *data,
                 struct stac_error *err) {
    hid_t set;
    STAC_TRY(open_expected(h, path, type, rows, columns, &set, err));
    return read_opened(h, path, set, type, values(rows, columns), data, err);
}

/* The same into new memory, which is taken when the shape is as expected. */
static int read_new(struct stac_h5 *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns, void **out,
                    struct stac_error *err) {
    hid_t set;
    STAC_TRY(open_expected(h, path, type, rows, columns, &set, err));
    if (!(*out = stac_alloc(values(rows, columns), type_size(type), path, err))) {
        H5Dclose(set);
        return err->status;
    }
    return read_opened(h, path, set, type, values(rows, columns), *out, err);
}

int stac_h5_read_reals(struct stac_h5 *h, const char *path, size_t rows, size_t columns, float **out, struct stac_error *err) {
    size_t n = values(rows, columns), wrong = 0;
    void *data = NULL;
    int status = read_new(h, path, STAC_H5_F32, rows, columns, &data, err);
    *out = data;
    STAC_TRY(status);
    for (size_t i = 0; i < n; i++) wrong += !isfinite((*out)[i]);
    if (wrong == 0) return STAC_OK;
    for (wrong = 0; isfinite((*out)[wrong]);) wrong++;
    return stac_fail(err, STAC_ERR_INPUT, "%s: value %zu of %s is not finite: the file is damaged", h->path, wrong, path);
}

int stac_h5_read_weights(struct stac_h5 *h, const char *path, size_t rows, size_t columns, int8_t **out,
                         struct stac_error *err) {
    void *data = NULL;
    int status = read_new(h, path, STAC_H5_I8, rows, columns, &data, err);
    *out = data;
    STAC_TRY(status);
    if (!memchr(*out, 0x80, values(rows, columns))) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: a weight of %s is -128; possible are -127 to 127", h->path, path);
}

int stac_h5_read_tokens(struct stac_h5 *h, const char *path, size_t rows, size_t columns, int n_vocab, int32_t **out,
                        struct stac_error *err) {
    size_t n = values(rows, columns);
    void *data = NULL;
    int status = read_new(h, path, STAC_H5_I32, rows, columns, &data, err);
    *out = data;
    STAC_TRY(status);
    for (size_t i = 0; i < n; i++)
        if ((*out)[i] < 0 || (*out)[i] >= n_vocab)
            return stac_fail(err, STAC_ERR_INPUT, "%s: token %zu of %s is %d; the vocabulary has %d", h->path, i, path,
                             (*out)[i], n_vocab);
    return STAC_OK;
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

/* The type of a record: in memory as the fields say, in the file one field after the other. */
static hid_t record_type(const struct stac_h5_field *field, int n, size_t size, bool in_file) {
    hid_t record = H5Tcreate(H5T_COMPOUND, size);
    bool made = record >= 0;
    for (int i = 0; i < n && made; i++) {
        hid_t number = in_file ? file_type(field[i].type) : memory_type(field[i].type);
        hid_t type = field[i].text ? text_type(field[i].text) : H5Tcopy(number);
        made = type >= 0 && H5Tinsert(record, field[i].name, field[i].offset, type) >= 0;
        if (type >= 0) H5Tclose(type);
    }
    if (made && in_file) made = H5Tpack(record) >= 0;
    if (made) return record;
    if (record >= 0) H5Tclose(record);
    return -1;
}

int stac_h5_write_table(struct stac_h5 *h, const char *path, const struct stac_h5_field *field, int n_fields,
                        size_t record_size, const void *records, size_t n, struct stac_error *err) {
    hsize_t shape = n;
    char name[80];
    int status = STAC_OK;
    STAC_TRY(make_groups(h, path, false, err));
    hid_t stored = record_type(field, n_fields, record_size, true), memory = record_type(field, n_fields, record_size, false);
    hid_t space = H5Screate_simple(1, &shape, NULL), create = H5Pcreate(H5P_DATASET_CREATE), set = -1;
    if (stored >= 0 && memory >= 0 && space >= 0 && create >= 0) {
        H5Pset_obj_track_times(create, false);
        if (n > 0) set_chunk(create, n, 0, record_size);
        if (n > 0) H5Pset_fletcher32(create);
        set = H5Dcreate2(h->file, path, stored, space, H5P_DEFAULT, create, H5P_DEFAULT);
    }
    if (set < 0 || H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, records) < 0)
        status = h5_error(err, STAC_ERR_IO, "write", path, h);
    if (set >= 0 && H5Dclose(set) < 0 && status == STAC_OK) status = h5_error(err, STAC_ERR_IO, "write", path, h);
    if (space >= 0) H5Sclose(space);
    if (create >= 0) H5Pclose(create);
    if (stored >= 0) H5Tclose(stored);
    if (memory >= 0) H5Tclose(memory);
    for (int i = 0; i < n_fields && status == STAC_OK; i++) {
        snprintf(name, sizeof name, "%s_unit", field[i].name);
        if (*field[i].unit) status = stac_h5_set_text(h, path, name, field[i].unit, err);
    }
    return status;
}

/* Whether a dataset's records have all of these fields, of the same kinds. */
static bool has_fields(hid_t set, const struct stac_h5_field *field, int n_fields) {
    hid_t type = H5Dget_type(set);
    bool fits = type >= 0 && H5Tget_class(type) == H5T_COMPOUND;
    for (int i = 0; i < n_fields && fits; i++) {
        int at = H5Tget_member_index(type, field[i].name);
        H5T_class_t wanted = field[i].text ? H5T_STRING : H5Tget_class(memory_type(field[i].type));
        fits = at >= 0 && H5Tget_member_class(type, (unsigned)at) == wanted;
        hid_t member = fits && field[i].text ? H5Tget_member_type(type, (unsigned)at) : -1;
        if (member >= 0) {
            fits = H5Tis_variable_str(member) == 0;
            H5Tclose(member);
        }
    }
    if (type >= 0) H5Tclose(type);
    return fits;
}

int stac_h5_read_table(struct stac_h5 *h, const char *path, const struct stac_h5_field *field, int n_fields, size_t record_size,
                       void *records, size_t n, struct stac_error *err) {
    hid_t set, memory = -1;
    hsize_t shape[2] = {0, 0};
    int rank, status = STAC_OK;
    STAC_TRY(open_set(h, path, &set, shape, &rank, err));
    if (rank != 1 || shape[0] != n || !has_fields(set, field, n_fields) || stac_h5_unfit(set, shape, rank))
        status = stac_fail(err, STAC_ERR_INPUT, "%s: %s is not the table that was expected", h->path, path);
    else if ((memory = record_type(field, n_fields, record_size, false)) < 0 ||
             H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, records) < 0)
        status = h5_error(err, STAC_ERR_INPUT, "read", path, h);
    if (memory >= 0) H5Tclose(memory);
    H5Dclose(set);
    for (size_t r = 0; r < n && status == STAC_OK; r++)
        for (int i = 0; i < n_fields; i++)
            if (field[i].text) ((char *)records)[r * record_size + field[i].offset + field[i].text - 1] = 0;
    return status;
}
