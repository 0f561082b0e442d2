/* model/hub: names of models, the cache of the Hugging Face tools, and names that try to leave it. */
#include "fixture_files.h"

#include "base/file.h"
#include "model/hub.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

/* Point all cache variables away from the machine's own; HF_HUB_CACHE at the test's folder. */
static int hub_make(void **state) {
    if (fx_folder_make(state) != 0) return -1;
    const struct fx_folder *f = *state;
    unsetenv("HF_HOME");
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", fx_path(f, "home"), 1);
    setenv("HF_HUB_CACHE", f->path, 1);
    return 0;
}

/* A file below the folder, with the folders that lead to it. */
static void put(const struct fx_folder *f, const char *name, const char *text) {
    struct stac_error err = {0};
    char folder[512];
    snprintf(folder, sizeof folder, "%s", fx_path(f, name));
    *strrchr(folder, '/') = 0;
    OK(stac_file_make_folder(folder, &err));
    fx_write_text(f, name, text);
}

static void assert_resolves(const char *name, const char *wanted) {
    struct stac_error err = {0};
    char *path;
    OK(stac_hub_resolve(name, &path, &err));
    assert_string_equal(path, wanted);
    free(path);
}

static void assert_refused(const char *name, const char *says) {
    struct stac_error err = {0};
    char *path;
    FAILS(stac_hub_resolve(name, &path, &err), STAC_ERR_INPUT, says);
    assert_null(path);
}

static void a_path_is_returned_as_it_is(void **state) {
    const struct fx_folder *f = *state;
    assert_resolves(f->path, f->path);
    put(f, "m.gguf", "x");
    assert_resolves(fx_path(f, "m.gguf"), fx_path(f, "m.gguf"));
    assert_resolves("/", "/");
}

static void the_revision_of_main_is_taken(void **state) {
    const struct fx_folder *f = *state;
    put(f, "models--org--name/snapshots/aaa/config.json", "{}");
    put(f, "models--org--name/snapshots/bbb/config.json", "{}");
    put(f, "models--org--name/refs/main", "bbb\n");
    assert_resolves("org/name", fx_path(f, "models--org--name/snapshots/bbb"));
    put(f, "models--plain/snapshots/ccc/config.json", "{}");
    assert_resolves("plain", fx_path(f, "models--plain/snapshots/ccc")); /* no refs/main: the only snapshot */
    unlink(fx_path(f, "models--org--name/refs/main"));
    assert_refused("org/name", "hf download org/name"); /* two snapshots, none is main */
}

static void a_snapshot_may_be_one_gguf_file(void **state) {
    const struct fx_folder *f = *state;
    put(f, "models--org--g/snapshots/aaa/g.Q8_0.gguf", "x");
    assert_resolves("org/g", fx_path(f, "models--org--g/snapshots/aaa/g.Q8_0.gguf"));
    put(f, "models--org--g/snapshots/aaa/g.F16.gguf", "x");
    assert_refused("org/g", "no whole model of that name");
    put(f, "models--org--h/snapshots/aaa/readme", "no model");
    assert_refused("org/h", "no whole model of that name");
}

static void short_names_are_known(void **state) {
    const struct fx_folder *f = *state;
    put(f, "models--distilbert--distilgpt2/snapshots/aaa/config.json", "{}");
    put(f, "models--HuggingFaceTB--SmolLM2-1.7B-Instruct/snapshots/bbb/config.json", "{}");
    assert_resolves("distilgpt2", fx_path(f, "models--distilbert--distilgpt2/snapshots/aaa"));
    assert_resolves("SmolLM2-1.7B-Instruct", fx_path(f, "models--HuggingFaceTB--SmolLM2-1.7B-Instruct/snapshots/bbb"));
    put(f, "models--distilgpt2/snapshots/ccc/config.json", "{}");
    assert_resolves("distilgpt2", fx_path(f, "models--distilgpt2/snapshots/ccc")); /* as older versions cached it */
    assert_refused("gpt2", "hf download openai-community/gpt2");
}

