/* A rank that gets a signal in MPI_Finalize, after all of its work: the one in STAC_FAKE_SIGNAL. */
#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

int MPI_Finalize(void) {
    const char *number = getenv("STAC_FAKE_SIGNAL");
    const struct timespec pause = {.tv_nsec = 300000000}; /* until it has given a sign from here */
    if (number) nanosleep(&pause, NULL), raise(atoi(number));
    return PMPI_Finalize();
}
