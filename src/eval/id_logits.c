#include "eval/id_logits.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/h5_writer.h"

static int parse_ids(const char *text, struct stac_tokens *out, struct stac_error *err) {
    const char *at = text;
    for (;;) {
        char *end;
        long id = strtol(at, &end, 10);
        if (end == at || id < 0 || id > INT32_MAX || (*end && *end != ','))
            return stac_fail(err, STAC_ERR_USAGE, "--ids: \"%.20s\" is not a list of token ids like 5,17,42", at);
        STAC_TRY(stac_tokens_add(out, (int32_t)id, err));
        if (!*end) return STAC_OK;
        at = end + 1;
    }
}

static int write_file(const char *path, const float *logits, size_t rows, size_t columns, struct stac_error *err) {
    struct stac_h5_writer h;
    STAC_TRY(stac_h5_create(path, 0, &h, err));
    int status = stac_h5_set_text(&h, "/", "schema", "stac-logits", err);
    if (status == STAC_OK) status = stac_h5_set_int(&h, "/", "schema_version", 1, err);
    if (status == STAC_OK) status = stac_h5_write(&h, "/logits", STAC_H5_F32, rows, columns, logits, err);
    if (status == STAC_OK) return stac_h5_commit(&h, err);
    stac_h5_discard(&h);
    return status;
}

struct wanted {
    float *logits; /* [tokens][n_vocab] */
    size_t n_vocab;
};

static void keep_logits(void *ctx, int id, size_t index, const float *logits) {
    struct wanted *w = ctx;
    (void)id;
    memcpy(w->logits + index * w->n_vocab, logits, w->n_vocab * sizeof *logits);
}

/* Collective over the stages of a group. */
static int read_ids(struct stac_stand *stand, const struct stac_tokens *ids, struct wanted *wanted, struct stac_error *err) {
    struct stac_sessions sessions = {0};
    int status = stac_sessions_init(&sessions, &stand->pipeline, 0, err);
    if (status == STAC_OK) status = stac_sessions_add(&sessions, 0, ids->id, ids->n, err);
    if (status == STAC_OK) status = stac_sessions_read(&sessions, keep_logits, wanted, err);
    if (status == STAC_OK) status = stac_pipeline_settle(&stand->pipeline, err);
    stac_sessions_clean(&sessions);
    return status;
}

/* From the last stage of the first group to rank 0. */
static int collect(const struct stac_subject *s, float *logits, size_t n, struct stac_error *err) {
    int source = s->grid.n_stages - 1;
    if (source == 0) return STAC_OK;
    if (s->ranks->rank == source) return stac_send_bytes(s->ranks->comm, logits, n * sizeof *logits, 0, err);
    return s->ranks->rank == 0 ? stac_receive_bytes(s->ranks->comm, logits, n * sizeof *logits, source, err) : STAC_OK;
}

int stac_id_logits_write(struct stac_subject *s, struct stac_error *err) {
    const struct stac_ranks *ranks = s->ranks;
    struct stac_tokens ids = {0};
    struct stac_stand stand = {0};
    struct wanted wanted = {NULL, (size_t)s->hp.n_vocab};
    enum stac_side side = s->side[STAC_SNN] ? STAC_SNN : STAC_BASELINE;
    int status = s->job->logits_out[0] ? parse_ids(s->job->ids, &ids, err)
                                       : stac_fail(err, STAC_ERR_USAGE, "--ids needs --logits_out FILE.h5 for the logits");
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, status, err));
    STAC_TRY_DONE(stac_stand_init(&stand, s, side, 1, (int)ids.n, (int)ids.n, err));
    status = STAC_NEW(wanted.logits, ids.n * wanted.n_vocab, "logits", err);
    if (status == STAC_OK && s->grid.stage >= 0) status = read_ids(&stand, &ids, &wanted, err);
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, status, err));
    status = collect(s, wanted.logits, ids.n * wanted.n_vocab, err);
    if (status == STAC_OK && ranks->rank == 0)
        status = write_file(s->job->logits_out, wanted.logits, ids.n, wanted.n_vocab, err);
    status = stac_agree(ranks, ranks->comm, status, err);
done:
    free(wanted.logits);
    stac_stand_clean(&stand);
    stac_tokens_clean(&ids);
    return status;
}
