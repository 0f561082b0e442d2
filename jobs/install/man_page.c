/* Prints the manual page of a program: stac-man PROGRAM VERSION DATE. Part of the build; not installed. */
#include <stdio.h>
#include <string.h>

#include "job/about.h"

int main(int argc, char **argv) {
    static const enum stac_program all[] = {STAC_CONVERT, STAC_EVAL, STAC_CHAT};
    struct stac_strbuf text = {0};
    struct stac_error err = {0};
    if (argc != 4) return 2;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(argv[1], stac_about(all[i])->name) == 0) stac_job_manual(all[i], argv[2], argv[3], &text, &err);
    fputs(stac_strbuf_text(&text), stdout);
    stac_strbuf_clean(&text);
    return err.status != STAC_OK || fflush(stdout) != 0;
}
