/* job/: the table of keys, values in every way they can be given, precedence, refusals, and what is printed reading back as
 * what it was. Files that are not as they should be: test_job_yaml.c. */
#include "unit.h"

#include <math.h>

#include "fixture_jobs.h"

static const enum stac_program programs[] = {STAC_CONVERT, STAC_EVAL, STAC_CHAT};
enum { PROGRAMS = 3 };

/* ---- values ----------------------------------------------------------------------------------------------------- */

static void defaults_are_as_promised(void **state) {
    (void)state;
    struct stac_job c = fresh(STAC_CONVERT), e = fresh(STAC_EVAL), h = fresh(STAC_CHAT);
    assert_string_equal(c.model_name, "");
    assert_string_equal(c.output_dir, "out/snn");
    assert_int_equal(c.mode, STAC_JOB_FULL);
    assert_int_equal(c.timesteps, 16);
    assert_true(c.spike_budget == 1.2);
    assert_int_equal(c.quantize_bits, 8);
    assert_int_equal(c.seed, 1);
    assert_int_equal(c.num_samples, 16);
    assert_int_equal(c.calibration_length, 512);
    assert_int_equal(c.max_context_length, 512);
    assert_int_equal(c.stages, 0);
    assert_int_equal(c.threads, 0);
    assert_false(c.force || c.verify || c.quiet);
    assert_string_equal(e.dir, c.output_dir); /* what stac-convert writes is what the others look at */
    assert_string_equal(h.dir, c.output_dir);
    assert_int_equal(e.mode, STAC_JOB_BOTH);
    assert_int_equal(e.execution, STAC_JOB_COUNT);
    assert_false(e.test_all || e.test_perplexity || e.test_fidelity || e.test_multi_turn || e.test_position_boundaries ||
                 e.test_attention_mask || e.test_temporal);
    assert_true(e.fidelity_ratio_max == 1.05 && e.fidelity_top1_min == 0.85);
    assert_int_equal(e.context + e.stride + e.limit_tokens, 0);
    assert_int_equal(h.max_new_tokens, 64);
    assert_true(h.temperature == 1 && h.top_p == 1);
    assert_int_equal(h.top_k, 20);
    for (struct stac_job *j = &c; j; j = j == &c ? &e : j == &e ? &h : NULL) { /* no text is NULL, whoever owns it */
        const char *texts[] = {j->model_name, j->output_dir, j->calibration_text, j->text, j->ids, j->logits_out, j->tokenize,
                               j->json,       j->dir};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_non_null(texts[i]);
        stac_job_clean(j);
    }
}

/* Some accepted value of a key that is not its default, as text: variant 0, 1, ... ; NULL: no more. */
static const char *some_value(const struct stac_key *key, int variant) {
    static char text[64];
    double inner = key->low + (key->high - key->low) / 3;
    switch (key->type) {
    case STAC_KEY_TEXT: return variant == 0 ? "a/b.txt" : variant == 1 ? "sch\xc3\xb6n_\xe2\x9c\x93_#:-[]{}" : NULL;
    case STAC_KEY_BOOL: return variant == 0 ? (strcmp(key->fallback, "true") == 0 ? "false" : "true") : NULL;
    case STAC_KEY_INT:
    case STAC_KEY_INTS: inner = floor(inner); /* fall through */
    case STAC_KEY_REALS:
    case STAC_KEY_REAL:
        snprintf(text, sizeof text, "%.17g", variant == 0 ? key->low : variant == 1 ? key->high : inner);
        return variant < 3 ? text : NULL;
    default: {
        const char *word = key->words;
        for (int i = 0; i < variant && word; i++) word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL;
        if (!word) return NULL;
        snprintf(text, sizeof text, "%.*s", (int)strcspn(word, "|"), word);
        return text;
    }
    }
}

