#include "store/h5_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/utf8.h"

/* Values are copied as they are in the file. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "HDF5 files of STAC are little-endian");

/* ---- files -------------------------------------------------------------------------------------------------------- */

/* A version that is not read here: what can be done. */
static int other_version(const struct stac_h5_reader *h, int found, int version, struct stac_error *err) {
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

static int check_marks(const struct stac_h5_reader *h, const char *kind, int version, struct stac_error *err) {
    int64_t mark, found;
    char *name = NULL;
    struct stac_error quiet = {0};
    if (stac_h5_get_int(h, "/", "begun", 1, 1, &mark, &quiet) != STAC_OK ||
        stac_h5_get_text(h, "/", "schema", &name, &quiet) != STAC_OK)
        return stac_fail(err, STAC_ERR_INPUT, "%s is an HDF5 file, but not one of STAC", h->path);
    int same = strcmp(name, kind) == 0, status = STAC_OK;
    if (!same)
        status = stac_fail(err, STAC_ERR_INPUT, "%s holds a \"%.40s\", not a \"%s\"", h->path, stac_one_line(name), kind);
    free(name);
    if (status == STAC_OK && stac_h5_get_int(h, "/", "complete", 1, 1, &mark, &quiet) != STAC_OK)
        status = stac_fail(err, STAC_ERR_INPUT, "%s has no end mark: whoever wrote it did not finish; make it again", h->path);
    if (status == STAC_OK) status = stac_h5_get_int(h, "/", "schema_version", 1, 1 << 20, &found, err);
    return status == STAC_OK && found != version ? other_version(h, (int)found, version, err) : status;
}

int stac_h5_open(const char *path, const char *kind, int version, struct stac_h5_reader *h, struct stac_error *err) {
    int fd;
    size_t size;
    *h = (struct stac_h5_reader){0};
    STAC_TRY(stac_file_open(path, &fd, &size, err));
    if (!(h->path = stac_strdup(path, err))) {
        close(fd);
        return err->status;
    }
    h->fd = fd;
    int status = stac_file_map_open(path, fd, size, &h->map, err);
    if (status == STAC_OK) status = stac_h5_index(path, &h->map, &h->index, err);
    if (status == STAC_OK) status = check_marks(h, kind, version, err);
    if (status != STAC_OK) stac_h5_close(h);
    return status;
}

void stac_h5_close(struct stac_h5_reader *h) {
    if (h->path) close(h->fd);
    free(h->path);
    stac_file_unmap(&h->map);
    stac_h5_index_clean(&h->index);
    *h = (struct stac_h5_reader){0};
}

/* ---- attributes --------------------------------------------------------------------------------------------------- */

static const struct stac_h5_attribute *find_attribute(const struct stac_h5_reader *h, const char *path, const char *name) {
    const struct stac_h5_object *o = stac_h5_index_find(&h->index, path);
    for (size_t i = 0; o && i < o->n_attributes; i++) {
        const struct stac_h5_attribute *a = &h->index.attribute[o->first_attribute + i];
        if (strcmp(a->name, name) == 0) return a;
    }
    return NULL;
}

static int get_attribute(const struct stac_h5_reader *h, const char *path, const char *name, enum stac_h5_type type,
                         const struct stac_h5_attribute **out, struct stac_error *err) {
    *out = find_attribute(h, path, name);
    if (!*out) return stac_fail(err, STAC_ERR_INPUT, "%s: %s has no attribute %s", h->path, path, name);
    if ((*out)->kind.type == type) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: the attribute %s of %s is not a %s", h->path, name, path,
                     type == STAC_H5_TEXT ? "text" : "number of the right kind");
}

static int get_number(const struct stac_h5_reader *h, const char *path, const char *name, enum stac_h5_type type, void *out,
                      struct stac_error *err) {
    const struct stac_h5_attribute *a;
    STAC_TRY(get_attribute(h, path, name, type, &a, err));
    memcpy(out, a->value, stac_h5_type_size(type));
    return STAC_OK;
}

int stac_h5_get_int(const struct stac_h5_reader *h, const char *path, const char *name, int64_t low, int64_t high, int64_t *out,
                    struct stac_error *err) {
    STAC_TRY(get_number(h, path, name, STAC_H5_I64, out, err));
    if (*out >= low && *out <= high) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: the attribute %s of %s is %lld; possible are %lld to %lld", h->path, name, path,
                     (long long)*out, (long long)low, (long long)high);
}

