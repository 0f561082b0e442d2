/* Status and error text: how every fallible function of the library reports.
 *
 * A fallible function returns an int: STAC_OK (0) or one of enum stac_status, and its last argument is a
 * `struct stac_error *err` in which the first failure writes one line that says what, where and what to do.
 * The library never prints and never exits; programs turn a status into an exit code. */
#ifndef STAC_BASE_STATUS_H
#define STAC_BASE_STATUS_H

enum stac_status {
    STAC_OK = 0,
    STAC_ERR_USAGE,    /* bad command line, job file or call: exit code 2 */
    STAC_ERR_INPUT,    /* a file that was read is malformed or refused: exit code 3 */
    STAC_ERR_IO,       /* the operating system refused a read or a write: exit code 3 */
    STAC_ERR_MEMORY,   /* an allocation failed: exit code 4 */
    STAC_ERR_RANK,     /* MPI, or another rank, failed: exit code 4 */
    STAC_ERR_INTERNAL, /* a broken promise of our own: exit code 4 */
    STAC_STOPPED,      /* a signal asked to stop, and what is done so far is kept: exit code 75, run it again */
};

#define STAC_ERROR_TEXT 768

struct stac_error {
    int status;                 /* enum stac_status; STAC_OK while nothing failed */
    int agreed;                 /* all ranks know of this failure and have left together (dist/ranks.h) */
    char text[STAC_ERROR_TEXT]; /* one line, no newline at its end */
};

/* Record a failure: an expression of value `status`. The first failure wins: a later one keeps status and text.
 * (A macro, so that the compiler sees that a failing branch returns non-zero.) */
#define stac_fail(err, status, ...) (stac_error_record((err), (status), __VA_ARGS__), stac_status_value(status))
static inline int stac_status_value(int status) {
    return status;
}
void stac_error_record(struct stac_error *err, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Put "context: " before the text already in err, for a caller that knows the file or layer. Returns err->status. */
int stac_fail_in(struct stac_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

void stac_error_clear(struct stac_error *err);

/* Exit code of a program for a status: 0, 2, 3, 4 or 75 (1 is kept for "a check failed"). */
int stac_exit_code(int status);

/* Forward a failure to the caller. */
#define STAC_TRY(call)                                                                                                         \
    do {                                                                                                                       \
        int stac_try_status_ = (call);                                                                                         \
        if (stac_try_status_ != STAC_OK) return stac_try_status_;                                                              \
    } while (0)

/* Forward a failure through the cleanup label `done` of a function that keeps its result in `int status`. */
#define STAC_TRY_DONE(call)                                                                                                    \
    do {                                                                                                                       \
        status = (call);                                                                                                       \
        if (status != STAC_OK) goto done;                                                                                      \
    } while (0)

#endif
