/* The part of a stored tensor that is one weight, and its way into float32. */
#ifndef STAC_MODEL_STORED_MATRIX_H
#define STAC_MODEL_STORED_MATRIX_H

#include <stddef.h>

#include "base/status.h"
#include "model/tensor.h"

/* A window on a tensor that is seen as a row-major matrix. A vector is one row. */
struct stac_stored {
    const struct stac_tensor *tensor; /* borrowed */
    size_t cols;                      /* columns of the whole tensor */
    size_t row, n_rows;               /* rows of the window */
    size_t col, n_cols;               /* columns of the window */

    /* 0, or the channels of a head whose halves a_0 a_1 .. and b_0 b_1 .. lie in the rows as a_0 b_0 a_1 b_1 .., as
     * GGUF stores q and k of llama. They come out as Hugging Face has them: a_0 a_1 .. b_0 b_1 .. */
    size_t interleaved;
};

/* Convert the window to out[n_rows][n_cols], or transposed to out[n_cols][n_rows]. STAC_ERR_INPUT names the tensor when
 * its format is not read, when the window cuts a quantised block, or when a value is not finite. */
int stac_stored_copy(const struct stac_stored *s, float *out, struct stac_error *err);
int stac_stored_transpose(const struct stac_stored *s, float *out, struct stac_error *err);

#endif
