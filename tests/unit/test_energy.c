/* eval/: sets of coefficients are read and refused by the line; the equations of the accounts; the bits of the rival; and the
 * checks of energy and spike rates see networks that are broken. */
#include "unit.h"

#include <dirent.h>
#include <math.h>

#include "energy/energy.h"
#include "energy/rival.h"
#include "eval/spike_rates.h"
#include "fixture_networks.h"

/* ---- coefficients ------------------------------------------------------------------------------------------------- */

static const char operations[] = "name: test\nformat: FP32\n"
                                 "mac: {value: 4.6, unit: pJ, source: a}\n"
                                 "ac: {value: 0.9, unit: pJ, source: a}\n"
                                 "int_multiply: {value: 0.2, unit: pJ, source: a}\n"
                                 "int_add: {value: 0.1, unit: pJ, source: a}\n";

static void every_kept_set_is_read(void **state) {
    char path[1100];
    struct stac_error err = {0};
    struct stac_energy_model built_in, m;
    int sets = 0, with_memory = 0;
    (void)state;
    OK(stac_energy_model_read("", &built_in, &err));
    DIR *folder = opendir(STAC_TEST_DATA "/../configs/energy");
    assert_non_null(folder);
    for (struct dirent *d; (d = readdir(folder));) {
        if (!strstr(d->d_name, ".yaml")) continue;
        snprintf(path, sizeof path, "%s/../configs/energy/%s", STAC_TEST_DATA, d->d_name);
        OK(stac_energy_model_read(path, &m, &err));
        assert_true(m.has_rest && m.c[STAC_PJ_MAC] > m.c[STAC_PJ_AC]);
        assert_true(strncmp(d->d_name, m.name, strlen(m.name)) == 0 && strlen(d->d_name) == strlen(m.name) + 5);
        if (strcmp(m.name, built_in.name) == 0) assert_memory_equal(&m, &built_in, sizeof m);
        sets++, with_memory += m.has_memory;
    }
    closedir(folder);
    assert_true(sets >= 4 && with_memory >= 1 && sets > with_memory && built_in.has_memory);
}

static void bad_sets_are_refused_by_their_line(void **state) {
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"[1, 2]\n", "set:1:1: a set of coefficients is one mapping"},
        {"name: x\nformat: FP32\n", "set:1:1: the coefficient mac is missing"},
        {"name: x\nmac: {value: 1, unit: pJ}\n", "set:2:1: mac has no source"},
        {"name: x\nmac: {value: 1, unit: nJ, source: a}\n", "set:2:1: the unit of mac is pJ, not nJ"},
        {"name: x\nmac: {value: -1, unit: pJ, source: a}\n", "set:2:1: not a number from 0 to 1e9: -1"},
        {"name: x\nmac: {value: nan, unit: pJ, source: a}\n", "set:2:1: not a number"},
        {"name: x\nmac: {value: 1 2, unit: pJ, source: a}\n", "set:2:1: not a number"},
        {"name: x\nmac: 4.6\n", "set:2:6: a number is written as {value: ..., unit: ..., source: ...}"},
        {"name: x\nmac: {value: 1, cost: 2}\n", "set:2:17: value, unit and source belong here, not cost"},
        {"name: x\nmac: {value: 1, value: 2}\n", "set:2:17: twice there: value"},
        {"name: x\nwatts: 3\n", "set:2:1: unknown coefficient watts"},
        {"name: x\nname: y\n", "set:2:1: twice there: name"},
        {"name: x\nmac: {value: 1\n", "not valid YAML"},
        {"name: x\nmac: {value: [1], unit: pJ, source: a}\n", "set:2:14: a plain value is expected"},
    };
    struct stac_energy_model m;
    struct stac_error err = {0};
    char text[2000];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        FAILS(stac_energy_model_parse("set", bad[i].text, strlen(bad[i].text), &m, &err), STAC_ERR_USAGE, bad[i].says);
    FAILS(stac_energy_model_parse("set", "", 0, &m, &err), STAC_ERR_USAGE, "holds no keys");
    OK(stac_energy_model_parse("set", operations, strlen(operations), &m, &err));
    assert_true(!m.has_rest && !m.has_memory && m.c[STAC_PJ_MAC] == 4.6 && strcmp(m.name, "test") == 0);
    snprintf(text, sizeof text, "%smac: {value: 1, unit: pJ, source: a}\n", operations);
    FAILS(stac_energy_model_parse("set", text, strlen(text), &m, &err), STAC_ERR_USAGE, "set:7:1: twice there: mac");
    snprintf(text, sizeof text, "%sadd: {value: 1, unit: pJ, source: a}\n", operations);
    FAILS(stac_energy_model_parse("set", text, strlen(text), &m, &err), STAC_ERR_USAGE, "multiply is missing");
    FAILS(stac_energy_model_read("/nonexistent/set.yaml", &m, &err), STAC_ERR_IO, "/nonexistent/set.yaml");
}