/* What the value must have become. */
static void assert_value(const struct stac_job *job, const struct stac_key *key, const char *value) {
    const void *at = (const char *)job + key->offset;
    int64_t index = key->type == STAC_KEY_CHOICE ? *(const int64_t *)at : 0;
    if (stac_key_is_list(key->type)) {
        const struct stac_job_list *list = at;
        assert_int_equal(list->n, 1);
        index = (int64_t)list->at[0];
        if (!key->words) assert_true(list->at[0] == strtod(value, NULL));
        if (!key->words) return;
    }
    switch (key->type) {
    case STAC_KEY_TEXT: assert_string_equal(*(char *const *)at, value); break;
    case STAC_KEY_INT: assert_true(*(const int64_t *)at == (int64_t)strtod(value, NULL)); break;
    case STAC_KEY_REAL: assert_true(*(const double *)at == strtod(value, NULL)); break;
    case STAC_KEY_BOOL: assert_int_equal(*(const bool *)at, strcmp(value, "true") == 0); break;
    default: {
        const char *word = key->words;
        for (int64_t i = index; i > 0; i--) word = strchr(word, '|') + 1;
        assert_int_equal(strcspn(word, "|"), strlen(value));
        assert_int_equal(strncmp(word, value, strlen(value)), 0);
    }
    }
}

/* The ways to give a value; %1 is the key, %2 the value. */
enum way { YAML_PLAIN, YAML_QUOTED, YAML_FLOW, FLAG, FLAG_EQUALS, SET, SET_EQUALS, WAYS };

static void give(struct stac_job *job, enum way way, const char *key, const char *value) {
    struct stac_error err = {0};
    static const char *const form[WAYS] = {"%s: %s\n", "\"%s\": '%s'\n", "{%s: \"%s\"}", "--%s %s",
                                           "--%s=%s",  "--set %s=%s",    "--set=%s=%s"};
    char text[256];
    const char *path;
    snprintf(text, sizeof text, form[way], key, value);
    if (way <= YAML_FLOW)
        OK(yaml_of(job, text, strlen(text), &err));
    else
        OK(command_line(job, text, NULL, &path, &err));
}

static void every_key_takes_its_values_in_every_way(void **state) {
    (void)state;
    size_t n;
    int given = 0;
    const struct stac_key *key = stac_keys(&n);
    for (int p = 0; p < PROGRAMS; p++)
        for (size_t i = 0; i < n; i++) {
            if (!(key[i].programs & programs[p]) || key[i].planned) continue;
            for (int way = 0; way < WAYS; way++)
                for (int v = 0; some_value(&key[i], v); v++) {
                    const char *value = some_value(&key[i], v);
                    if (way == FLAG && key[i].type == STAC_KEY_BOOL) continue; /* a bare flag, tested below */
                    if (way == YAML_PLAIN && strchr(value, '#')) continue;
                    struct stac_job job = fresh(programs[p]), untouched = fresh(programs[p]);
                    give(&job, (enum way)way, key[i].name, value);
                    assert_value(&job, &key[i], value);
                    if (strcmp(key[i].name, "mode") == 0) untouched.num_samples = job.num_samples; /* follows from it */
                    assert_equal_jobs(&job, &untouched, &key[i]);
                    stac_job_clean(&job);
                    stac_job_clean(&untouched);
                    given++;
                }
        }
    printf("%d values given\n", given);
    assert_true(given > 900);
}

static void bare_flags_and_empty_values(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_job c = fresh(STAC_CONVERT), untouched = fresh(STAC_CONVERT), e = fresh(STAC_EVAL);
    const char *path;
    OK(command_line(&c, "--force --verify --quiet --simplified", NULL, &path, &err));
    assert_true(c.force && c.verify && c.quiet);
    assert_int_equal(c.mode, STAC_JOB_SIMPLIFIED);
    OK(command_line(&c, "--force=false --set verify=false --quiet=false --mode full", NULL, &path, &err));
    assert_equal_jobs(&c, &untouched, NULL);
    OK(command_line(&e, "DIR --test_all", NULL, &path, &err));
    assert_true(e.test_all);
    assert_string_equal(e.dir, "DIR");
    OK(yaml_of(&e, "dir: FILE\n", 10, &err));
    assert_string_equal(e.dir, "FILE");
    static const char nothing[] = "timesteps:\nspike_budget: ~\nmode: null\nmodel_name: ''\nforce:\nnum_samples:\n";
    /* the defaults */
    OK(command_line(&c, "--timesteps 9 --simplified", NULL, &path, &err));
    OK(yaml_of(&c, nothing, strlen(nothing), &err));
    assert_equal_jobs(&c, &untouched, NULL);
    stac_job_clean(&c), stac_job_clean(&untouched), stac_job_clean(&e);
}

