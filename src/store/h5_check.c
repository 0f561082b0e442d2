#include "store/h5_check.h"

#include <stdint.h>
#include <string.h>

enum {
    LARGEST_TYPE = 1 << 16,   /* bytes of a record */
    LARGEST_PACKED = 1 << 20, /* bytes of a dataset that may be compressed: deflate unpacks to a thousand times as much */
    CHUNK_EXTRA = 1 << 10     /* bytes that a chunk may take beyond its values: a checksum, or deflate in vain */
};

/* ---- the head of a file ------------------------------------------------------------------------------------------- */

enum { HEAD_BYTES = 48 }; /* of a superblock of version 2 or 3 (HDF5 File Format Specification, II.A) */

static uint64_t number_at(const struct stac_mapping *file, size_t at) {
    uint64_t n;
    memcpy(&n, file->data + at, sizeof n); /* little-endian, as this machine is: h5.c asserts it */
    return n;
}

bool stac_h5_is_hdf5(const struct stac_mapping *file) {
    return file->size >= HEAD_BYTES && memcmp(file->data, "\x89HDF\r\n\x1a\n", 8) == 0;
}

bool stac_h5_is_sealed(const struct stac_mapping *file) {
    uint8_t version = file->data[8], offset_bytes = file->data[9], length_bytes = file->data[10];
    uint64_t base = number_at(file, 12), root = number_at(file, 36);
    return (version == 2 || version == 3) && offset_bytes == 8 && length_bytes == 8 && base == 0 && root >= HEAD_BYTES &&
           root <= file->size - 4 && memcmp(file->data + root, "OHDR", 4) == 0;
}

/* ---- datasets ----------------------------------------------------------------------------------------------------- */

/* Only Fletcher-32, and deflate in front of it where the dataset is small. */
static bool filters_are_ours(hid_t create, hsize_t bytes) {
    int n = H5Pget_nfilters(create);
    for (int i = 0; i < n; i++) {
        unsigned flags, config;
        size_t n_values = 0;
        H5Z_filter_t filter = H5Pget_filter2(create, (unsigned)i, &flags, &n_values, NULL, 0, NULL, &config);
        bool packs = filter == H5Z_FILTER_DEFLATE && i == 0 && bytes <= LARGEST_PACKED;
        if (!packs && filter != H5Z_FILTER_FLETCHER32) return false;
    }
    return n >= 0 && n <= 2;
}

/* Chunks that are all there. Each is no larger than the dataset, and they take no more of the file than their values do. */
static const char *chunks_unfit(hid_t set, hid_t create, hid_t space, const hsize_t shape[2], int rank, size_t value_bytes) {
    hsize_t chunk[2] = {1, 1}, wanted = 1, found = 0, stored = H5Dget_storage_size(set), bytes = value_bytes;
    if (H5Pget_chunk(create, 2, chunk) != rank || H5Dget_num_chunks(set, space, &found) < 0) return "has broken chunks";
    for (int i = 0; i < rank; i++) {
        if (chunk[i] == 0 || chunk[i] > shape[i]) return "has chunks that are larger than it is";
        hsize_t n = (shape[i] + chunk[i] - 1) / chunk[i];
        if (__builtin_mul_overflow(wanted, n, &wanted) || __builtin_mul_overflow(bytes, n * chunk[i], &bytes))
            return "is larger than any file";
    }
    if (found != wanted) return "is not all there";
    if (!filters_are_ours(create, bytes)) return "is packed in a way that files of STAC are not";
    if (stored / 2 > bytes / 2 + wanted * CHUNK_EXTRA) return "takes more of the file than its values";
    return NULL;
}

const char *stac_h5_unfit(hid_t set, const hsize_t shape[2], int rank) {
    hid_t create = H5Dget_create_plist(set), space = H5Dget_space(set), type = H5Dget_type(set);
    size_t value_bytes = type >= 0 ? H5Tget_size(type) : 0;
    bool empty = shape[0] == 0 || (rank == 2 && shape[1] == 0);
    const char *why = NULL;
    if (create < 0 || space < 0 || value_bytes == 0 || value_bytes > LARGEST_TYPE)
        why = "is broken";
    else if (H5Pget_layout(create) == H5D_CHUNKED)
        why = empty ? NULL : chunks_unfit(set, create, space, shape, rank, value_bytes);
    else if (!empty)
        why = "does not lie in chunks";
    if (create >= 0) H5Pclose(create);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return why;
}
