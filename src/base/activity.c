#include "base/activity.h"

#include <stdatomic.h>

static _Atomic(const char *) now = "";

void stac_activity_set(const char *name) {
    atomic_store(&now, name);
}

const char *stac_activity(void) {
    return atomic_load(&now);
}