static void names_of_sets_are_shown_on_one_line(void **state) {
    struct stac_energy_model m;
    struct stac_error err = {0};
    char text[2000];
    (void)state;
    snprintf(text, sizeof text, "name: \"a\\e[31m\\nb\"\nformat: \"F\\x9bP\"\n%s", strstr(operations, "mac:"));
    OK(stac_energy_model_parse("set", text, strlen(text), &m, &err));
    assert_string_equal(m.name, "a [31m b");
    assert_string_equal(m.format, "F  P");
}

/* ---- equations ---------------------------------------------------------------------------------------------------- */

/* Coefficients that tell what went in: powers of ten. */
static struct stac_energy_model made_up(void) {
    struct stac_energy_model m = {.name = "made up", .format = "FP32", .has_rest = true, .has_memory = true};
    m.c[STAC_PJ_MAC] = 4, m.c[STAC_PJ_AC] = 1, m.c[STAC_PJ_INT_MULTIPLY] = 0.8, m.c[STAC_PJ_INT_ADD] = 0.1;
    m.c[STAC_PJ_ADD] = 1, m.c[STAC_PJ_MULTIPLY] = 10, m.c[STAC_PJ_SPECIAL] = 100, m.c[STAC_PJ_COMPARE] = 0.01;
    m.c[STAC_PJ_SHIFT] = 0.02, m.c[STAC_PJ_LOOKUP] = 5, m.c[STAC_PJ_SRAM] = 0.5, m.c[STAC_PJ_DRAM] = 50;
    m.c[STAC_PJ_ACCUMULATOR] = 3, m.c[STAC_WEIGHT_BYTES] = 4;
    return m;
}

static bool is(double a, double b) {
    return fabs(a - b) <= 1e-9 * fabs(b);
}

static void accounts_are_the_equations_of_the_header(void **state) {
    struct stac_energy_model m = made_up();
    struct stac_counts dense = {.values = 10, .macs = 200, .outputs = 20, .streamed = 800, .fetched = 800};
    struct stac_counts snn = {.values = 10,
                              .spikes = 12,
                              .acs = 240,
                              .macs = 200,
                              .covered = 200,
                              .multiplies = 7,
                              .lookups = 10,
                              .updates = 160,
                              .scaled = 10,
                              .active = 9,
                              .outputs = 20,
                              .sums = 40,
                              .shifts = 30,
                              .touched = 180,
                              .fetched = 150,
                              .streamed = 200,
                              .stored = 6};
    dense.rest[STAC_REST_NORM] = snn.rest[STAC_REST_NORM] = 10;
    dense.rest[STAC_REST_EMBEDDING] = 5;
    snn.rest[STAC_REST_HADAMARD] = 8;
    struct stac_bill b = {{{0}}};
    (void)state;
    stac_bill_add(&m, &(struct stac_site_work){&dense, &snn, 4, 2}, &b);
    const double *d = b.pj[STAC_DENSE], *s = b.pj[STAC_SPIKING], *r = b.pj[STAC_RIVAL], *i = b.pj[STAC_SPIKING_INTEGER];
    assert_true(is(d[STAC_CHARGE_PRODUCTS], 800) && is(s[STAC_CHARGE_PRODUCTS], 240) && is(i[STAC_CHARGE_PRODUCTS], 24));
    assert_true(is(r[STAC_CHARGE_PRODUCTS], 200 * (0.8 / 2 + 0.1)));
    assert_true(d[STAC_CHARGE_NEURONS] == 0 && is(s[STAC_CHARGE_NEURONS], 20 * 11 + 160 * 1.01 + 10 * 5));
    assert_true(is(r[STAC_CHARGE_NEURONS], 10 * 12 + 10 * 11));
    assert_true(d[STAC_CHARGE_DECODING] == 0 && is(s[STAC_CHARGE_DECODING], 20 * 21 + 7 * 10 + 40 * 0.1 + 30 * 0.02));
    assert_true(is(r[STAC_CHARGE_DECODING], 20 * 21));
    assert_true(is(d[STAC_CHARGE_REST], 10 * 22 + 5) && is(s[STAC_CHARGE_REST], 10 * 22 + 8) &&
                is(r[STAC_CHARGE_REST], 10 * 22 + 5 + 4));
    assert_true(is(d[STAC_CHARGE_MAIN_MEMORY], 50 * (800 + 20)) && is(s[STAC_CHARGE_MAIN_MEMORY], 50 * 156) &&
                is(r[STAC_CHARGE_MAIN_MEMORY], 50 * (206. / 2 + 20)));
    assert_true(is(d[STAC_CHARGE_BUFFERS], 0.5 * (800 + 80 + 160)) &&
                is(s[STAC_CHARGE_BUFFERS], 0.5 * (240 + 48 + 160) + 720) && is(r[STAC_CHARGE_BUFFERS], 0.5 * (200 + 10 + 160)));
    assert_true(is(stac_bill_sum(&m, &b, STAC_DENSE, STAC_OPERATIONS), 800));
    assert_true(is(stac_bill_sum(&m, &b, STAC_DENSE, STAC_EVERYTHING), 800 + 225));
    assert_true(is(stac_bill_ratio(&m, &b, false, STAC_OPERATIONS), 800. / 240) &&
                is(stac_bill_ratio(&m, &b, true, STAC_OPERATIONS), 100. / 24));
    m.has_memory = false;
    assert_true(isnan(stac_bill_sum(&m, &b, STAC_DENSE, STAC_MEMORY)) && isnan(stac_bill_ratio(&m, &b, false, STAC_MEMORY)));
    assert_true(stac_bill_sum(&m, &b, STAC_DENSE, STAC_EVERYTHING) > 0);
}

