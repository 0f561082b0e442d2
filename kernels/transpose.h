/* The transpose of a matrix: not an operator of the table, for it computes nothing. */
#ifndef STAC_KERNELS_TRANSPOSE_H
#define STAC_KERNELS_TRANSPOSE_H

#include <stddef.h>

/* to[columns][rows] = from[rows][columns], rows `ld` apart. */
static inline void stac_transpose(int rows, int columns, const float *from, int ld, float *to) {
#pragma omp parallel for schedule(static)
    for (int j = 0; j < columns; j++)
        for (int i = 0; i < rows; i++) to[(size_t)j * rows + i] = from[(size_t)i * ld + j];
}

#endif
