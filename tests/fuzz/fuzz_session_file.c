/* A conversation that was put away, damaged: its tokens are of the vocabulary and fit, its turns ascend. */
#include <stdlib.h>

#include "h5_damage.h"
#include "harness.h"
#include "store/session_file.h"

enum { ROOM = 64, VOCABULARY = 61 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const bases[] = {"session.h5", NULL};
    struct stac_error err = {0};
    struct stac_session q = {0};
    const char *path = fuzz_damaged(bases, data, size);
    if (fuzz_accepted(stac_session_read(path, &q, ROOM, VOCABULARY, "0123456789abcdef", &err), &err)) {
        PROMISE(q.n <= ROOM && q.n <= q.cap && q.kept <= q.n && q.n_turns <= q.turn_cap);
        for (size_t i = 0; i < q.n; i++) PROMISE(q.token[i] >= 0 && q.token[i] < VOCABULARY);
        for (size_t i = 0; i < q.n_turns; i++) PROMISE(q.turn[i] <= q.n && (i == 0 || q.turn[i] >= q.turn[i - 1]));
    } else {
        PROMISE(size > 1);
    }
    free(q.token);
    free(q.turn);
    return 0;
}