/* ---- the rival ---------------------------------------------------------------------------------------------------- */

static void the_rival_has_the_bits_of_its_error(void **state) {
    struct stac_random random = stac_random_seeded(7, 7);
    struct stac_histogram *h = calloc(1, sizeof *h);
    struct stac_error err = {0};
    double bits, before = 0;
    (void)state;
    h->range = 8;
    for (int i = 0; i < 200000; i++) {
        float x = fabsf((float)stac_random_normal(&random));
        stac_histogram_add(h, &x, 1);
    }
    /* Max (1960), uniform quantisers of a Gaussian of power 1: 15, 31 and 63 levels have 0.01316, 0.00371 and 0.00104 or so */
    OK(stac_rival_bits(h, true, 0.0132, &bits, &err));
    assert_true(fabs(bits - 4) < 0.05);
    OK(stac_rival_bits(h, true, 0.00371, &bits, &err));
    assert_true(fabs(bits - 5) < 0.05);
    OK(stac_rival_bits(h, true, 0.0070, &bits, &err)); /* half way, in dB */
    assert_true(bits > 4.4 && bits < 4.6);
    for (double d = 0.2; d > 1e-11; d /= 2) {
        OK(stac_rival_bits(h, true, d, &bits, &err));
        assert_true(bits >= before && bits >= 2 && bits <= STAC_RIVAL_MOST_BITS);
        before = bits;
    }
    assert_true(before == STAC_RIVAL_MOST_BITS);
    free(h);
}

/* ---- checks on networks ------------------------------------------------------------------------------------------- */

enum { LENGTH = 24, SITES = 64 };

/* A network, its dense twin, and what both did with a text. */
struct twins {
    struct fx_spiking spiking;
    struct stac_network dense;
    struct stac_job job;
    struct stac_subject subject;
    struct stac_energy energy;
    struct stac_spike_rates rates;
};

