/* A rank 0 whose output is in a buffer, as without a pseudo-terminal, and that takes its time between main and the end of exit:
 * mpirun may end it there, as another rank has left with an exit code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void keep_output(void) {
    setvbuf(stdout, NULL, _IOFBF, 4096);
}

__attribute__((destructor)) static void linger(void) {
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (!rank || strcmp(rank, "0") != 0) return;
    for (unsigned left = 5; left > 0;) left = sleep(left);
}