static void the_command_line_overrides_the_file_and_later_flags_earlier_ones(void **state) {
    (void)state;
    static const char yaml[] = "timesteps: 8\nmode: full\nspike_budget: 0.5\nmodel_name: of the file\n";
    static const struct {
        const char *line;
        int64_t timesteps, mode;
        const char *model;
    } cases[] = {
        {"job.yaml", 8, STAC_JOB_FULL, "of the file"},
        {"job.yaml --timesteps 9", 9, STAC_JOB_FULL, "of the file"},
        {"--timesteps 9 job.yaml", 9, STAC_JOB_FULL, "of the file"}, /* wherever the file stands */
        {"--timesteps 9 job.yml --timesteps 10", 10, STAC_JOB_FULL, "of the file"},
        {"--set timesteps=9 job.yaml --timesteps=11 --set timesteps=12", 12, STAC_JOB_FULL, "of the file"},
        {"job.yaml --simplified", 8, STAC_JOB_SIMPLIFIED, "of the file"},
        {"--simplified job.yaml --mode full", 8, STAC_JOB_FULL, "of the file"},
        {"--model_name model.yaml job.yaml", 8, STAC_JOB_FULL, "model.yaml"}, /* a value is no job file */
        {"--set model_name=model.yaml job.yaml", 8, STAC_JOB_FULL, "model.yaml"},
        {"--force job.yaml", 8, STAC_JOB_FULL, "of the file"}, /* a bare flag takes no value */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_error err = {0};
        struct stac_job job = fresh(STAC_CONVERT);
        const char *path;
        OK(command_line(&job, cases[i].line, NULL, &path, &err)); /* once to learn the file's name */
        if (!path || strncmp(path, "job.y", 5) != 0) fail_msg("%s: the job file is %s", cases[i].line, path ? path : "none");
        OK(command_line(&job, cases[i].line, yaml, &path, &err));
        if (job.timesteps != cases[i].timesteps || job.mode != cases[i].mode || strcmp(job.model_name, cases[i].model) != 0)
            fail_msg("%s: timesteps %d, mode %d, model %s", cases[i].line, (int)job.timesteps, (int)job.mode, job.model_name);
        assert_true(job.spike_budget == 0.5);
        stac_job_clean(&job);
    }
    struct stac_error err = {0};
    struct stac_job job = fresh(STAC_CONVERT);
    const char *path;
    OK(command_line(&job, "--output_dir out.yaml", NULL, &path, &err));
    assert_null(path);
    assert_string_equal(job.output_dir, "out.yaml");
    stac_job_clean(&job);
}

/* ---- refusals of values ----------------------------------------------------------------------------------------- */

static const struct {
    const char *key, *value, *part;
} refused_values[] = {
    {"timesteps", "0", "timesteps is 0; accepted are 1 to 64 steps"},
    {"timesteps", "65", "timesteps is 65; accepted are 1 to 64 steps"},
    {"timesteps", "-1", "timesteps is -1; accepted"},
    {"timesteps", "1e9", "timesteps is 1000000000; accepted"},
    {"timesteps", "1e400", "must be a whole number"},
    {"timesteps", ".inf", "must be a whole number, not \".inf\""},
    {"timesteps", ".nan", "must be a whole number"},
    {"timesteps", "inf", "must be a whole number"},
    {"timesteps", "nan", "must be a whole number"},
    {"timesteps", "-infinity", "must be a whole number"},
    {"timesteps", "0x10", "must be a whole number"},
    {"timesteps", "0b10", "must be a whole number"},
    {"timesteps", "0o17", "must be a whole number"},
    {"timesteps", "16 ", "must be a whole number"},
    {"timesteps", " 16", "must be a whole number"},
    {"timesteps", "\t16", "must be a whole number"},
    {"timesteps", "\n16", "must be a whole number"},
    {"timesteps", "\v16", "must be a whole number"},
    {"timesteps", "16\r", "must be a whole number"},
    {"timesteps", "1 6", "must be a whole number"},
    {"timesteps", "16.5", "must be a whole number, not \"16.5\""},
    {"timesteps", "16,0", "must be a whole number"},
    {"timesteps", "1_6", "must be a whole number"},
    {"timesteps", "16k", "must be a whole number"},
    {"timesteps", "true", "must be a whole number"},
    {"timesteps", "", "must be a whole number, not \"\""},
    {"timesteps", "\xef\xbc\x91\xef\xbc\x96", "must be a whole number"}, /* full-width digits */
    {"seed", "-1", "seed is -1"},
    {"seed", "4294967296", "seed is 4294967296; accepted are 0 to 4294967295"},
    {"seed", "18446744073709551616", "seed is 1.84467440737e+19"},
    {"num_samples", "0", "num_samples is 0"},
    {"calibration_length", "7", "calibration_length is 7; accepted are 8 to 131072 tokens"},
    {"quantize_bits", "1", "quantize_bits is 1; accepted are 2 to 8 bits"},
    {"quantize_bits", "9", "quantize_bits is 9"},
    {"spike_budget", "0", "spike_budget is 0; accepted are 0.05 to 16 AC/MAC"},
    {"spike_budget", "16.000001", "accepted are 0.05 to 16"},
    {"spike_budget", "0.0499999", "accepted are 0.05 to 16"},
    {"spike_budget", "-1.2", "spike_budget is -1.2"},
    {"spike_budget", "nan", "must be a number"},
    {"spike_budget", "1e400", "must be a number"},
    {"spike_budget", "1.2.3", "must be a number"},
    {"spike_budget", "0x1p0", "must be a number"},
    {"spike_budget", "much", "must be a number, not \"much\""},
    {"force", "yes", "force must be true or false, not \"yes\""},
    {"force", "True", "must be true or false"},
    {"force", "1", "must be true or false"},
    {"force", "", "must be true or false"},
    {"mode", "Full", "mode must be one of full|simplified, not \"Full\""},
    {"mode", "full|simplified", "must be one of"},
    {"mode", "ful", "must be one of"},
    {"mode", "both", "must be one of full|simplified"}, /* a word of the other programs' key */
    {"mode", "", "must be one of"},
    {"code", "table", "code must be one of ternary"},
};

