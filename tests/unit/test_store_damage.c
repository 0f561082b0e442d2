/* store/: random damage to a file of a spiking network is found or changes nothing, and is never slow.
 *
 * HDF5 may loop or crash on a damaged file, so another process does the reading: this program, started with --read. It
 * answers one letter for every damaged file; the parent waits a bounded time for each, and starts another reader behind a
 * file that hung or crashed the last one. */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "fixture_stores.h"

enum {
#ifdef __SANITIZE_ADDRESS__
    FLIPS = 2000,
#else
    FLIPS = 6000,
#endif
    CUTS = 500,
    WIPES = 500,
    SWAPS = 500,
    DAMAGES = FLIPS + CUTS + WIPES + SWAPS,
    PATIENCE_MS = 10000 /* for one file */
};

/* ---- damage ----------------------------------------------------------------------------------------------------- */

/* Damage number i: flipped bits, then the end cut off, then blocks of zeros, then blocks that change places. Returns the
 * size that is left; what was done is described. */
static size_t damage(uint8_t *copy, size_t size, int i, char *what, size_t room) {
    struct stac_random r = stac_random_seeded(11, (uint64_t)i);
    size_t at = stac_random_u64(&r) % size, other = stac_random_u64(&r) % size;
    if (i < FLIPS) {
        int bit = (int)(stac_random_u64(&r) % 8);
        if (i < FLIPS / 4) at %= 4096; /* where most of the structure is */
        copy[at] ^= (uint8_t)(1 << bit);
        snprintf(what, room, "bit %d of byte %zu flipped", bit, at);
        return size;
    }
    if ((i -= FLIPS) < CUTS) {
        size_t left = i < 100 ? (size_t)i : i < 200 ? size - 200 + (size_t)i : at; /* both ends, byte by byte */
        snprintf(what, room, "cut to %zu bytes", left);
        return left;
    }
    size_t block = (i -= CUTS) % 2 ? 16 : 512;
    at = at / block * block, other = other / block * block;
    if (at + block > size) block = size - at;
    if (i < WIPES) {
        memset(copy + at, i % 3 == 0 ? 0xff : 0, block);
        snprintf(what, room, "%zu bytes wiped at %zu", block, at);
        return size;
    }
    if (other + block > size) block = size - other;
    for (size_t k = 0; k < block; k++) {
        uint8_t held = copy[at + k];
        copy[at + k] = copy[other + k];
        copy[other + k] = held;
    }
    snprintf(what, room, "%zu bytes at %zu and %zu swapped", block, at, other);
    return size;
}

/* ---- the reader ------------------------------------------------------------------------------------------------- */

/* 'd' the damage was detected; 'h' harmless: the same network was read; 's' silently another one; '?' another failure. */
static char look_at(const struct fx_stored *whole, const char *path, char *what, size_t room) {
    struct stac_error err = {0};
    struct fx_stored read;
    int status = fx_stored_open(&read, path, &err);
    if (status == STAC_ERR_INPUT || status == STAC_ERR_IO) {
        if (*err.text && !strchr(err.text, '\n')) return 'd';
        snprintf(what, room, "no line of text: \"%s\"", err.text);
        return '?';
    }
    if (status != STAC_OK) {
        snprintf(what, room, "status %d: %s", status, err.text);
        return '?';
    }
    const char *differs = fx_stored_differ(whole, &read);
    fx_stored_close(&read);
    if (differs) snprintf(what, room, "%s differs", differs);
    return differs ? 's' : 'h';
}