static void read_both(struct twins *t) {
    int32_t token[LENGTH];
    fx_tokens(token, LENGTH, t->dense.hp.n_vocab, 3);
    for (int p = 0; p < STAC_PHASES; p++) {
        struct stac_phase_work *w = &t->energy.phase[p];
        *w = (struct stac_phase_work){.tokens = LENGTH, .dense = w->dense, .spiking = w->spiking};
        free(fx_logits(&t->dense, STAC_MODE_DENSE, NULL, token, LENGTH, w->dense));
        free(fx_logits(&t->spiking.net, STAC_MODE_COUNT, NULL, token, LENGTH, w->spiking));
        for (int i = 0; i < t->energy.n_sites; i++) {
            struct stac_bill b = stac_energy_of_site(&t->energy, (enum stac_phase)p, i);
            for (int m = 0; m < STAC_MACHINES; m++)
                for (int c = 0; c < STAC_CHARGES; c++) w->total.pj[m][c] += b.pj[m][c];
        }
    }
    for (int i = 0; i < t->energy.n_sites; i++) {
        const struct stac_counts *c = &t->energy.phase[0].spiking[i];
        struct stac_spike_rate *r = &t->rates.site[i];
        *r = (struct stac_spike_rate){t->spiking.plan[i].expected.spikes, (double)c->spikes / (double)c->values, 4,
                                      STAC_RATE_FINE};
        r->fault = stac_rate_judge(r, t->job.spike_rate_factor);
    }
}

static int make_twins(void **state) {
    struct stac_error err = {0};
    struct stac_model *model;
    struct twins *t = calloc(1, sizeof *t);
    fx_spiking_make_at(&t->spiking, "llama-4heads-2kv-tied", 16, 8, 0.1);
    fx_open("llama-4heads-2kv-tied", &model);
    fx_load(model, &t->dense);
    stac_model_close(model);
    OK(stac_job_init(&t->job, STAC_EVAL, &err));
    t->subject = (struct stac_subject){.job = &t->job, .hp = t->dense.hp};
    t->job.energy_ratio_min = 0.5;
    t->job.spike_rate_factor = 3; /* random tokens on a random network */
    t->energy = (struct stac_energy){.measured = true, .passes = 1, .n_sites = stac_site_count(&t->dense.hp), .mean_bits = 5};
    t->rates = (struct stac_spike_rates){t->energy.n_sites, calloc(SITES, sizeof *t->rates.site)};
    OK(stac_energy_model_read("", &t->energy.model, &err));
    t->energy.bits = calloc(SITES, sizeof *t->energy.bits);
    for (int i = 0; i < SITES; i++) t->energy.bits[i] = 5;
    for (int p = 0; p < STAC_PHASES; p++) {
        t->energy.phase[p].dense = calloc(SITES, sizeof(struct stac_counts));
        t->energy.phase[p].spiking = calloc(SITES, sizeof(struct stac_counts));
    }
    read_both(t);
    *state = t;
    return t->energy.n_sites <= SITES ? 0 : -1;
}

static int remove_twins(void **state) {
    struct twins *t = *state;
    stac_energy_clean(&t->energy);
    stac_spike_rates_clean(&t->rates);
    stac_network_clean(&t->dense);
    fx_spiking_clean(&t->spiking);
    stac_job_clean(&t->job);
    free(t);
    return 0;
}

static const struct stac_check alike = {.passed = true};

static struct stac_check energy_of(const struct twins *t) {
    struct stac_check c;
    stac_check_energy(&t->subject, &t->energy, &alike, &c);
    return c;
}

static void a_sound_network_passes(void **state) {
    struct twins *t = *state;
    struct stac_check energy = energy_of(t), rates;
    if (!energy.passed || energy.figure <= 0.5) fail_msg("%s", energy.text);
    assert_non_null(strstr(energy.text, "3x holds under "));
    stac_check_spike_rates(&t->subject, &t->rates, &rates);
    if (!rates.passed || rates.figure < 1) fail_msg("%s", rates.text);
}

static void too_little_saved_fails(void **state) {
    struct twins *t = *state;
    t->job.energy_ratio_min = 1000;
    struct stac_check c = energy_of(t);
    assert_true(!c.passed && c.limit == 1000 && strstr(c.text, "account 1 must reach 1000 and does not"));
    assert_null(strstr(c.text, "counters"));
}