static void values_of_a_wrong_type_or_range_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused_values / sizeof *refused_values; i++) {
        struct stac_error err = {0};
        struct stac_job job = fresh(STAC_CONVERT), untouched = fresh(STAC_CONVERT);
        struct stac_strbuf yaml = {0};
        const char *key = refused_values[i].key, *value = refused_values[i].value;
        char *argv[] = {"stac-convert", "--set", NULL, NULL}, flag[80], pair[128];
        enum stac_job_request request;
        const char *path;
        FAILS(stac_job_set(&job, key, value, "here", &err), STAC_ERR_USAGE, refused_values[i].part);
        assert_int_equal(strncmp(err.text, "here: ", 6), 0);
        snprintf(pair, sizeof pair, "%s=%s", key, value);
        argv[2] = pair;
        FAILS(stac_job_command_line(&job, 3, argv, NULL, 0, &path, &request, &err), STAC_ERR_USAGE, refused_values[i].part);
        snprintf(flag, sizeof flag, "--%s=%s", key, value);
        argv[1] = flag;
        FAILS(stac_job_command_line(&job, 2, argv, NULL, 0, &path, &request, &err), STAC_ERR_USAGE, refused_values[i].part);
        snprintf(pair, sizeof pair, "--%s: ", key);
        assert_int_equal(strncmp(err.text, pair, strlen(pair)), 0);
        OK(stac_strbuf_printf(&yaml, &err, "# a comment\n\n  %s: \"", key)); /* double-quoted: the very same bytes */
        for (const char *c = value; *c; c++)
            OK((unsigned char)*c < 32 ? stac_strbuf_printf(&yaml, &err, "\\x%02x", *c) : stac_strbuf_add(&yaml, c, 1, &err));
        OK(stac_strbuf_puts(&yaml, "\"\n", &err));
        FAILS(yaml_of(&job, yaml.data, yaml.size, &err), STAC_ERR_USAGE, refused_values[i].part);
        snprintf(pair, sizeof pair, "job.yaml:3:%zu: ", strlen(key) + 5);
        if (strncmp(err.text, pair, strlen(pair)) != 0) fail_msg("\"%s\" does not begin with \"%s\"", err.text, pair);
        assert_equal_jobs(&job, &untouched, NULL);
        stac_strbuf_clean(&yaml);
        stac_job_clean(&job), stac_job_clean(&untouched);
    }
}

/* ---- refusals of the command line ------------------------------------------------------------------------------- */

