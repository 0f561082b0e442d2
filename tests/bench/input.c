#include "input.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/snn_file.h"
#include "text/tokenizer.h"

enum { TRIES = 3, PIECE = 1 << 20 };

/* ---- files -------------------------------------------------------------------------------------------------------- */

/* Out of the page cache, as far as the system obeys. */
static void forget(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) return;
    fsync(fd);
    (void)!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

/* Seconds that nothing but reading takes. */
static int read_plainly(const char *path, double *bytes, double *seconds, struct stac_error *err) {
    char *piece;
    STAC_TRY(STAC_NEW(piece, PIECE, "a piece of a file", err));
    double began = stac_clock_now();
    int fd = open(path, O_RDONLY);
    ssize_t n = -1;
    for (*bytes = 0; fd >= 0 && (n = read(fd, piece, PIECE)) > 0;) *bytes += (double)n;
    *seconds = stac_clock_now() - began;
    if (fd >= 0) close(fd);
    free(piece);
    return n == 0 ? STAC_OK : stac_fail(err, STAC_ERR_IO, "%s cannot be read", path);
}

static int load(const char *path, double *seconds, struct stac_error *err) {
    struct stac_snn snn;
    struct stac_network net;
    double began = stac_clock_now();
    STAC_TRY(stac_snn_open(path, &snn, err));
    int status = stac_snn_load(&snn, (struct stac_part){0, snn.hp.n_layer, true, true}, &net, err);
    *seconds = stac_clock_now() - began;
    if (status == STAC_OK) stac_network_clean(&net);
    stac_snn_close(&snn);
    return status;
}

int input_bench_load(const char *folder, struct stac_error *err) {
    static const char *const names[] = {"cold", "cached"};
    char path[4096];
    snprintf(path, sizeof path, "%s/snn_model.h5", folder);
    for (int cached = 0; cached < 2; cached++) {
        double bytes, best[2] = {1e30, 1e30}, seconds;
        for (int t = 0; t < TRIES; t++) {
            if (!cached) forget(path);
            STAC_TRY(read_plainly(path, &bytes, &seconds, err));
            best[0] = seconds < best[0] ? seconds : best[0];
            if (!cached) forget(path);
            STAC_TRY(load(path, &seconds, err));
            best[1] = seconds < best[1] ? seconds : best[1];
        }
        printf("read_%s,%.4g,bytes/s\nload_%s,%.4g,bytes/s\n", names[cached], bytes / best[0], names[cached], bytes / best[1]);
    }
    return STAC_OK;
}

/* ---- text --------------------------------------------------------------------------------------------------------- */

static int whole_text(const char *path, char **text, size_t *size, struct stac_error *err) {
    struct stat st;
    FILE *f = fopen(path, "rb");
    *text = NULL;
    if (!f || fstat(fileno(f), &st) != 0 || !(*text = malloc((size_t)st.st_size + 1)) ||
        fread(*text, 1, (size_t)st.st_size, f) != (size_t)st.st_size) {
        if (f) fclose(f);
        free(*text);
        return stac_fail(err, STAC_ERR_IO, "%s cannot be read", path);
    }
    *size = (size_t)st.st_size;
    fclose(f);
    return STAC_OK;
}

int input_bench_tokenizer(const char *folder, const char *path, struct stac_error *err) {
    char *text;
    size_t size;
    double best = 1e30;
    int status = STAC_OK;
    STAC_TRY(whole_text(path, &text, &size, err));
    for (int t = 0; t < TRIES && status == STAC_OK; t++) {
        struct stac_tokenizer *tokenizer; /* a new one, that has seen no word yet */
        struct stac_tokens tokens = {0};
        if ((status = stac_tokenizer_open(folder, &tokenizer, err)) != STAC_OK) break;
        double began = stac_clock_now();
        status = stac_tokenizer_encode(tokenizer, text, size, false, &tokens, err);
        double seconds = stac_clock_now() - began;
        best = seconds < best ? seconds : best;
        stac_tokens_clean(&tokens);
        stac_tokenizer_close(tokenizer);
    }
    free(text);
    if (status == STAC_OK) printf("tokenizer,%.4g,bytes/s\n", (double)size / best);
    return status;
}
