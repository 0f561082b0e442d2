/* Runs the kept inputs of a harness: every file of a folder, in the order of their names.
 *
 *     fuzz_NAME FOLDER...        exit code 0: all promises were kept
 *
 * Another process does the work, so that the input at which it crashed, or over which it sat for more than ten seconds, can
 * be named. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

enum { SECONDS = 10, MOST = 4096, LONGEST = 16 << 20 };

static char *inputs[MOST];
static int n_inputs;

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(const char *folder) {
    DIR *d = opendir(folder);
    if (!d) return -1;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        char path[1024];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || stat(path, &st) != 0 || !S_ISREG(st.st_mode)) continue;
        if (n_inputs == MOST || st.st_size > LONGEST) return -1;
        inputs[n_inputs++] = strdup(path);
    }
    closedir(d);
    return 0;
}

/* The input lies in memory of exactly its size, so that a read behind its end is seen. */
static int run(const char *path) {
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) return -1;
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size ? size : 1);
    int failed = !data || fread(data, 1, size, f) != size;
    fclose(f);
    if (!failed) {
        alarm(SECONDS);
        LLVMFuzzerTestOneInput(data, size);
        alarm(0);
    }
    free(data);
    return failed ? -1 : 0;
}

static int run_all(volatile int *at) {
    for (*at = 0; *at < n_inputs; ++*at)
        if (run(inputs[*at]) != 0) return 3;
    if (fuzz_acceptances == 0) fprintf(stderr, "no input was accepted\n");
    return fuzz_acceptances ? 0 : 3;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (list(argv[i]) != 0) {
            fprintf(stderr, "cannot list %s, or it holds more than %d inputs, or one above %d bytes\n", argv[i], MOST, LONGEST);
            return 2;
        }
    qsort(inputs, (size_t)n_inputs, sizeof *inputs, by_name);
    int *at = mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status;
    if (at == MAP_FAILED || n_inputs == 0) {
        fprintf(stderr, "there are no inputs\n");
        return 2;
    }
    pid_t pid = fork();
    if (pid == 0) exit(run_all(at));
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return 3;
    bool whole = *at == n_inputs;
    if (WIFSIGNALED(status))
        fprintf(stderr, "%s: ended by signal %d%s\n", whole ? "the end" : inputs[*at], WTERMSIG(status),
                WTERMSIG(status) == 14 ? " (more than ten seconds)" : "");
    else if (WEXITSTATUS(status) != 0)
        fprintf(stderr, "%s: exit code %d\n", whole ? "the end" : inputs[*at], WEXITSTATUS(status));
    else
        printf("%d inputs\n", n_inputs);
    for (int i = 0; i < n_inputs; i++) free(inputs[i]);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 && whole ? 0 : 1;
}