static void bad_command_lines_are_refused(void **state) {
    (void)state;
    static const struct {
        enum stac_program program;
        const char *line, *part;
    } cases[] = {
        {STAC_CONVERT, "--timestep 16", "unknown flag --timestep; did you mean --timesteps?"},
        {STAC_CONVERT, "--timestep=16", "unknown flag --timestep; did you mean --timesteps?"},
        {STAC_CONVERT, "--model-name x", "did you mean --model_name?"},
        {STAC_CONVERT, "--quantise_bits 8", "did you mean --quantize_bits?"},
        {STAC_CONVERT, "--simplify", "unknown flag --simplify"},
        {STAC_CONVERT, "--simplified=true", "unknown flag --simplified"},
        {STAC_EVAL, "--simplified", "unknown flag --simplified"},
        {STAC_CHAT, "--timesteps 16", "unknown flag --timesteps"}, /* the file says how many */
        {STAC_CHAT, "--test_all", "unknown flag --test_all"},
        {STAC_CONVERT, "--", "unknown flag --"},
        {STAC_CONVERT, "--=x", "unknown flag --"},
        {STAC_CONVERT, "--timesteps", "--timesteps needs a value"},
        {STAC_CONVERT, "--force --model_name", "--model_name needs a value"},
        {STAC_CONVERT, "--set", "--set needs a value"},
        {STAC_CONVERT, "--set timesteps", "write --set key=value"},
        {STAC_CONVERT, "--set =16", "write --set key=value"},
        {STAC_CONVERT, "--set timestep=16", "--set: unknown key \"timestep\"; did you mean \"timesteps\"?"},
        {STAC_CONVERT, "--set layer_norm=spike", "layer_norm is refused: another norm"},
        {STAC_CONVERT, "model", "unexpected argument \"model\""},
        {STAC_CONVERT, "-n", "unexpected argument \"-n\""},
        {STAC_CONVERT, "--force false", "unexpected argument \"false\""},
        {STAC_EVAL, "one two", "unexpected argument \"two\""},
        {STAC_CHAT, "one two", "unexpected argument \"two\""},
        {STAC_CONVERT, "a.yaml b.yaml", "unexpected argument \"b.yaml\""},
        {STAC_CONVERT, "--timesteps --force", "must be a whole number, not \"--force\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_error err = {0};
        struct stac_job job = fresh(cases[i].program);
        const char *path;
        FAILS(command_line(&job, cases[i].line, "seed: 1\n", &path, &err), STAC_ERR_USAGE, cases[i].part);
        stac_job_clean(&job);
    }
    char *argv[] = {"stac-convert", NULL}, longest[5000]; /* a flag longer than any name */
    struct stac_error err = {0};
    struct stac_job job = fresh(STAC_CONVERT);
    enum stac_job_request request;
    const char *path;
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "--", 2);
    longest[sizeof longest - 1] = 0;
    argv[1] = longest;
    FAILS(stac_job_command_line(&job, 2, argv, NULL, 0, &path, &request, &err), STAC_ERR_USAGE, "unknown flag --xxx");
    char latin[] = "--model_name=sch\xf6n"; /* the job is recorded as UTF-8 */
    argv[1] = latin;
    FAILS(stac_job_command_line(&job, 2, argv, NULL, 0, &path, &request, &err), STAC_ERR_USAGE, "UTF-8");
    stac_job_clean(&job);
    job = fresh(STAC_EVAL);
    argv[1] = latin + strlen("--model_name=");
    FAILS(stac_job_command_line(&job, 2, argv, NULL, 0, &path, &request, &err), STAC_ERR_USAGE, "UTF-8");
    stac_job_clean(&job);
}

