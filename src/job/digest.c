#include "job/digest.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

int stac_digest_file(const char *path, char hex[STAC_SHA256_HEX], struct stac_error *err) {
    struct stac_mapping map = {0};
    STAC_TRY(stac_file_map(path, &map, err));
    int status = stac_sha256_bytes(map.data, map.size, hex, err);
    stac_file_unmap(&map);
    return status;
}

enum { LARGEST_COMPANION = 64 << 20 };

static int add_companion(const char *folder, const char *name, struct stac_strbuf *subject, struct stac_error *err) {
    char hex[STAC_SHA256_HEX], *path = stac_file_join(folder, name, err), *text = NULL;
    size_t size;
    int status = path ? STAC_OK : err->status;
    if (path && stac_file_exists(path)) {
        status = stac_file_read(path, LARGEST_COMPANION, &text, &size, err); /* which may be empty */
        if (status == STAC_OK) status = stac_sha256_bytes(text, size, hex, err);
        if (status == STAC_OK) status = stac_strbuf_printf(subject, err, "\n%s %s", name, hex);
    }
    free(text);
    free(path);
    return status;
}

int stac_digest_companions(const char *tokenizer, const char *model, struct stac_strbuf *subject, struct stac_error *err) {
    static const char *const files[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                        "chat_template.jinja"};
    for (size_t i = 0; tokenizer && i < sizeof files / sizeof *files; i++)
        STAC_TRY(add_companion(tokenizer, files[i], subject, err));
    return model ? add_companion(model, "generation_config.json", subject, err) : STAC_OK;
}

int stac_job_digest(const struct stac_job *job, const char *version, const char *subject, char hex[STAC_SHA256_HEX],
                    struct stac_error *err) {
    bool again = job->from[0]; /* reads no text: what the network was calibrated on is in its own digest */
    const char *file[] = {again ? "" : job->calibration_text, again ? "" : job->calibration_data, job->text, job->conversations,
                          job->energy_model};
    enum { FILES = sizeof file / sizeof *file };
    char of_file[FILES][STAC_SHA256_HEX] = {{0}};
    struct stac_bytes part[FILES + 3];
    struct stac_strbuf text = {0};
    size_t n = 0;
    int status = stac_job_print(job, &text, err);
    for (int i = 0; i < FILES && status == STAC_OK; i++)
        if (file[i][0]) status = stac_digest_file(file[i], of_file[i], err);
    part[n++] = (struct stac_bytes){stac_strbuf_text(&text), strlen(stac_strbuf_text(&text)) + 1};
    part[n++] = (struct stac_bytes){version, strlen(version) + 1};
    part[n++] = (struct stac_bytes){subject, strlen(subject) + 1};
    for (int i = 0; i < FILES; i++) part[n++] = (struct stac_bytes){of_file[i], sizeof of_file[i]};
    if (status == STAC_OK) status = stac_sha256_parts(part, n, hex, err);
    stac_strbuf_clean(&text);
    return status;
}
