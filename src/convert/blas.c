#include "convert/blas.h"

#include <lapacke.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of OpenBLAS, whose header has different places on different systems. */
char *openblas_get_corename(void);
void openblas_set_num_threads(int n);

/* The kind of processor that OpenBLAS is to work as, or NULL: as it likes. */
static const char *wanted(enum stac_blas_kind kind) {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return NULL;
    if (kind == STAC_BLAS_ALIKE) return "Haswell";
    if (strcmp(openblas_get_corename(), "Prescott") != 0) return NULL;
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
               ? "SkylakeX"
               : "Haswell";
#else
    (void)kind;
    return NULL;
#endif
}

void stac_blas_wake(enum stac_blas_kind kind, char *const *argv) {
    const char *core = wanted(kind);
    char path[4096];
    if (!core || getenv("OPENBLAS_CORETYPE") || strcmp(openblas_get_corename(), core) == 0) return;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1); /* its own name, which the process keeps */
    if (n <= 0 || setenv("OPENBLAS_CORETYPE", core, 1) != 0) return;
    path[n] = 0;
    execv(path, argv);
}

enum { BUFFER = 129 << 20 }; /* bytes that OpenBLAS takes for a thread (0.3.21), and a little more */

int stac_blas_begin(struct stac_error *err) {
    double one = 1;
    void *room = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    openblas_set_num_threads(1);
    if (room == MAP_FAILED) return stac_fail(err, STAC_ERR_MEMORY, "no %d MiB of memory for OpenBLAS to work in", BUFFER >> 20);
    munmap(room, BUFFER);
    LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', 1, &one, 1); /* takes it, and keeps it */
    return STAC_OK;
}
