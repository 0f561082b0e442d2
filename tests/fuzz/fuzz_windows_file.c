/* Calibration windows, damaged: every token that is read is of the vocabulary. */
#include <string.h>

#include "h5_damage.h"
#include "harness.h"
#include "store/windows_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const bases[] = {"windows.h5", NULL};
    struct stac_error err = {0};
    struct stac_windows w;
    if (!fuzz_accepted(stac_windows_read(fuzz_damaged(bases, data, size), &w, &err), &err)) {
        PROMISE(size > 1);
        return 0;
    }
    PROMISE(w.n >= 0 && w.length >= 1 && memchr(w.source, 0, sizeof w.source));
    for (size_t i = 0; i < (size_t)w.n * (size_t)w.length; i++) PROMISE(w.tokens[i] >= 0 && w.tokens[i] < w.n_vocab);
    stac_windows_clean(&w);
    return 0;
}