static void every_cache_is_searched_in_order(void **state) {
    const struct fx_folder *f = *state;
    put(f, "home/.cache/huggingface/hub/models--o--n/snapshots/h/config.json", "{}");
    assert_resolves("o/n", fx_path(f, "home/.cache/huggingface/hub/models--o--n/snapshots/h"));
    put(f, "xdg/huggingface/hub/models--o--n/snapshots/x/config.json", "{}");
    setenv("XDG_CACHE_HOME", fx_path(f, "xdg"), 1);
    assert_resolves("o/n", fx_path(f, "xdg/huggingface/hub/models--o--n/snapshots/x"));
    put(f, "hf/hub/models--o--n/snapshots/y/config.json", "{}");
    setenv("HF_HOME", fx_path(f, "hf"), 1);
    assert_resolves("o/n", fx_path(f, "hf/hub/models--o--n/snapshots/y"));
    put(f, "models--o--n/snapshots/z/config.json", "{}");
    assert_resolves("o/n", fx_path(f, "models--o--n/snapshots/z"));
}

static void what_is_missing_comes_with_the_command(void **state) {
    (void)state;
    assert_refused("org/name",
                   "there is no file or folder org/name, and no whole model of that name in the Hugging Face cache; "
                   "download it with: hf download org/name");
    unsetenv("HF_HUB_CACHE");
    unsetenv("HOME");
    assert_refused("distilgpt2", "hf download distilbert/distilgpt2");
}

static void names_that_are_no_names_are_refused(void **state) {
    static const char *const names[] = {
        "",     ".",     "..",         "../x",       "a/../b", "a/..",  "/absent/x", "a/b/c",         "a//b",
        "/a",   "a/",    "a b",        "a;rm -rf x", "$(x)/y", "-rf",   "org/-x",    ".hidden/x",     "a..b/c",
        "a\\b", "a/b\n", "\xc3\xa9/x", "org/name\"", "'x'",    "`x`/y", "a&b/c",     "models--a--b/*"};
    const struct fx_folder *f = *state;
    put(f, "models--x/snapshots/aaa/config.json", "{}");
    for (size_t i = 0; i < LENGTH(names); i++) {
        if (stac_file_exists(names[i])) continue; /* "." and ".." are paths */
        assert_refused(names[i], "it is no name of a model");
    }
    char long_name[512];
    memset(long_name, 'a', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    assert_refused(long_name, "it is no name of a model");
}

/* What the cache itself says is not believed either. */
static void a_revision_cannot_leave_the_cache(void **state) {
    static const char *const revisions[] = {"../../outside", "..", "", "a/b", "\n"};
    const struct fx_folder *f = *state;
    put(f, "outside/config.json", "{}");
    put(f, "models--org--name/config.json", "{}");
    put(f, "models--org--name/snapshots/a/b/config.json", "{}");
    put(f, "models--org--name/snapshots/c/config.json", "{}"); /* so that there is no only snapshot to fall back on */
    for (size_t i = 0; i < LENGTH(revisions); i++) {
        put(f, "models--org--name/refs/main", revisions[i]);
        assert_refused("org/name", "hf download org/name");
    }
    struct stac_strbuf large = {0};
    for (int i = 0; i < 1000; i++) fx_puts(&large, "a");
    put(f, "models--org--name/refs/main", large.data);
    assert_refused("org/name", "hf download org/name");
    stac_strbuf_clean(&large);
}

/* Results name where a model is, in JSON. */
static void a_cache_is_somewhere_in_utf8(void **state) {
    const struct fx_folder *f = *state;
    put(f, "\xff/models--o--n/snapshots/a/config.json", "{}");
    setenv("HF_HUB_CACHE", fx_path(f, "\xff"), 1);
    struct stac_error err = {0};
    char *path;
    FAILS(stac_hub_resolve("o/n", &path, &err), STAC_ERR_USAGE, "cache that holds o/n is not a text in UTF-8");
    assert_null(path);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, hub_make, fx_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_path_is_returned_as_it_is),         IN_FOLDER(the_revision_of_main_is_taken),
        IN_FOLDER(a_snapshot_may_be_one_gguf_file),     IN_FOLDER(short_names_are_known),
        IN_FOLDER(every_cache_is_searched_in_order),    IN_FOLDER(what_is_missing_comes_with_the_command),
        IN_FOLDER(names_that_are_no_names_are_refused), IN_FOLDER(a_revision_cannot_leave_the_cache),
        IN_FOLDER(a_cache_is_somewhere_in_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
