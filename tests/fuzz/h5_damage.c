#include "h5_damage.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "harness.h"

enum { MOST_BASES = 8, MOST_SEAMS = 4096, LARGEST = 1 << 20 };

/* Of the library, not in its headers: the checksum of all its structures. */
uint32_t H5_checksum_lookup3(const void *key, size_t length, uint32_t initval);

/* Bytes [begin, end) are summed up at `at`. */
struct seam {
    size_t begin, end, at;
    enum { PLAIN, VALUES } kind; /* HDF5's sum behind the bytes; XXH3 elsewhere */
};

struct base {
    const char *name;
    uint8_t *data;
    size_t size;
    struct seam seam[MOST_SEAMS];
    size_t n_seams;
};

static uint64_t number(const uint8_t *at, size_t bytes) {
    uint64_t n = 0;
    for (size_t i = bytes; i > 0; i--) n = n << 8 | at[i - 1];
    return n;
}

/* ---- sums --------------------------------------------------------------------------------------------------------- */

static uint64_t sum_of(const uint8_t *data, const struct seam *s) {
    if (s->kind == VALUES) return stac_xxh3(data + s->begin, s->end - s->begin);
    return H5_checksum_lookup3(data + s->begin, s->end - s->begin, 0);
}

static size_t sum_bytes(const struct seam *s) {
    return s->kind == VALUES ? 8 : 4;
}

/* Keep a seam whose sum is right in the whole file. */
static bool keep(struct base *b, struct seam s) {
    if (s.end > b->size || s.begin >= s.end || s.at + sum_bytes(&s) > b->size) return false;
    if (number(b->data + s.at, sum_bytes(&s)) != sum_of(b->data, &s)) return false;
    PROMISE(b->n_seams < MOST_SEAMS);
    b->seam[b->n_seams++] = s;
    return true;
}

/* Values first: their sums lie in structures that have sums of their own. */
static void mend(struct base *b, uint8_t *data, size_t size) {
    for (int values = 1; values >= 0; values--)
        for (size_t i = 0; i < b->n_seams; i++) {
            const struct seam *s = &b->seam[i];
            if ((s->kind == VALUES) != values || s->end > size || s->at + sum_bytes(s) > size) continue;
            if (memcmp(data + s->begin, b->data + s->begin, s->end - s->begin) == 0) continue;
            uint64_t sum = sum_of(data, s);
            memcpy(data + s->at, &sum, sum_bytes(s));
        }
}

/* ---- where sums are ----------------------------------------------------------------------------------------------- */

/* An object header, and the continuation blocks that it names (messages of type 16). */
static void find_header(struct base *b, size_t at) {
    const uint8_t *p = b->data + at;
    size_t head = 6 + (p[5] & 0x20 ? 16u : 0u) + (p[5] & 0x10 ? 4u : 0u), width = (size_t)1 << (p[5] & 3);
    size_t order = p[5] & 4 ? 2 : 0, size = (size_t)number(p + head, width);
    if (!keep(b, (struct seam){at, at + head + width + size, at + head + width + size, PLAIN})) return;
    for (size_t m = at + head + width; m + 4 + order + 16 <= at + head + width + size;) {
        const uint8_t *message = b->data + m + 4 + order;
        size_t begin = (size_t)number(message, 8), end = begin + (size_t)number(message + 8, 8) - 4;
        if (b->data[m] == 16) keep(b, (struct seam){begin, end, end, PLAIN});
        m += 4 + order + (size_t)number(b->data + m + 1, 2);
    }
}

static void find_structures(struct base *b) {
    keep(b, (struct seam){0, 44, 44, PLAIN});
    for (size_t at = 0; at + 32 < b->size; at++)
        if (memcmp(b->data + at, "OHDR", 4) == 0) find_header(b, at);
}

/* The values of a dataset, if their seal is found. */
static herr_t find_values(hid_t object, const char *name, const H5O_info_t *info, void *base) {
    struct base *b = base;
    if (info->type != H5O_TYPE_DATASET) return 0;
    hid_t set = H5Dopen2(object, name, H5P_DEFAULT), space = H5Dget_space(set), type = H5Dget_type(set);
    size_t size = (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type);
    haddr_t address = H5Dget_offset(set);
    if (size > 0 && address != HADDR_UNDEF && address + size <= b->size) {
        uint64_t sum = stac_xxh3(b->data + address, size);
        for (size_t at = 0; at + 8 <= b->size; at++)
            if (number(b->data + at, 8) == sum && keep(b, (struct seam){(size_t)address, (size_t)address + size, at, VALUES}))
                break;
    }
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
    return 0;
}

static void load(struct base *b, const char *name) {
    struct stac_error err = {0};
    struct stac_mapping map = {0};
    char path[1024];
    snprintf(path, sizeof path, STAC_TEST_DATA "/fuzz/bases/%s", name);
    MUST(stac_file_map(path, &map, &err));
    b->name = name;
    b->size = map.size;
    b->data = malloc(map.size);
    PROMISE(b->data != NULL && map.size <= LARGEST);
    memcpy(b->data, map.data, map.size);
    stac_file_unmap(&map);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    find_structures(b);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    PROMISE(file >= 0);
    H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, find_values, b, H5O_INFO_BASIC);
    H5Fclose(file);
    H5Eclear2(H5E_DEFAULT);
    PROMISE(b->n_seams > 3);
}

static struct base *base_of(const char *const *names, uint8_t choice) {
    static struct base bases[MOST_BASES];
    size_t n = 0;
    while (names[n]) n++;
    PROMISE(n > 0 && n <= MOST_BASES);
    struct base *b = &bases[choice % n];
    if (!b->name) load(b, names[choice % n]);
    return b;
}

/* ---- changes ------------------------------------------------------------------------------------------------------ */

/* Apply the change at *at, and move behind it. */
static bool change(uint8_t *file, size_t *file_size, const uint8_t *data, size_t size, size_t *at) {
    if (size - *at < 4) return false;
    size_t offset = (size_t)number(data + *at, 3) % *file_size, kind = data[*at + 3] >> 6, n = (data[*at + 3] & 63) + 1u;
    *at += 4;
    if (n > *file_size - offset) n = *file_size - offset;
    if (kind == 3) {
        *file_size = offset ? offset : 1;
    } else if (kind == 2) {
        if (size - *at < 3) return false;
        size_t from = (size_t)number(data + *at, 3) % *file_size;
        memmove(file + offset, file + from, n < *file_size - from ? n : *file_size - from);
        *at += 3;
    } else if (kind == 1) {
        memset(file + offset, 0, n);
    } else {
        if (n > size - *at) n = size - *at;
        memcpy(file + offset, data + *at, n);
        *at += n;
    }
    return true;
}

const char *fuzz_damaged(const char *const *names, const uint8_t *data, size_t size) {
    static const char whole[] = "\x89HDF\r\n\x1a\n";
    static uint8_t file[LARGEST];
    if (size >= 8 && memcmp(data, whole, 8) == 0) return fuzz_plain_file(data, size);
    struct base *b = base_of(names, size ? data[0] & 0x7f : 0);
    size_t file_size = b->size, at = 1;
    memcpy(file, b->data, b->size);
    while (at < size && change(file, &file_size, data, size, &at)) {
    }
    if (size && !(data[0] & 0x80)) mend(b, file, file_size);
    return fuzz_plain_file(file, file_size);
}
