/* A set of conversations, and how it is thinned and judged. */
#include <string.h>

#include "eval/dialogues.h"
#include "harness.h"

static void look_at(const struct stac_dialogues *d, const struct stac_dialogue *one) {
    PROMISE(one->name && one->kind >= 0 && one->kind < d->n_kinds);
    PROMISE(one->n_turns >= 1 && one->n_turns <= d->longest && d->longest <= STAC_MOST_TURNS);
    for (int i = 0; i < one->n_turns; i++) {
        const struct stac_turn *turn = &one->turn[i];
        PROMISE(turn->user && turn->assistant && turn->n_expected >= 0 && turn->n_expected <= STAC_MOST_EXPECTED);
        (void)stac_turn_is_right(turn, turn->assistant);
        (void)stac_turn_is_right(turn, turn->user);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stac_error err = {0};
    struct stac_dialogues d;
    if (!fuzz_accepted(stac_dialogues_parse("set", (const char *)data, size, &d, &err), &err)) return 0;
    PROMISE(d.n > 0 && d.n < size && d.n_kinds >= 1 && d.n_kinds <= STAC_MOST_KINDS);
    for (size_t i = 0; i < d.n; i++) look_at(&d, &d.at[i]);
    size_t wanted = d.n > 2 ? d.n / 2 : 1;
    stac_dialogues_thin(&d, wanted);
    PROMISE(d.n == wanted);
    for (size_t i = 0; i < d.n; i++) look_at(&d, &d.at[i]);
    stac_dialogues_clean(&d);
    return 0;
}
