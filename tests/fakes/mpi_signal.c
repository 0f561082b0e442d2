/* A rank that gets a signal in a call of MPI: STAC_FAKE_AT names the call, STAC_FAKE_SIGNAL the signal. */
#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void at(const char *call) {
    const char *where = getenv("STAC_FAKE_AT"), *number = getenv("STAC_FAKE_SIGNAL");
    const struct timespec pause = {.tv_nsec = 300000000}; /* until the others have seen it there */
    if (!where || !number || strcmp(where, call) != 0) return;
    nanosleep(&pause, NULL);
    raise(atoi(number));
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
    at("MPI_Init_thread");
    return PMPI_Init_thread(argc, argv, required, provided);
}

int MPI_Bcast(void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm) {
    at("MPI_Bcast");
    return PMPI_Bcast(buffer, count, type, root, comm);
}

int MPI_Barrier(MPI_Comm comm) {
    at("MPI_Barrier");
    return PMPI_Barrier(comm);
}

int MPI_Finalize(void) {
    at("MPI_Finalize");
    return PMPI_Finalize();
}