int stac_h5_get_real(const struct stac_h5_reader *h, const char *path, const char *name, double *out, struct stac_error *err) {
    return get_number(h, path, name, STAC_H5_F64, out, err);
}

int stac_h5_get_text(const struct stac_h5_reader *h, const char *path, const char *name, char **out, struct stac_error *err) {
    const struct stac_h5_attribute *a;
    *out = NULL;
    STAC_TRY(get_attribute(h, path, name, STAC_H5_TEXT, &a, err));
    if (!(*out = stac_alloc(a->kind.size + 1, 1, "an attribute", err))) return err->status;
    memcpy(*out, a->value, a->kind.size);
    if (stac_is_utf8(*out)) return STAC_OK;
    free(*out);
    *out = NULL;
    return stac_fail(err, STAC_ERR_INPUT, "%s: %s of %s is not a text in UTF-8", h->path, name, path);
}

const char *stac_h5_attribute_name(const struct stac_h5_reader *h, const char *path, size_t i) {
    const struct stac_h5_object *o = stac_h5_index_find(&h->index, path);
    return o && i < o->n_attributes ? h->index.attribute[o->first_attribute + i].name : NULL;
}

/* ---- values --------------------------------------------------------------------------------------------------------- */

bool stac_h5_has(const struct stac_h5_reader *h, const char *path) {
    return stac_h5_index_find(&h->index, path) != NULL;
}

static int find_set(const struct stac_h5_reader *h, const char *path, const struct stac_h5_object **out,
                    struct stac_error *err) {
    *out = stac_h5_index_find(&h->index, path);
    if (*out && !(*out)->is_group) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s has no %s%s: the file is damaged", h->path, *out ? "values in " : "", path);
}

int stac_h5_rows(const struct stac_h5_reader *h, const char *path, size_t most, size_t *rows, struct stac_error *err) {
    const struct stac_h5_object *o;
    STAC_TRY(find_set(h, path, &o, err));
    if (o->shape[0] > most)
        return stac_fail(err, STAC_ERR_INPUT, "%s: %s has %llu rows; at most %zu are possible", h->path, path,
                         (unsigned long long)o->shape[0], most);
    *rows = (size_t)o->shape[0];
    return STAC_OK;
}

static int find_expected(const struct stac_h5_reader *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns,
                         const struct stac_h5_object **out, struct stac_error *err) {
    STAC_TRY(find_set(h, path, out, err));
    const struct stac_h5_object *o = *out;
    if (o->kind.type == type && o->rank == (columns ? 2 : 1) && o->shape[0] == rows && (!columns || o->shape[1] == columns))
        return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: %s has %llu x %llu values, %zu x %zu of another type or shape were expected",
                     h->path, path, (unsigned long long)o->shape[0], (unsigned long long)o->shape[1], rows,
                     columns ? columns : 1);
}

/* All bytes of a dataset must have the checksum that was written. */
static int check_values(const struct stac_h5_reader *h, const struct stac_h5_object *o, const void *data,
                        struct stac_error *err) {
    uint64_t sum;
    STAC_TRY(get_number(h, o->path, "xxh3", STAC_H5_U64, &sum, err));
    if (sum == stac_xxh3(data, o->size)) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: the values of %s are not those that were written: the file is damaged", h->path,
                     o->path);
}

static int read_values(const struct stac_h5_reader *h, const struct stac_h5_object *o, void *data, struct stac_error *err) {
    STAC_TRY(stac_file_read_at(h->path, h->fd, data, o->size, o->offset, err));
    return check_values(h, o, data, err);
}

int stac_h5_read(const struct stac_h5_reader *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns,
                 void *data, struct stac_error *err) {
    const struct stac_h5_object *o;
    STAC_TRY(find_expected(h, path, type, rows, columns, &o, err));
    return read_values(h, o, data, err);
}

/* The same into new memory, which is taken when the shape is as expected. */
static int read_new(const struct stac_h5_reader *h, const char *path, enum stac_h5_type type, size_t rows, size_t columns,
                    void **out, struct stac_error *err) {
    const struct stac_h5_object *o;
    STAC_TRY(find_expected(h, path, type, rows, columns, &o, err));
    if (!(*out = stac_alloc(o->size, 1, path, err))) return err->status;
    return read_values(h, o, *out, err);
}

static size_t values(size_t rows, size_t columns) {
    return rows * (columns ? columns : 1);
}

