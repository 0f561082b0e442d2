/* Coefficients of energy: what is accepted is whole and in range. */
#include <string.h>

#include "energy/energy_model.h"
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stac_error err = {0};
    struct stac_energy_model m;
    if (!fuzz_accepted(stac_energy_model_parse("energy.yaml", (const char *)data, size, &m, &err), &err)) return 0;
    PROMISE(*m.name && memchr(m.name, 0, sizeof m.name) && *m.format && memchr(m.format, 0, sizeof m.format));
    for (int c = 0; c < STAC_COEFFICIENTS; c++) PROMISE(m.c[c] >= 0 && m.c[c] < 1e9);
    PROMISE(!m.has_memory || m.has_rest);
    return 0;
}