static void requests_win_over_everything(void **state) {
    (void)state;
    static const struct {
        const char *line;
        enum stac_job_request request;
    } cases[] = {{"--help", STAC_JOB_SHOW_HELP},
                 {"-h", STAC_JOB_SHOW_HELP},
                 {"--bad --flags --help", STAC_JOB_SHOW_HELP},
                 {"--reference", STAC_JOB_SHOW_REFERENCE},
                 {"missing.yaml --version", STAC_JOB_SHOW_VERSION},
                 {"--timesteps 16", STAC_JOB_RUN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_error err = {0};
        struct stac_job job = fresh(STAC_CONVERT);
        char copy[64], *argv[8] = {"stac-convert"};
        int argc = 1;
        enum stac_job_request request;
        const char *path;
        snprintf(copy, sizeof copy, "%s", cases[i].line);
        for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
        OK(stac_job_command_line(&job, argc, argv, NULL, 0, &path, &request, &err));
        assert_int_equal(request, cases[i].request);
        stac_job_clean(&job);
    }
}

static void planned_keys_are_refused_with_what_they_wait_for(void **state) {
    (void)state;
    size_t n;
    int seen = 0;
    const struct stac_key *key = stac_keys(&n);
    for (int p = 0; p < PROGRAMS; p++)
        for (size_t i = 0; i < n; i++) {
            if (!(key[i].programs & programs[p]) || !key[i].planned) continue;
            struct stac_error err = {0};
            struct stac_job job = fresh(programs[p]), untouched = fresh(programs[p]);
            const char *path, *ways[] = {"--%s=%s", "--%s %s", "--set %s=%s"};
            char text[160];
            for (size_t w = 0; w < 3; w++) {
                if (w == 1 && key[i].type == STAC_KEY_BOOL) continue;
                snprintf(text, sizeof text, ways[w], key[i].name, key[i].fallback); /* even at its default */
                FAILS(command_line(&job, text, NULL, &path, &err), STAC_ERR_USAGE, key[i].planned);
            }
            snprintf(text, sizeof text, "%s:\n", key[i].name);
            FAILS(yaml_of(&job, text, strlen(text), &err), STAC_ERR_USAGE, key[i].planned);
            snprintf(text, sizeof text, "%s is refused: ", key[i].name);
            assert_non_null(strstr(err.text, text));
            assert_equal_jobs(&job, &untouched, NULL);
            stac_job_clean(&job), stac_job_clean(&untouched);
            seen++;
        }
    printf("%d planned keys\n", seen);
}

/* ---- what is printed -------------------------------------------------------------------------------------------- */

static void the_reference_reads_back_as_the_defaults(void **state) {
    (void)state;
    for (int p = 0; p < PROGRAMS; p++) {
        struct stac_error err = {0};
        struct stac_strbuf b = {0};
        struct stac_job job = fresh(programs[p]), untouched = fresh(programs[p]);
        size_t n;
        const struct stac_key *key = stac_keys(&n);
        OK(stac_job_reference(programs[p], &b, &err));
        for (size_t i = 0; i < n; i++) { /* every key is there, planned ones as comments */
            char line[80];
            if (!(key[i].programs & programs[p])) continue;
            snprintf(line, sizeof line, "\n%s%s: ", key[i].planned ? "# " : "", key[i].name);
            if (!strstr(b.data, line)) fail_msg("the reference lacks %s", key[i].name);
        }
        OK(yaml_of(&job, b.data, b.size, &err));
        assert_equal_jobs(&job, &untouched, NULL);
        stac_job_clean(&job), stac_job_clean(&untouched);
        stac_strbuf_clean(&b);
    }
}

static void help_names_every_key_and_flag(void **state) {
    (void)state;
    for (int p = 0; p < PROGRAMS; p++) {
        struct stac_error err = {0};
        struct stac_strbuf b = {0};
        size_t n;
        const struct stac_key *key = stac_keys(&n);
        OK(stac_job_help(programs[p], &b, &err));
        for (size_t i = 0; i < n; i++) {
            char text[160];
            if (!(key[i].programs & programs[p])) continue;
            snprintf(text, sizeof text, "\n  --%s   (", key[i].name);
            if (!strstr(b.data, text)) fail_msg("the help lacks --%s", key[i].name);
            if (key[i].planned && !strstr(b.data, key[i].planned)) fail_msg("the help does not say that %s waits", key[i].name);
        }
        static const char *const others[] = {"--set key=value", "--reference", "--help",
                                             "--version",       "Precedence",  "Exit code"};
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) assert_non_null(strstr(b.data, others[i]));
        assert_int_equal(strstr(b.data, "--simplified") != NULL, programs[p] == STAC_CONVERT);
        for (const char *line = b.data; *line; line += strcspn(line, "\n") + 1)
            if (strcspn(line, "\n") > 128) fail_msg("a long line: %.160s", line);
        stac_strbuf_clean(&b);
    }
}

