/* New codes for a stored network: designed from its file alone they are those that the conversion would have designed; and
 * files of calibration windows. */
#include "unit.h"

#include <math.h>

#include "convert/recode.h"
#include "fixture_hdf5.h"
#include "fixture_schemes.h"
#include "fixture_stores.h"
#include "store/windows_file.h"

#define BUDGET 0.9

/* A network with the codes of a budget, and the sensitivities behind them. */
static void convert_for_budget(struct fx_spiking *s, const char *name, int timesteps, double *expected) {
    struct stac_error err = {0};
    double sensitivity[64];
    struct stac_scheme scheme = fx_scheme(0, timesteps);
    fx_learn(name, 3, 40, &s->net, &s->stats);
    s->timesteps = timesteps;
    assert_true(s->stats.n_sites <= 64);
    for (int i = 0; i < s->stats.n_sites; i++) sensitivity[i] = 1 + 0.37 * i;
    s->plan = calloc((size_t)s->stats.n_sites, sizeof *s->plan);
    OK(stac_plan_budget(&s->stats, &scheme, sensitivity, BUDGET, s->stats.context, s->plan, expected, &err));
    OK(stac_quantise_network(&s->net, &s->stats, s->plan, timesteps, 8, &err));
}

/* Everything that is needed, out of an open file. */
static struct stac_recoding recoding_of(struct fx_stored *stored) {
    struct stac_error err = {0};
    struct stac_recoding r = {.ranks = &fx_ranks};
    r.plan = calloc((size_t)stac_site_count(&stored->snn.hp), sizeof *r.plan);
    OK(stac_snn_read_design(&stored->snn, &r.stats, r.plan, &err));
    return r;
}

static void the_same_request_gives_the_same_codes(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_scheme eight = fx_scheme(0, 8);
    for (int g = 1; g < FX_GOLDEN; g += 3) {
        struct fx_spiking s;
        struct fx_stored stored;
        double expected;
        const char *path = fx_path(f, "snn_model.h5");
        convert_for_budget(&s, fx_golden[g], 8, &expected);
        OK(fx_store(&s, path, &err));
        OK(fx_stored_open(&stored, path, &err));
        struct stac_recoding r = recoding_of(&stored);
        assert_int_equal(r.stats.context, 40);
        OK(stac_recode_plan(&r, &eight, BUDGET, &err));
        OK(stac_recode_network(&r, 8, &stored.net, &err));
        assert_true(r.expected_ac_per_mac == expected);
        assert_memory_equal(r.plan, s.plan, (size_t)s.stats.n_sites * sizeof *s.plan);
        const char *what = fx_networks_differ(&s.net, &stored.net);
        if (what) fail_msg("%s: %s differs", fx_golden[g], what);
        stac_recoding_clean(&r);
        fx_stored_close(&stored);
        fx_spiking_clean(&s);
    }
}

/* From T = 8 to others and back: as converted for them at once, weights included (they do not depend on the codes here). */
static void other_time_steps_are_those_of_a_conversion(void **state) {
    const struct fx_folder *f = *state;
    static const int timesteps[] = {4, 12, 8};
    struct stac_error err = {0};
    struct fx_spiking s, other;
    struct fx_stored stored;
    double expected;
    const char *path = fx_path(f, "snn_model.h5");
    convert_for_budget(&s, fx_golden[1], 8, &expected);
    OK(fx_store(&s, path, &err));
    OK(fx_stored_open(&stored, path, &err));
    struct stac_recoding r = recoding_of(&stored);
    for (int t = 0; t < 3; t++) {
        struct stac_scheme scheme = fx_scheme(0, timesteps[t]);
        OK(stac_recode_plan(&r, &scheme, BUDGET, &err));
        OK(stac_recode_network(&r, timesteps[t], &stored.net, &err));
        convert_for_budget(&other, fx_golden[1], timesteps[t], &expected);
        const char *what = fx_networks_differ(&other.net, &stored.net);
        if (what) fail_msg("T = %d: %s differs", timesteps[t], what);
        if (timesteps[t] >= 8) assert_true(expected > 0.99 * BUDGET && expected < 1.01 * BUDGET);
        fx_spiking_clean(&other);
    }
    struct stac_scheme beyond = fx_scheme(0, 65);
    FAILS(stac_recode_plan(&r, &beyond, BUDGET, &err), STAC_ERR_USAGE, "65");
    stac_recoding_clean(&r);
    fx_stored_close(&stored);
    fx_spiking_clean(&s);
}