/* Read damaged copies of folder/whole.h5 from number `first` on, and answer on standard output. */
static int reader(const char *folder, int first) {
    struct stac_error err = {0};
    struct fx_folder f;
    struct fx_stored whole;
    struct stac_mapping map = {0};
    snprintf(f.path, sizeof f.path, "%s", folder);
    if (fx_stored_open(&whole, fx_path(&f, "whole.h5"), &err) != STAC_OK ||
        stac_file_map(fx_path(&f, "whole.h5"), &map, &err) != STAC_OK)
        return 3;
    uint8_t *copy = malloc(map.size);
    for (int i = first; i < DAMAGES; i++) {
        char done[80], found[1024] = "";
        memcpy(copy, map.data, map.size);
        size_t left = damage(copy, map.size, i, done, sizeof done);
        bool same = left == map.size && memcmp(copy, map.data, left) == 0; /* zeros wiped, equal blocks swapped */
        fx_write(&f, "damaged.h5", copy, left);
        char answer = same ? 'n' : look_at(&whole, fx_path(&f, "damaged.h5"), found, sizeof found);
        if (answer == 's' || answer == '?') fprintf(stderr, "damage %d, %s: %s\n", i, done, found);
        if (left < map.size && answer == 'h')
            fprintf(stderr, "damage %d, %s: read as if it were whole\n", i, done), answer = 's';
        if (write(STDOUT_FILENO, &answer, 1) != 1) return 3;
    }
    free(copy);
    stac_file_unmap(&map);
    fx_stored_close(&whole);
    return 0;
}

/* ---- the parent ------------------------------------------------------------------------------------------------- */

struct tally {
    int detected, harmless, none, silent, other, hung, crashed;
};

static pid_t start_reader(const char *folder, int first, int *answers) {
    int ends[2];
    char number[16];
    snprintf(number, sizeof number, "%d", first);
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]), close(ends[1]);
        execl("/proc/self/exe", "test_store_damage", "--read", folder, number, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *answers = ends[0];
    return pid;
}

/* All answers of one reader, which began at `next`. Returns the number that comes after the last one it dealt with. */
static int listen_to(int answers, pid_t pid, int next, struct tally *t) {
    for (;;) {
        char answer;
        struct pollfd p = {.fd = answers, .events = POLLIN};
        int ready = poll(&p, 1, PATIENCE_MS), status;
        if (ready == 0) {
            print_error("damage %d: no answer after %d s\n", next, PATIENCE_MS / 1000);
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            t->hung++;
            return next + 1;
        }
        if (read(answers, &answer, 1) == 1) {
            next++;
            t->detected += answer == 'd', t->harmless += answer == 'h', t->none += answer == 'n';
            t->silent += answer == 's', t->other += answer == '?';
            continue;
        }
        assert_true(waitpid(pid, &status, 0) == pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && next == DAMAGES) return next;
        print_error("damage %d: the reader ended with status 0x%x\n", next, (unsigned)status);
        t->crashed++;
        return next + 1;
    }
}

static void damage_is_found_or_harmless(void **state) {
    const struct fx_folder *f = *state;
    static const char *const names[] = {"gpt2-1head-relu", "llama-wide-heads-bf16"};
    for (size_t m = 0; m < sizeof names / sizeof *names; m++) {
        struct stac_error err = {0};
        struct fx_spiking s;
        struct tally t = {0};
        struct stac_mapping map = {0};
        fx_spiking_make(&s, names[m], 16, 8);
        OK(fx_store(&s, fx_path(f, "whole.h5"), &err));
        fx_spiking_clean(&s);
        OK(stac_file_map(fx_path(f, "whole.h5"), &map, &err));
        for (int next = 0; next < DAMAGES && t.hung + t.crashed < 20;) {
            int answers;
            pid_t pid = start_reader(f->path, next, &answers);
            next = listen_to(answers, pid, next, &t);
            close(answers);
        }
        printf("%s, %zu bytes: of %d damages (%d flips, %d cuts, %d wipes, %d swaps) %d detected, %d harmless, %d none at all, "
               "%d silent, %d otherwise wrong, %d hung, %d crashed\n",
               names[m], map.size, DAMAGES, FLIPS, CUTS, WIPES, SWAPS, t.detected, t.harmless, t.none, t.silent, t.other,
               t.hung, t.crashed);
        stac_file_unmap(&map);
        assert_int_equal(t.silent + t.other + t.hung + t.crashed, 0);
        assert_int_equal(t.detected + t.harmless + t.none, DAMAGES);
        assert_true(t.detected > FLIPS / 2); /* most of the file matters */
    }
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "--read") == 0) return reader(argv[2], atoi(argv[3]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damage_is_found_or_harmless, fx_folder_make, fx_folder_remove),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
