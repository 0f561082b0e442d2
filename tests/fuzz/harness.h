/* What the fuzz harnesses share: inputs as files, and the checks of a reader's promises.
 *
 * A harness is one function, LLVMFuzzerTestOneInput, that gives bytes to a reader and checks what the reader promises: it
 * accepts what it can read in full, or refuses in one line. libFuzzer and AFL++ bring a main of their own; in other builds
 * replay.c runs the kept inputs. */
#ifndef STAC_TESTS_HARNESS_H
#define STAC_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise: ends the program when it is broken, in every build. */
#define PROMISE(condition)                                                                                                     \
    do {                                                                                                                       \
        if (!(condition)) fuzz_broken(#condition, __FILE__, __LINE__);                                                         \
    } while (0)
_Noreturn void fuzz_broken(const char *promise, const char *file, int line);

/* A call that must succeed whatever the input is. Needs a `struct stac_error err` in scope. */
#define MUST(call)                                                                                                             \
    do {                                                                                                                       \
        if ((call) != STAC_OK) fuzz_broken(err.text, __FILE__, __LINE__);                                                      \
    } while (0)

/* Whether a reader accepted its input. A refusal is one line of text with a status that blames the input. */
bool fuzz_accepted(int status, const struct stac_error *err);
extern size_t fuzz_acceptances; /* how often: a harness all of whose inputs are refused tests nothing */

/* What is shown to people: lines of printable text. Returns their number. */
size_t fuzz_lines(const struct stac_strbuf *text);

/* A file with these bytes, in memory: its path, good until the next call with the same number (0 to 3). */
const char *fuzz_file(int number, const void *data, size_t size);

/* The same on disk, for HDF5, which wants a path that leads somewhere; there is one. */
const char *fuzz_plain_file(const void *data, size_t size);

/* A folder of this process under $TMPDIR, removed when it ends; and a link in it to one of the files above. */
const char *fuzz_folder(void);
void fuzz_link(const char *name, int number);

/* Part `index` of an input that zeros divide; *size is 0 behind the last one. */
const char *fuzz_part(const uint8_t *data, size_t size, int index, size_t *part_size);

/* Part `index` as a new text, which ends with a zero; the caller's to free. */
char *fuzz_text(const uint8_t *data, size_t size, int index);

/* Every byte is read, so that the sanitizers see it. */
void fuzz_touch(const void *data, size_t size);

/* Threads, MPI and signals stay away: one thread, no waiting. Called first by harnesses that compute. */
void fuzz_alone(void);

#endif
