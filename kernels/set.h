/* The plain loops of kernels/ref are compiled once for every set, with that processor's instructions; the name of the
 * set is appended to every function. */
#ifndef STAC_KERNELS_SET_H
#define STAC_KERNELS_SET_H

#include "kernels/kernels.h"

#ifndef STAC_SET
#error "compile kernels/ref with -DSTAC_SET=ref or the name of another set"
#endif
#define STAC_SET_JOIN_(name, set) stac_##name##_##set
#define STAC_SET_JOIN(name, set) STAC_SET_JOIN_(name, set)
#define K(name) STAC_SET_JOIN(name, STAC_SET)

#endif
