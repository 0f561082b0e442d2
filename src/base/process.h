/* Other processes of this machine, by their number. */
#ifndef STAC_BASE_PROCESS_H
#define STAC_BASE_PROCESS_H

#include <stdbool.h>

/* When a process began, in ticks since the boot: with its number, an identity. 0: there is none, or it has ended and only waits
 * to be collected by its parent. */
unsigned long long stac_process_began(long pid);

/* Whether there is none of that number, or one that has ended. */
bool stac_process_is_gone(long pid);

#endif
