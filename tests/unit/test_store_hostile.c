/* store/: files made to harm their reader are refused in one line, at once and without taking memory on their word. */
#include "unit.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <zlib.h>

#include "base/hash.h"
#include "base/memory.h"
#include "fixture_files.h"
#include "fixture_hdf5.h"
#include "store/windows_file.h"

enum { WINDOWS = 4, LENGTH = 4096, BOMB = 256 << 20 };

static int32_t tokens[WINDOWS * LENGTH];

/* A whole file, of which the datasets and links below take the place of its tokens. */
static const char *write_whole(const struct fx_folder *f) {
    struct stac_error err = {0};
    const char *path = fx_path(f, "windows.h5");
    for (int i = 0; i < WINDOWS * LENGTH; i++) tokens[i] = i % 61;
    struct stac_windows w = {.n = WINDOWS, .length = LENGTH, .n_vocab = 61, .tokens = tokens, .source = "text"};
    OK(stac_windows_write(path, &w, &err));
    return path;
}

static hid_t open_without_tokens(const char *path) {
    hid_t file = fx_h5_edit(path);
    assert_true(H5Ldelete(file, "/tokens", H5P_DEFAULT) >= 0);
    return file;
}

/* It must be refused, or read as what it was: in no time, and with no more memory than such a file needs. */
static void assert_harmless(const char *path, const char *part) {
    struct stac_error err = {0};
    struct stac_windows w = {0};
    struct timespec from, to;
    size_t before = stac_peak_memory();
    clock_gettime(CLOCK_MONOTONIC, &from);
    FAILS(stac_windows_read(path, &w, &err), STAC_ERR_INPUT, part);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < 5);
    if (stac_peak_memory() - before > FX_MODEST) fail_msg("%s: %zu MiB more", part, (stac_peak_memory() - before) >> 20);
    assert_null(w.tokens);
}

