/* HDF5 files of ours, changed by HDF5 itself. */
#ifndef STAC_TESTS_FIXTURE_HDF5_H
#define STAC_TESTS_FIXTURE_HDF5_H

#include "unit.h"

#include <hdf5.h>

/* Open for changes in the format in which STAC writes: what is added has checksums, too. */
__attribute__((unused)) static hid_t fx_h5_edit(const char *path) {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    assert_true(access >= 0 && H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, access);
    H5Pclose(access);
    assert_true(file >= 0);
    return file;
}

#endif