static int check_finite(const struct stac_h5_reader *h, const char *path, const float *x, size_t n, struct stac_error *err) {
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) wrong += isfinite(x[i]) ? 0 : 1;
    if (wrong == 0) return STAC_OK;
    for (wrong = 0; isfinite(x[wrong]);) wrong++;
    return stac_fail(err, STAC_ERR_INPUT, "%s: value %zu of %s is not finite: the file is damaged", h->path, wrong, path);
}

int stac_h5_read_reals(const struct stac_h5_reader *h, const char *path, size_t rows, size_t columns, float **out,
                       struct stac_error *err) {
    void *data = NULL;
    int status = read_new(h, path, STAC_H5_F32, rows, columns, &data, err);
    *out = data;
    return status == STAC_OK ? check_finite(h, path, *out, values(rows, columns), err) : status;
}

int stac_h5_read_tokens(const struct stac_h5_reader *h, const char *path, size_t rows, size_t columns, int n_vocab,
                        int32_t **out, struct stac_error *err) {
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

/* ---- values where they lie ------------------------------------------------------------------------------------------ */

static int view(const struct stac_h5_reader *h, const struct stac_mapping *file, const char *path, enum stac_h5_type type,
                size_t rows, size_t columns, void **out, struct stac_error *err) {
    const struct stac_h5_object *o;
    STAC_TRY(find_expected(h, path, type, rows, columns, &o, err));
    if (o->offset % o->kind.size != 0 || o->offset + o->size > file->size)
        return stac_fail(err, STAC_ERR_INPUT, "%s: %s lies at byte %zu, where no program of ours puts it", h->path, path,
                         o->offset);
    *out = (void *)(uintptr_t)(file->data + o->offset);
    return check_values(h, o, *out, err);
}

int stac_h5_view_reals(const struct stac_h5_reader *h, const struct stac_mapping *file, const char *path, size_t rows,
                       size_t columns, float **out, struct stac_error *err) {
    void *data;
    STAC_TRY(view(h, file, path, STAC_H5_F32, rows, columns, &data, err));
    *out = data;
    return check_finite(h, path, *out, values(rows, columns), err);
}

int stac_h5_view_weights(const struct stac_h5_reader *h, const struct stac_mapping *file, const char *path, size_t rows,
                         size_t columns, int8_t **out, struct stac_error *err) {
    void *data;
    STAC_TRY(view(h, file, path, STAC_H5_I8, rows, columns, &data, err));
    *out = data;
    if (!memchr(*out, 0x80, values(rows, columns))) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: a weight of %s is -128; possible are -127 to 127", h->path, path);
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

/* The field as it is in the file; NULL: there is none of this name and type. */
static const struct stac_h5_member *find_member(const struct stac_h5_reader *h, const struct stac_h5_object *o,
                                                const struct stac_h5_field *field) {
    enum stac_h5_type type = field->text ? STAC_H5_TEXT : field->type;
    for (size_t i = 0; i < o->n_members; i++) {
        const struct stac_h5_member *m = &h->index.member[o->first_member + i];
        if (strcmp(m->name, field->name) == 0) return m->kind.type == type ? m : NULL;
    }
    return NULL;
}

static void copy_field(const struct stac_h5_field *field, const struct stac_h5_member *m, const char *from, size_t from_size,
                       char *to, size_t to_size, size_t n) {
    size_t size = stac_h5_field_size(field);
    size_t copied = size < m->kind.size ? size : m->kind.size;
    for (size_t r = 0; r < n; r++) {
        char *at = to + r * to_size + field->offset;
        memset(at, 0, size);
        memcpy(at, from + r * from_size + m->offset, copied);
        if (field->text) at[size - 1] = 0;
    }
}

int stac_h5_read_table(const struct stac_h5_reader *h, const char *path, const struct stac_h5_field *field, int n_fields,
                       size_t record_size, void *records, size_t n, struct stac_error *err) {
    const struct stac_h5_object *o;
    char *stored;
    STAC_TRY(find_expected(h, path, STAC_H5_RECORD, n, 0, &o, err));
    for (int i = 0; i < n_fields; i++)
        if (!find_member(h, o, &field[i]))
            return stac_fail(err, STAC_ERR_INPUT, "%s: %s is not the table that was expected: no %s", h->path, path,
                             field[i].name);
    STAC_TRY(STAC_NEW(stored, o->size, path, err));
    int status = read_values(h, o, stored, err);
    for (int i = 0; i < n_fields && status == STAC_OK; i++)
        copy_field(&field[i], find_member(h, o, &field[i]), stored, o->kind.size, records, record_size, n);
    free(stored);
    return status;
}
