/* The wish to stop: SIGTERM (scancel, or an mpirun that ends its job) and SIGUSR1 (as Slurm's --signal sends it before a time
 * limit). Nothing is interrupted: who works looks here between two pieces. A signal may come twice, from a launcher and from a
 * batch script, and counts once; SIGINT (Ctrl-C) ends a process at once. One of the few things that a process has once. */
#ifndef STAC_BASE_STOP_H
#define STAC_BASE_STOP_H

#include <stdbool.h>

/* From now on the signals are noted. False: they still end the process. */
bool stac_stop_listen(void);

/* The first signal that came, 0: none. */
int stac_stop_signal(void);

/* "SIGTERM". */
const char *stac_stop_name(int signal);

#endif
