/* Arguments of a program, divided by zeros: the first byte says of which program. */
#include <stdlib.h>

#include "harness.h"
#include "job/job.h"

enum { MOST = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const enum stac_program programs[] = {STAC_CONVERT, STAC_EVAL, STAC_CHAT};
    static const char yaml[] = "timesteps: 8\n";
    struct stac_error err = {0};
    struct stac_job job;
    char *argv[MOST + 2] = {(char *)(uintptr_t) "program"};
    int argc = 1;
    if (size == 0) return 0;
    enum stac_program program = programs[data[0] % 3];
    for (size_t at = 1, n; at < size && argc <= MOST; at += n + 1) {
        (void)fuzz_part(data + at, size - at, 0, &n);
        argv[argc++] = fuzz_text(data + at, size - at, 0);
    }
    MUST(stac_job_init(&job, program, &err));
    enum stac_job_request request;
    const char *path = NULL;
    bool read = program == STAC_CONVERT;
    if (fuzz_accepted(stac_job_command_line(&job, argc, argv, NULL, 0, &path, &request, &err), &err)) {
        struct stac_job again;
        MUST(stac_job_init(&again, program, &err));
        fuzz_accepted(stac_job_command_line(&again, argc, argv, read && path ? yaml : NULL, read && path ? sizeof yaml - 1 : 0,
                                            &path, &request, &err),
                      &err);
        stac_job_clean(&again);
    }
    stac_job_clean(&job);
    for (int i = 1; i < argc; i++) free(argv[i]);
    return 0;
}
