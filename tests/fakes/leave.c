/* A process that leaves without a word after a second: what a library does that calls exit where it should return an error. */
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static void leave(int number) {
    (void)number;
    _exit(0);
}

__attribute__((constructor)) static void wind_up(void) {
    struct itimerval second = {.it_value = {.tv_sec = 1}};
    signal(SIGALRM, leave);
    setitimer(ITIMER_REAL, &second, NULL);
}