static void counters_that_do_not_agree_fail(void **state) {
    struct twins *t = *state;
    struct stac_counts *c = &t->energy.phase[STAC_DECODE].spiking[3], kept = *c;
    struct {
        int64_t *field, value;
        const char *says;
    } broken[] = {
        {&c->active, 0, "spikes touch no weight rows (block 0 o_in, decode)"},
        {&c->touched, 0, "spikes touch no weight rows"},
        {&c->active, kept.spikes + 1, "more values sent a spike than there were spikes"},
        {&c->covered, kept.covered - 1, "coverage is below 1"},
        {&c->macs, kept.macs + 1, "the products of both sides differ"},
        {&c->acs, 0, "spikes add nothing"},
        {&c->fetched, kept.streamed + 1, "more bytes were fetched than all weights have"},
        {&c->lookups, 0, "values passed no neuron"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        *broken[i].field = broken[i].value;
        struct stac_check check = energy_of(t);
        if (check.passed || !strstr(check.text, broken[i].says)) fail_msg("%s: %s", broken[i].says, check.text);
        *c = kept;
    }
    struct stac_counts *head = &t->energy.phase[STAC_PREFILL].spiking[t->energy.n_sites - 1];
    int64_t acs = head->acs;
    head->acs = 0;
    assert_non_null(strstr(energy_of(t).text, "spikes add nothing (head_in, prefill)")); /* of no block */
    head->acs = acs;
    struct stac_check check, differs = {.passed = false};
    stac_check_energy(&t->subject, &t->energy, &differs, &check);
    assert_true(!check.passed && strstr(check.text, "temporal and count mode differ"));
    assert_true(energy_of(t).passed);
}

/* Thresholds that no value reaches. */
static void silence(struct stac_site *site) {
    struct stac_levels *l = &site->code.levels;
    for (int i = 0; i < l->n_levels; i++) ((float *)(uintptr_t)l->threshold)[i] = INFINITY;
    for (int i = 0; i < l->n_bins; i++) {
        ((uint16_t *)(uintptr_t)l->bin)[i] = 0;
        ((float *)(uintptr_t)l->edge)[i] = INFINITY;
        ((int32_t *)(uintptr_t)l->sent)[2 * i] = 0;
    }
}

static void a_dead_layer_is_named(void **state) {
    struct twins *t = *state;
    struct stac_check rates;
    silence(&t->spiking.net.block[1].site[STAC_SITE_MLP_IN]);
    read_both(t);
    stac_check_spike_rates(&t->subject, &t->rates, &rates);
    assert_true(!rates.passed && isinf(rates.figure));
    assert_non_null(strstr(rates.text, "; block 1 mlp_in is dead (0, planned "));
}

static void a_loud_site_is_named(void **state) {
    struct twins *t = *state;
    struct stac_check rates;
    t->spiking.net.block[0].site[STAC_SITE_O_IN].code.unit /= 50; /* values fifty times too large */
    read_both(t);
    stac_check_spike_rates(&t->subject, &t->rates, &rates);
    assert_true(!rates.passed && strstr(rates.text, "; block 0 o_in is "));
}

static void faults_of_rates_have_names(void **state) {
    static const struct {
        struct stac_spike_rate rate;
        enum stac_rate_fault fault;
    } cases[] = {
        {{1.0, 1.0, 4, 0}, STAC_RATE_FINE},       {{1.0, 0, 4, 0}, STAC_RATE_DEAD},     {{0, 0, 4, 0}, STAC_RATE_DEAD},
        {{1.0, 2.1, 4, 0}, STAC_RATE_OFF},        {{1.0, 0.45, 4, 0}, STAC_RATE_OFF},   {{1.0, 1.9, 4, 0}, STAC_RATE_FINE},
        {{0.5, 0.96, 1, 0}, STAC_RATE_SATURATED}, {{0.95, 0.97, 1, 0}, STAC_RATE_FINE}, {{0, 0.1, 4, 0}, STAC_RATE_OFF},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (stac_rate_judge(&cases[i].rate, 2) != cases[i].fault)
            fail_msg("case %zu: %s", i, stac_rate_fault_name(stac_rate_judge(&cases[i].rate, 2)));
}

#define ON_TWINS(test) cmocka_unit_test_setup_teardown(test, make_twins, remove_twins)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kept_set_is_read),
        cmocka_unit_test(bad_sets_are_refused_by_their_line),
        cmocka_unit_test(names_of_sets_are_shown_on_one_line),
        cmocka_unit_test(accounts_are_the_equations_of_the_header),
        cmocka_unit_test(the_rival_has_the_bits_of_its_error),
        ON_TWINS(a_sound_network_passes),
        ON_TWINS(too_little_saved_fails),
        ON_TWINS(counters_that_do_not_agree_fail),
        ON_TWINS(a_dead_layer_is_named),
        ON_TWINS(a_loud_site_is_named),
        cmocka_unit_test(faults_of_rates_have_names),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
