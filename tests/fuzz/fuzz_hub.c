/* refs/main of a model in the cache of the hub, and behind a zero the name that is asked for: a path in the cache, or none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "model/hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool set;
    struct stac_error err = {0};
    size_t n;
    char *path, *name = fuzz_text(data, size, 1);
    const char *text = fuzz_part(data, size, 0, &n);
    fuzz_file(0, text, n);
    fuzz_link("models--org--name/refs/main", 0);
    fuzz_link("models--org--name/snapshots/abc/config.json", 0);
    if (!set) setenv("HF_HUB_CACHE", fuzz_folder(), 1);
    set = true;
    if (fuzz_accepted(stac_hub_resolve("org/name", &path, &err), &err)) {
        PROMISE(strncmp(path, fuzz_folder(), strlen(fuzz_folder())) == 0 && !strstr(path, ".."));
        free(path);
    }
    stac_error_clear(&err);
    if (fuzz_accepted(stac_hub_resolve(name, &path, &err), &err)) free(path);
    free(name);
    return 0;
}
