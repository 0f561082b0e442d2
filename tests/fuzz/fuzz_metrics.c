/* metrics.h5, damaged, beside a whole one: the comparison is lines of text. */
#include "h5_damage.h"
#include "harness.h"
#include "result/compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const bases[] = {"metrics.h5", NULL};
    struct stac_error err = {0};
    struct stac_strbuf out = {0};
    bool broken;
    const char *path = fuzz_damaged(bases, data, size);
    if (fuzz_accepted(stac_compare(STAC_TEST_DATA "/fuzz/bases/metrics.h5", path, &out, &broken, &err), &err))
        PROMISE(fuzz_lines(&out) > 2);
    else
        PROMISE(size > 1);
    stac_strbuf_clean(&out);
    return 0;
}
