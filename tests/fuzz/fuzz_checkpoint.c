/* A checkpoint. The first byte says which part of it: a record's file, or what a record holds of a fitted layer, without codes
 * or with trained ones. What is accepted is whole, and what is refused leaves the layer as it was. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/fit_record.h"
#include "harness.h"

enum { IN = 3, OUT = 2 };

static void read_record(const char *data, size_t size) {
    char job[STAC_SHA256_HEX];
    size_t body_size = 0;
    memset(job, 'a', sizeof job - 1);
    job[sizeof job - 1] = 0;
    const char *body = stac_record_body(data, size, "means", job, &body_size);
    if (!body) return;
    fuzz_acceptances++;
    PROMISE(body > data && body + body_size == data + size);
    fuzz_touch(body, body_size);
}

static void restore_layer(const char *data, size_t size, bool trained) {
    struct stac_error err = {0};
    struct stac_block block = {0};
    struct stac_linear l = {.n_in = IN, .n_out = OUT}, *linear[1] = {&l};
    struct stac_training training = {.steps = 1};
    MUST(STAC_NEW(l.w, IN * OUT, "weights", &err));
    MUST(stac_training_init(&training, 1, &err));
    struct stac_fitted f = {0, linear, 1, trained ? &block : NULL, &training};
    if (fuzz_accepted(stac_fit_restore(data, size, &f, &err), &err)) {
        PROMISE(!l.w && l.q && l.scale && l.bias);
        for (int k = 0; trained && k < STAC_SITE_HEAD_IN; k++) {
            const struct stac_code *c = &block.site[k].code;
            PROMISE(c->n_levels >= 1 && c->n_levels <= STAC_MAX_LEVELS && c->timesteps >= 1 &&
                    c->timesteps <= STAC_MAX_TIMESTEPS);
            fuzz_touch(c->levels.value, (size_t)c->n_levels * sizeof *c->levels.value);
        }
    } else {
        PROMISE(l.w && !l.q);
    }
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) stac_code_clean(&block.site[k].code);
    stac_linear_clean(&l);
    stac_training_clean(&training);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const char *rest = (const char *)data + 1;
    if (data[0] % 3 == 0)
        read_record(rest, size - 1);
    else
        restore_layer(rest, size - 1, data[0] % 3 == 2);
    return 0;
}
