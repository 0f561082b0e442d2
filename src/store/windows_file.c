#include "store/windows_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "store/h5_writer.h"
#include "store/snn_file.h"

static const char schema[] = "stac-calibration";
enum { SCHEMA_VERSION = 3, MOST_WINDOWS = 1 << 20, LONGEST_WINDOW = 1 << 24 };

int stac_windows_write(const char *path, const struct stac_windows *w, struct stac_error *err) {
    struct stac_h5_writer h;
    int status = STAC_OK;
    STAC_TRY(stac_h5_create(path, 0, &h, err));
    STAC_TRY_DONE(stac_h5_set_text(&h, "/", "schema", schema, err));
    STAC_TRY_DONE(stac_h5_set_int(&h, "/", "schema_version", SCHEMA_VERSION, err));
    STAC_TRY_DONE(stac_h5_set_text(&h, "/", "built_with", stac_build_info(), err));
    STAC_TRY_DONE(stac_h5_set_text(&h, "/", "source", w->source, err));
    STAC_TRY_DONE(stac_h5_set_int(&h, "/", "vocabulary", w->n_vocab, err));
    STAC_TRY_DONE(stac_h5_set_int(&h, "/", "length", w->length, err));
    STAC_TRY_DONE(stac_h5_write(&h, "/tokens", STAC_H5_I32, (size_t)w->n, (size_t)w->length, w->tokens, err));
    return stac_h5_commit(&h, err);
done:
    stac_h5_discard(&h);
    return status;
}

static int read_windows(struct stac_h5_reader *h, struct stac_windows *w, struct stac_error *err) {
    char *source;
    int64_t vocab, length;
    size_t n;
    STAC_TRY(stac_h5_get_int(h, "/", "vocabulary", 1, 1 << 24, &vocab, err));
    STAC_TRY(stac_h5_get_int(h, "/", "length", 1, LONGEST_WINDOW, &length, err));
    STAC_TRY(stac_h5_rows(h, "/tokens", MOST_WINDOWS, &n, err));
    STAC_TRY(stac_h5_get_text(h, "/", "source", &source, err));
    snprintf(w->source, sizeof w->source, "%s", source);
    free(source);
    w->n = (int)n, w->length = (int)length, w->n_vocab = (int)vocab;
    STAC_TRY(stac_h5_read_tokens(h, "/tokens", n, (size_t)length, w->n_vocab, &w->tokens, err));
    return STAC_OK;
}

int stac_windows_read(const char *path, struct stac_windows *out, struct stac_error *err) {
    struct stac_h5_reader h;
    *out = (struct stac_windows){0};
    STAC_TRY(stac_h5_open(path, schema, SCHEMA_VERSION, &h, err));
    int status = read_windows(&h, out, err);
    stac_h5_close(&h);
    if (status != STAC_OK) stac_windows_clean(out);
    return status;
}

void stac_windows_clean(struct stac_windows *w) {
    free(w->tokens);
    *w = (struct stac_windows){0};
}