/* Step weights on even ramps: integers that fit, where weights are behind a site; they come back out of a file. */
static void codes_of_8_bits_are_even_and_are_stored(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_spiking s;
    struct fx_stored stored, again;
    double expected;
    int even = 0;
    const char *path = fx_path(f, "snn_model.h5");
    convert_for_budget(&s, fx_golden[1], 16, &expected);
    OK(fx_store(&s, path, &err));
    OK(fx_stored_open(&stored, path, &err));
    struct stac_recoding r = recoding_of(&stored);
    struct stac_scheme narrow = fx_scheme(0, 16);
    narrow.code_bits = 8;
    OK(stac_recode_plan(&r, &narrow, BUDGET, &err));
    assert_true(r.expected_ac_per_mac > 0.99 * BUDGET && r.expected_ac_per_mac < 1.01 * BUDGET);
    OK(stac_recode_network(&r, 16, &stored.net, &err));
    for (int layer = 0; layer < stored.net.hp.n_layer; layer++) {
        for (int i = 0; i < STAC_SITE_HEAD_IN; i++) {
            const struct stac_code *code = &stored.net.block[layer].site[i].code;
            if (i == STAC_SITE_Q || i == STAC_SITE_P) continue;
            for (int l = 0; l < code->n_levels; l++) assert_true(code->levels.value[l] <= 127);
            even += code->base.curve > 0 && code->mantissa[code->base.heavy + 1] == 0;
        }
    }
    assert_true(even > 0);
    s.plan = memcpy(s.plan, r.plan, (size_t)r.stats.n_sites * sizeof *r.plan);
    OK(stac_recode_network(&r, 16, &s.net, &err));
    OK(fx_store(&s, path, &err));
    OK(fx_stored_open(&again, path, &err));
    const char *what = fx_networks_differ(&again.net, &stored.net);
    if (what) fail_msg("%s differs", what);
    narrow.timesteps = 64;
    FAILS(stac_recode_plan(&r, &narrow, BUDGET, &err), STAC_ERR_USAGE, "no code of 64 time steps fits integers up to 127");
    fx_stored_close(&again);
    stac_recoding_clean(&r);
    fx_stored_close(&stored);
    fx_spiking_clean(&s);
}

static void a_file_without_sensitivities_says_so(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_spiking s;
    struct fx_stored stored;
    struct stac_statistics stats;
    const char *path = fx_path(f, "snn_model.h5");
    fx_spiking_make(&s, fx_golden[0], 8, 8); /* a trial plan has none */
    OK(fx_store(&s, path, &err));
    OK(fx_stored_open(&stored, path, &err));
    FAILS(stac_snn_read_design(&stored.snn, &stats, s.plan, &err), STAC_ERR_INPUT,
          "holds no sensitivity for /block/000/attn_in");
    fx_stored_close(&stored);
    fx_spiking_clean(&s);
}

static void set_real(const char *path, const char *group, const char *name, double value) {
    hid_t file = fx_h5_edit(path);
    hid_t space = H5Screate(H5S_SCALAR);
    assert_true(H5Adelete_by_name(file, group, name, H5P_DEFAULT) >= 0);
    hid_t attribute = H5Acreate_by_name(file, group, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_DOUBLE, &value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Fclose(file);
}

static void tampered_designs_are_refused(void **state) {
    const struct fx_folder *f = *state;
    static const char *const names[] = {"power", "sensitivity", "range"};
    static const double values[] = {0, -1, NAN, INFINITY, 1e300};
    struct stac_error err = {0};
    struct fx_spiking s;
    double expected;
    const char *path = fx_path(f, "snn_model.h5");
    convert_for_budget(&s, fx_golden[1], 8, &expected);
    for (int n = 0; n < 3; n++)
        for (int v = 0; v < 5; v++) {
            struct stac_snn snn;
            struct stac_statistics stats;
            OK(fx_store(&s, path, &err));
            set_real(path, "/block/001/mlp_in/calibration", names[n], values[v]);
            OK(stac_snn_open(path, &snn, &err));
            FAILS(stac_snn_read_design(&snn, &stats, s.plan, &err), STAC_ERR_INPUT, "/block/001/mlp_in/calibration");
            stac_snn_close(&snn);
        }
    fx_spiking_clean(&s);
}

static void calibration_windows_are_read_back(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    int32_t tokens[3 * 10];
    struct stac_windows w = {3, 10, 50, tokens, "texts of nobody"}, read;
    const char *path = fx_path(f, "windows.h5");
    fx_tokens(tokens, 30, 50, 4);
    OK(stac_windows_write(path, &w, &err));
    OK(stac_windows_read(path, &read, &err));
    assert_int_equal(read.n, 3), assert_int_equal(read.length, 10), assert_int_equal(read.n_vocab, 50);
    assert_memory_equal(read.tokens, tokens, sizeof tokens);
    assert_string_equal(read.source, "texts of nobody");
    stac_windows_clean(&read);
    tokens[17] = 50;
    OK(stac_windows_write(path, &w, &err));
    FAILS(stac_windows_read(path, &read, &err), STAC_ERR_INPUT, "token 17 of /tokens is 50; the vocabulary has 50");
    FAILS(stac_windows_read(fx_path(f, "none.h5"), &read, &err), STAC_ERR_IO, "none.h5");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_request_gives_the_same_codes, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(other_time_steps_are_those_of_a_conversion, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(codes_of_8_bits_are_even_and_are_stored, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(a_file_without_sensitivities_says_so, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(tampered_designs_are_refused, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(calibration_windows_are_read_back, fx_folder_make, fx_folder_remove),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