/* /tokens of shape [WINDOWS][LENGTH] made with these properties; 48 tokens are written if `write`. */
static hid_t make_tokens(hid_t file, hid_t create, hid_t type, hid_t space, bool write) {
    hid_t set = H5Dcreate2(file, "/tokens", type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    assert_true(set >= 0);
    if (write) assert_true(H5Dwrite(set, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, tokens) >= 0);
    H5Pclose(create);
    H5Sclose(space);
    return set;
}

static hid_t usual_space(void) {
    return H5Screate_simple(2, (hsize_t[]){WINDOWS, LENGTH}, NULL);
}

static void finish(hid_t file, hid_t set) {
    uint64_t sum = stac_xxh3(tokens, sizeof tokens);
    hid_t scalar = H5Screate(H5S_SCALAR);
    hid_t seal = H5Acreate2(set, "xxh3", H5T_STD_U64LE, scalar, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(seal >= 0 && H5Awrite(seal, H5T_NATIVE_UINT64, &sum) >= 0);
    H5Aclose(seal);
    H5Sclose(scalar);
    H5Dclose(set);
    assert_true(H5Fclose(file) >= 0);
}

/* What it costs to make a file is not what it costs to read it, so another process makes it. */
static void make_apart(const char *path, void (*make)(const char *path)) {
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        make(path);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void make_giant_chunk(const char *path) {
    hid_t file = open_without_tokens(path), create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(2, (hsize_t[]){WINDOWS, LENGTH}, (hsize_t[]){H5S_UNLIMITED, H5S_UNLIMITED});
    H5Pset_chunk(create, 2, (hsize_t[]){WINDOWS, BOMB / WINDOWS / 4});
    H5Pset_deflate(create, 9);
    finish(file, make_tokens(file, create, H5T_STD_I32LE, space, true));
}

/* Chunks that are larger than their dataset, of zeros that take no room in the file. */
static void giant_chunks(void **state) {
    const char *path = write_whole(*state);
    make_apart(path, make_giant_chunk);
    assert_harmless(path, "/tokens");
}

static void make_bomb(const char *path) {
    hid_t file = open_without_tokens(path), create = H5Pcreate(H5P_DATASET_CREATE);
    uLongf packed = compressBound(BOMB);
    uint8_t *zeros = calloc(BOMB, 1), *bomb = malloc(packed);
    assert_int_equal(compress2(bomb, &packed, zeros, BOMB, 9), Z_OK);
    free(zeros);
    H5Pset_chunk(create, 2, (hsize_t[]){WINDOWS, LENGTH});
    H5Pset_deflate(create, 9);
    hid_t space = H5Screate_simple(2, (hsize_t[]){WINDOWS, LENGTH}, (hsize_t[]){H5S_UNLIMITED, LENGTH});
    hid_t set = make_tokens(file, create, H5T_STD_I32LE, space, false);
    if (H5Dwrite_chunk(set, H5P_DEFAULT, 0, (hsize_t[]){0, 0}, packed, bomb) < 0) H5Eprint2(H5E_DEFAULT, stderr);
    free(bomb);
    finish(file, set);
}

/* A chunk that unpacks to far more than its size. */
static void a_bomb(void **state) {
    const char *path = write_whole(*state);
    make_apart(path, make_bomb);
    assert_harmless(path, "/tokens");
}

/* Values that lie in another file; a pipe in which nothing will ever come. */
static void values_elsewhere(void **state) {
    const char *path = write_whole(*state), *pipe = fx_path(*state, "pipe");
    hid_t file = open_without_tokens(path), create = H5Pcreate(H5P_DATASET_CREATE);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    H5Pset_external(create, pipe, 0, sizeof tokens);
    finish(file, make_tokens(file, create, H5T_STD_I32LE, usual_space(), false));
    assert_harmless(path, "/tokens");
}

/* The same through a dataset that is a view of another. */
static void a_view(void **state) {
    const char *path = write_whole(*state);
    rename(path, fx_path(*state, "other.h5"));
    path = write_whole(*state);
    hid_t file = open_without_tokens(path), create = H5Pcreate(H5P_DATASET_CREATE), space = usual_space();
    assert_true(H5Pset_virtual(create, space, fx_path(*state, "other.h5"), "/tokens", space) >= 0);
    finish(file, make_tokens(file, create, H5T_STD_I32LE, space, false));
    assert_harmless(path, "/tokens");
}

static void a_link_elsewhere(void **state) {
    const char *path = write_whole(*state), *other = fx_path(*state, "other.h5");
    rename(path, other);
    path = write_whole(*state);
    hid_t file = open_without_tokens(path);
    assert_true(H5Lcreate_external(other, "/tokens", file, "/tokens", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Fclose(file) >= 0);
    assert_harmless(path, "/ has a link that leads elsewhere");
}

/* A filter that no file of ours has. */
static void other_filters(void **state) {
    const char *path = write_whole(*state);
    hid_t file = open_without_tokens(path), create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(create, 2, (hsize_t[]){WINDOWS, LENGTH});
    H5Pset_scaleoffset(create, H5Z_SO_INT, 8);
    finish(file, make_tokens(file, create, H5T_STD_I32LE, usual_space(), true));
    assert_harmless(path, "/tokens");
}

/* A number of sixty thousand bytes. */
static void giant_numbers(void **state) {
    const char *path = write_whole(*state);
    hid_t file = fx_h5_edit(path), type = H5Tcopy(H5T_STD_I64LE), scalar = H5Screate(H5S_SCALAR);
    size_t size = 60000;
    char *zeros = calloc(size, 1);
    assert_true(H5Tset_size(type, size) >= 0);
    assert_true(H5Adelete(file, "vocabulary") >= 0);
    hid_t a = H5Acreate2(file, "vocabulary", type, scalar, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(a >= 0 && H5Awrite(a, type, zeros) >= 0);
    free(zeros);
    H5Aclose(a);
    H5Tclose(type);
    H5Sclose(scalar);
    H5Fclose(file);
    assert_harmless(path, "an attribute of a kind that is not read here");
}

/* Texts go into JSON later. */
static void a_text_in_no_encoding(void **state) {
    const char *path = write_whole(*state);
    hid_t file = fx_h5_edit(path), a = H5Aopen(file, "source", H5P_DEFAULT), type = H5Aget_type(a);
    assert_true(H5Awrite(a, type, "te\xfft") >= 0);
    H5Tclose(type);
    H5Aclose(a);
    H5Fclose(file);
    assert_harmless(path, "source of / is not a text in UTF-8");
}

/* A file in the format of earlier versions, whose structures have no checksums: none of ours. */
static void the_old_format(void **state) {
    const char *path = write_whole(*state);
    unlink(path);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0 && H5Fclose(file) >= 0);
    assert_harmless(path, "not one of STAC");
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fx_folder_make, fx_folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(giant_chunks),  IN_FOLDER(a_bomb),           IN_FOLDER(values_elsewhere),
        IN_FOLDER(a_view),        IN_FOLDER(a_link_elsewhere), IN_FOLDER(other_filters),
        IN_FOLDER(giant_numbers), IN_FOLDER(the_old_format),   IN_FOLDER(a_text_in_no_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
