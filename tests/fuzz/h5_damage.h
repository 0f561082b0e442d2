/* Damaged HDF5 files: an input says what is changed in a whole file, and the checksums are made right again.
 *
 * Random bytes are no HDF5 file, and a changed one fails its first checksum. So an input is a list of changes to one of the
 * files in bases/ (or, when it begins like HDF5, a whole file):
 *
 *     byte 0    number of the file, modulo how many there are; bit 7: checksums are left as they are
 *     then      offset (3 bytes, little-endian, modulo the size), kind and length - 1 (2 bits and 6 bits), and for
 *               kind 0: bytes to put there   1: zeros   2: offset (3 bytes) of bytes to copy from   3: the file ends here
 *
 * Checksums that are made right: of the superblock, object headers and their continuations; and the XXH3 by which
 * src/store/h5_writer.c seals the values of a dataset. */
#ifndef STAC_TESTS_H5_DAMAGE_H
#define STAC_TESTS_H5_DAMAGE_H

#include <stddef.h>
#include <stdint.h>

/* The damaged file: its path, good until the next call. It is whole for an input of at most one byte. `bases` are names of
 * files in bases/, ended by NULL. */
const char *fuzz_damaged(const char *const *bases, const uint8_t *data, size_t size);

#endif
