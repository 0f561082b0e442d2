/* A job file, for one of the programs: the first byte says which. What is accepted is printed and read again as the same. */
#include <string.h>

#include "harness.h"
#include "job/job.h"

static void print(const struct stac_job *job, struct stac_strbuf *out) {
    struct stac_error err = {0};
    MUST(stac_job_print(job, out, &err));
}

/* A job as it is printed is one that gives the same print. */
static void read_again(enum stac_program program, const struct stac_strbuf *printed) {
    struct stac_error err = {0};
    struct stac_strbuf again = {0};
    struct stac_job job;
    MUST(stac_job_init(&job, program, &err));
    MUST(stac_job_yaml(&job, "print", stac_strbuf_text(printed), printed->size, &err));
    print(&job, &again);
    PROMISE(strcmp(stac_strbuf_text(&again), stac_strbuf_text(printed)) == 0);
    stac_strbuf_clean(&again);
    stac_job_clean(&job);
}

/* A text that is said to be a stored job. */
static void inherit(const char *text) {
    struct stac_error err = {0};
    struct stac_job job;
    MUST(stac_job_init(&job, STAC_CONVERT, &err));
    fuzz_accepted(stac_job_inherit(&job, "stored", text, &err), &err);
    stac_job_clean(&job);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const enum stac_program programs[] = {STAC_CONVERT, STAC_EVAL, STAC_CHAT};
    struct stac_error err = {0};
    struct stac_job job;
    if (size == 0) return 0;
    enum stac_program program = programs[data[0] % 3];
    MUST(stac_job_init(&job, program, &err));
    if (fuzz_accepted(stac_job_yaml(&job, "job.yaml", (const char *)data + 1, size - 1, &err), &err)) {
        struct stac_strbuf printed = {0};
        print(&job, &printed);
        read_again(program, &printed);
        if (program == STAC_CONVERT) inherit(stac_strbuf_text(&printed));
        stac_strbuf_clean(&printed);
    }
    stac_job_clean(&job);
    return 0;
}