/* Texts that are hard to quote. */
static const char *const awkward[] = {
    "plain",
    "",
    " ",
    "  two  ",
    "\"quoted\"",
    "'single'",
    "back\\slash",
    "\\",
    "\\\"",
    "a\nb",
    "\n",
    "tab\there",
    "cr\rlf\n",
    "# no comment",
    "key: value",
    "- list",
    "[a, b]",
    "{a: b}",
    "*alias",
    "&anchor",
    "!tag",
    "%directive",
    "@at",
    "`tick`",
    "|",
    ">",
    "~",
    "null",
    "true",
    "16",
    "0x10",
    "---",
    "...",
    "?",
    ":",
    ",",
    "sch\xc3\xb6n",
    "\xe6\xbc\xa2\xe5\xad\x97",
    "\xf0\x9f\x90\x9d bee",
    "\x01\x02\x1b\x7f",
    "\xc2\x80\xc2\x85\xc2\x9f",
    "\xe2\x80\xa8\xe2\x80\xa9",
    "\xef\xbb\xbf mark",
    "\xef\xbf\xbe",
    "trailing\n\n",
    "a\n\n  b",
    "end\\",
    "\xc2\xa0",
};

static void a_printed_job_reads_back_equal(void **state) {
    (void)state;
    static const double reals[] = {1.2, 0.05, 16, 1.0 / 3, 0.1 + 0.2, 1.0000000000000002, 15.999999999999998, 0.07};
    int printed = 0;
    for (size_t i = 0; i < sizeof awkward / sizeof *awkward; i++)
        for (int p = 0; p < PROGRAMS; p++) {
            struct stac_error err = {0};
            struct stac_strbuf b = {0};
            struct stac_job job = fresh(programs[p]), again = fresh(programs[p]);
            OK(stac_job_set(&job, "model_name", awkward[i], "here", &err));
            OK(stac_job_set(&job, "seed", "4294967295", "here", &err));
            if (programs[p] == STAC_CONVERT) {
                OK(stac_job_set(&job, "calibration_text", awkward[i], "here", &err));
                OK(stac_job_set(&job, "mode", i % 2 ? "simplified" : "full", "here", &err));
                OK(stac_job_set(&job, "verify", "true", "here", &err));
                job.spike_budget = reals[i % 8];
            } else {
                OK(stac_job_set(&job, "mode", i % 2 ? "snn" : "baseline", "here", &err));
                job.temperature = reals[i % 8];
            }
            OK(stac_job_print(&job, &b, &err));
            OK(yaml_of(&again, b.data, b.size, &err));
            assert_equal_jobs(&again, &job, NULL);
            stac_strbuf_clean(&b);
            OK(stac_job_print(&again, &b, &err)); /* and prints the same */
            stac_job_clean(&job), stac_job_clean(&again);
            stac_strbuf_clean(&b);
            printed++;
        }
    printf("%d jobs printed and read\n", printed);
}

/* What changes no result is no part of the record, so equal results carry equal records. */
static void the_record_leaves_out_what_changes_no_result(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_strbuf a = {0}, b = {0};
    struct stac_job job = fresh(STAC_CONVERT);
    const char *path;
    OK(stac_job_print(&job, &a, &err));
    OK(command_line(&job, "--stages 3 --threads 2 --rank_memory 1 --force --quiet --use_sparse --output_dir elsewhere", NULL,
                    &path, &err));
    OK(stac_job_print(&job, &b, &err));
    assert_string_equal(a.data, b.data);
    stac_strbuf_clean(&b);
    OK(command_line(&job, "--timesteps 17", NULL, &path, &err));
    OK(stac_job_print(&job, &b, &err));
    assert_string_not_equal(a.data, b.data);
    stac_strbuf_clean(&a), stac_strbuf_clean(&b);
    stac_job_clean(&job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_promised),
        cmocka_unit_test(every_key_takes_its_values_in_every_way),
        cmocka_unit_test(bare_flags_and_empty_values),
        cmocka_unit_test(the_command_line_overrides_the_file_and_later_flags_earlier_ones),
        cmocka_unit_test(values_of_a_wrong_type_or_range_are_refused),
        cmocka_unit_test(bad_command_lines_are_refused),
        cmocka_unit_test(requests_win_over_everything),
        cmocka_unit_test(planned_keys_are_refused_with_what_they_wait_for),
        cmocka_unit_test(the_reference_reads_back_as_the_defaults),
        cmocka_unit_test(help_names_every_key_and_flag),
        cmocka_unit_test(a_printed_job_reads_back_equal),
        cmocka_unit_test(the_record_leaves_out_what_changes_no_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
