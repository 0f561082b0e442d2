#include "store/session_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/h5_writer.h"
#include "store/snn_file.h"

static const char schema[] = "stac-session";
enum { SCHEMA_VERSION = 2 };

static int write_session(struct stac_h5_writer *h, const struct stac_session *q, int n_vocab, const char *model,
                         struct stac_error *err) {
    int64_t *turn;
    STAC_TRY(stac_h5_set_text(h, "/", "schema", schema, err));
    STAC_TRY(stac_h5_set_int(h, "/", "schema_version", SCHEMA_VERSION, err));
    STAC_TRY(stac_h5_set_text(h, "/", "built_with", stac_build_info(), err));
    STAC_TRY(stac_h5_set_int(h, "/", "vocabulary", n_vocab, err));
    STAC_TRY(stac_h5_set_text(h, "/", "model_sha256", model, err));
    STAC_TRY(stac_h5_set_int(h, "/", "kept", (int64_t)q->kept, err));
    STAC_TRY(stac_h5_set_int(h, "/", "forgotten", (int64_t)q->forgotten, err));
    STAC_TRY(stac_h5_set_int(h, "/", "random", (int64_t)q->random.state, err));
    STAC_TRY(stac_h5_write(h, "/tokens", STAC_H5_I32, q->n, 0, q->token, err));
    STAC_TRY(STAC_NEW(turn, q->n_turns, "turns", err));
    for (size_t i = 0; i < q->n_turns; i++) turn[i] = (int64_t)q->turn[i];
    int status = stac_h5_write(h, "/turns", STAC_H5_I64, q->n_turns, 0, turn, err);
    free(turn);
    return status;
}

int stac_session_write(const char *path, const struct stac_session *q, int n_vocab, const char *model, struct stac_error *err) {
    struct stac_h5_writer h;
    STAC_TRY(stac_h5_create(path, 0, &h, err));
    int status = write_session(&h, q, n_vocab, model, err);
    if (status == STAC_OK) return stac_h5_commit(&h, err);
    stac_h5_discard(&h);
    return status;
}

static int check_origin(struct stac_h5_reader *h, int n_vocab, const char *model, struct stac_error *err) {
    char *found;
    int64_t vocab;
    STAC_TRY(stac_h5_get_int(h, "/", "vocabulary", 1, 1 << 24, &vocab, err));
    STAC_TRY(stac_h5_get_text(h, "/", "model_sha256", &found, err));
    bool same = vocab == n_vocab && (!*found || !*model || strcmp(found, model) == 0);
    free(found);
    if (same) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s is a conversation with another model", h->path);
}

static int read_turns(struct stac_h5_reader *h, struct stac_session *q, struct stac_error *err) {
    size_t n;
    int64_t *turn;
    STAC_TRY(stac_h5_rows(h, "/turns", q->n, &n, err));
    STAC_TRY(STAC_NEW(turn, n, "turns", err));
    int status = stac_h5_read(h, "/turns", STAC_H5_I64, n, 0, turn, err);
    if (status == STAC_OK) status = stac_grow(&q->turn, &q->turn_cap, n, sizeof *q->turn, "turns", err);
    for (size_t i = 0; i < n && status == STAC_OK; i++) {
        if (turn[i] < (i ? turn[i - 1] : 0) || turn[i] > (int64_t)q->n)
            status = stac_fail(err, STAC_ERR_INPUT, "%s: turn %zu begins at token %lld", h->path, i, (long long)turn[i]);
        q->turn[q->n_turns++] = (size_t)turn[i];
    }
    free(turn);
    return status;
}

static int read_session(struct stac_h5_reader *h, struct stac_session *q, size_t room, int n_vocab, const char *model,
                        struct stac_error *err) {
    int64_t kept, forgotten, random;
    STAC_TRY(check_origin(h, n_vocab, model, err));
    STAC_TRY(stac_h5_rows(h, "/tokens", room, &q->n, err));
    STAC_TRY(stac_h5_read_tokens(h, "/tokens", q->n, 0, n_vocab, &q->token, err));
    q->cap = q->n;
    STAC_TRY(stac_h5_get_int(h, "/", "kept", 0, (int64_t)q->n, &kept, err));
    STAC_TRY(stac_h5_get_int(h, "/", "forgotten", 0, INT64_MAX, &forgotten, err));
    STAC_TRY(stac_h5_get_int(h, "/", "random", INT64_MIN, INT64_MAX, &random, err));
    q->kept = (size_t)kept, q->forgotten = (size_t)forgotten, q->random.state = (uint64_t)random;
    return read_turns(h, q, err);
}

int stac_session_read(const char *path, struct stac_session *q, size_t room, int n_vocab, const char *model,
                      struct stac_error *err) {
    struct stac_h5_reader h;
    STAC_TRY(stac_h5_open(path, schema, SCHEMA_VERSION, &h, err));
    int status = read_session(&h, q, room, n_vocab, model, err);
    stac_h5_close(&h);
    return status;
}
