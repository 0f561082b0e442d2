/* The live file of a rank: shown as one line, or passed over. */
#include <stdio.h>

#include "harness.h"
#include "result/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stac_error err = {0};
    struct stac_strbuf out = {0};
    struct stac_watched seen;
    char folder[300];
    fuzz_file(0, data, size);
    fuzz_link("x.progress/rank-0.json", 0);
    snprintf(folder, sizeof folder, "%s/x", fuzz_folder());
    PROMISE(fuzz_accepted(stac_watch_read(folder, &out, &seen, &err), &err));
    PROMISE(fuzz_lines(&out) == (size_t)seen.ranks && seen.ranks <= 1 && seen.gone <= seen.ranks);
    stac_strbuf_clean(&out);
    return 0;
}
