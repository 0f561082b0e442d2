#include "base/phase.h"

#include <stdatomic.h>

static _Atomic(const char *) now = "";

void stac_phase_set(const char *name) {
    atomic_store(&now, name);
}

const char *stac_phase(void) {
    return atomic_load(&now);
}
