/* Other processes of this machine, by their number. */
#ifndef STAC_BASE_PROCESS_H
#define STAC_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

/* When a process began, in ticks since the boot: with its number, an identity. 0: there is none, or it has ended and only waits
 * to be collected by its parent. */
unsigned long long stac_process_began(long pid);

/* Whether there is none of that number, or one that has ended. */
bool stac_process_is_gone(long pid);

/* Whether it was stopped by a signal; one that a debugger holds was not. */
bool stac_process_is_stopped(long pid);

/* The value of a variable in the environment that it began with, cut to `size`; false: it has none of that name, or the process
 * is somebody else's. */
bool stac_process_variable(long pid, const char *name, char *value, size_t size);

/* Visit all processes that can be seen, but this one. */
void stac_process_each(void (*visit)(long pid, void *ctx), void *ctx);

#endif
