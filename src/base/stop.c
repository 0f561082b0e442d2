#include "base/stop.h"

#include <signal.h>

static volatile sig_atomic_t came;

static void note(int number) {
    if (!came) came = number;
}

bool stac_stop_listen(void) {
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigset_t both;
    sigemptyset(&action.sa_mask);
    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGUSR1);
    return sigaction(SIGTERM, &action, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0 &&
           sigprocmask(SIG_UNBLOCK, &both, NULL) == 0; /* a parent may have blocked them */
}

int stac_stop_signal(void) {
    return came;
}

const char *stac_stop_name(int signal) {
    return signal == SIGTERM ? "SIGTERM" : signal == SIGUSR1 ? "SIGUSR1" : "a signal";
}
