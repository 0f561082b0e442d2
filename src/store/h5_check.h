/* What an HDF5 file of STAC looks like, seen before HDF5 follows what the file says. HDF5 is not made for files of strangers:
 * its older formats have no checksums, a dataset may take its values from any other file, and a few bytes may unpack to as
 * many as there is memory for. Files of ours need none of this. */
#ifndef STAC_STORE_H5_CHECK_H
#define STAC_STORE_H5_CHECK_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/file.h"

/* Whether a file begins as HDF5 does; and whether with the head of a format whose structures have checksums. */
bool stac_h5_is_hdf5(const struct stac_mapping *file);
bool stac_h5_is_sealed(const struct stac_mapping *file);

/* Why the values of a dataset of this shape are not to be read, as the end of a sentence; NULL: they may be. All of them must
 * be in the file (HDF5 fills in zeros for chunks that were never written), in chunks no larger than the dataset, by no filters
 * but those of ours. */
const char *stac_h5_unfit(hid_t set, const hsize_t shape[2], int rank);

#endif
