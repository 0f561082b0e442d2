/* eval/: meters against sensors that a test makes up. What can be measured has the right joules and its label; what cannot has
 * a reason and no figure. */
#include "unit.h"

#include <dlfcn.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fakes/nvml.h"
#include "energy/meter.h"
#include "fixture_networks.h"

/* ---- a fake sysfs ------------------------------------------------------------------------------------------------- */

static char root[128];

static int make_root(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/stac-powercap.XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state) {
    char command[200];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

/* At once: a meter may look at any time. */
static void put(const char *zone, const char *name, const char *value) {
    char folder[200], draft[300], path[300];
    snprintf(folder, sizeof folder, "%s/%s", root, zone);
    mkdir(folder, 0755);
    snprintf(draft, sizeof draft, "%s/draft", folder);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(draft, "w");
    assert_non_null(f);
    fprintf(f, "%s\n", value);
    fclose(f);
    assert_true(rename(draft, path) == 0);
}

static void zone(const char *entry, const char *name, const char *energy, const char *range) {
    put(entry, "name", name);
    put(entry, "energy_uj", energy);
    put(entry, "max_energy_range_uj", range);
}

static bool near(double a, double b) {
    return fabs(a - b) < 1e-6;
}

static void packages_and_dram_are_added_up_once(void **state) {
    struct stac_rapl r;
    (void)state;
    zone("intel-rapl:0", "package-0", "5000000", "262143328850");
    zone("intel-rapl:1", "package-1", "100000000", "262143328850");
    zone("intel-rapl:0:0", "core", "1000000", "262143328850");
    zone("intel-rapl:0:1", "dram", "7000000", "65712999613");
    zone("intel-rapl:2", "psys", "900000000", "262143328850");
    zone("intel-rapl-mmio:0", "package-0", "5000000", "262143328850");
    put("intel-rapl", "enabled", "1");
    stac_rapl_open(&r, root);
    assert_int_equal(r.n, 3);
    stac_rapl_begin(&r, 10);
    put("intel-rapl:0", "energy_uj", "6500000");      /* 1.5 J */
    put("intel-rapl:1", "energy_uj", "102000000");    /* 2 J */
    put("intel-rapl:0:0", "energy_uj", "2000000");    /* in the package */
    put("intel-rapl:0:1", "energy_uj", "7250000");    /* 0.25 J */
    put("intel-rapl:2", "energy_uj", "999000000");    /* holds all */
    put("intel-rapl-mmio:0", "energy_uj", "6500000"); /* the same package */
    stac_rapl_read(&r, 11);
    assert_true(near(r.joules, 3.75) && r.why[0] == 0);
    stac_rapl_begin(&r, 12);
    stac_rapl_read(&r, 13);
    assert_true(near(r.joules, 0));
}

static void counters_that_go_round_are_followed(void **state) {
    struct stac_rapl r;
    (void)state;
    zone("intel-rapl:0", "package-0", "900000000", "1000000000"); /* 1000 J around */
    put("intel-rapl:0", "constraint_0_max_power_uw", "50000000"); /* 100 W at most are believed */
    stac_rapl_open(&r, root);
    stac_rapl_begin(&r, 0);
    put("intel-rapl:0", "energy_uj", "50000000");
    stac_rapl_read(&r, 5);
    assert_true(near(r.joules, 150) && r.why[0] == 0);
    put("intel-rapl:0", "energy_uj", "40000000"); /* round again */
    stac_rapl_read(&r, 14);
    assert_true(near(r.joules, 150 + 990) && r.why[0] == 0);
    put("intel-rapl:0", "energy_uj", "41000000"); /* 1 J, or 1001 J in 11 s, which 100 W allow */
    stac_rapl_read(&r, 25);
    assert_string_equal(r.why, "package-0: the counter may have gone round unseen");
    stac_rapl_begin(&r, 30);
    assert_true(r.why[0] == 0);
}

static void a_zone_that_cannot_be_read_is_told(void **state) {
    struct stac_rapl r;
    char path[300];
    (void)state;
    stac_rapl_open(&r, "/nonexistent/powercap");
    assert_true(r.n == 0);
    assert_string_equal(r.why, "this machine shows no powercap zones");
    stac_rapl_open(&r, root);
    assert_string_equal(r.why, "powercap has no RAPL package");

    zone("intel-rapl:0", "package-0", "12 apples", "1000");
    stac_rapl_open(&r, root);
    assert_true(r.n == 0);
    assert_string_equal(r.why, "intel-rapl:0: not a number");
    put("intel-rapl:0", "energy_uj", "5000");
    stac_rapl_open(&r, root);
    assert_string_equal(r.why, "intel-rapl:0: a counter beyond its range");
    snprintf(path, sizeof path, "%s/intel-rapl:0/energy_uj", root); /* a folder cannot be read, by root either */
    assert_true(unlink(path) == 0 && mkdir(path, 0755) == 0);
    stac_rapl_open(&r, root);
    assert_true(r.n == 0 && strncmp(r.why, "intel-rapl:0: Is a directory", 20) == 0);
    assert_true(rmdir(path) == 0);
    if (geteuid() != 0) {
        put("intel-rapl:0", "energy_uj", "5");
        chmod(path, 0);
        stac_rapl_open(&r, root);
        assert_string_equal(r.why, "intel-rapl:0: Permission denied");
    }
}

static void a_zone_that_disappears_ends_the_figure(void **state) {
    struct stac_rapl r;
    char path[300];
    (void)state;
    zone("intel-rapl:0", "package-0", "1000", "1000000000");
    stac_rapl_open(&r, root);
    stac_rapl_begin(&r, 0);
    put("intel-rapl:0", "energy_uj", "nan");
    stac_rapl_read(&r, 1);
    assert_string_equal(r.why, "package-0: not a number");
    put("intel-rapl:0", "energy_uj", "2000");
    stac_rapl_begin(&r, 2);
    assert_true(r.why[0] == 0);
    snprintf(path, sizeof path, "%s/intel-rapl:0/energy_uj", root);
    assert_true(unlink(path) == 0);
    stac_rapl_read(&r, 3);
    assert_string_equal(r.why, "package-0: No such file or directory");
}

/* ---- a fake libnvidia-ml.so --------------------------------------------------------------------------------------- */

static void *library;
static struct fake_nvml *fake;

static int open_fake(void **state) {
    (void)state;
    library = dlopen(STAC_FAKE_NVML, RTLD_NOW);
    fake = library ? dlsym(library, "fake_nvml") : NULL;
    if (!fake) return -1;
    *fake = (struct fake_nvml){.count = 2, .milliwatts = {100000, 50000}, .millijoules = {1000, 2000}};
    return 0;
}

static int close_fake(void **state) {
    (void)state;
    return dlclose(library);
}

/* Two seconds, in which the GPUs use 200 J and 100 J by their power, and so much by their counters. */
static double two_seconds(struct stac_nvml *v, unsigned long long a, unsigned long long b) {
    stac_nvml_begin(v, 0);
    for (int i = 1; i <= 20; i++) {
        fake->millijoules[0] += a / 20, fake->millijoules[1] += b / 20;
        stac_nvml_poll(v, 0.1 * i);
    }
    return stac_nvml_joules(v);
}

static void the_counters_of_all_gpus_are_added_up(void **state) {
    struct stac_nvml v;
    (void)state;
    stac_nvml_open(&v, STAC_FAKE_NVML);
    assert_int_equal(v.n, 2);
    assert_true(near(two_seconds(&v, 210000, 90000), 300) && v.note[0] == 0 && v.why[0] == 0);
    assert_true(near(two_seconds(&v, 400000, 100000), 500)); /* the counter is reported, the doubt is told */
    assert_string_equal(v.note, "the counter says 400.0 J, polled power 200.0 J");
    stac_nvml_close(&v);
    assert_int_equal(fake->shut_down, 1);
}

static void power_takes_the_place_of_a_counter_that_fails(void **state) {
    struct stac_nvml v;
    (void)state;
    stac_nvml_open(&v, STAC_FAKE_NVML);
    assert_true(near(two_seconds(&v, 0, 100000), 300)); /* one counter stands still */
    assert_string_equal(v.note, "power polled 20 times: the energy counter does not advance");
    stac_nvml_begin(&v, 0);
    fake->millijoules[0] -= 500, fake->millijoules[1] += 100000; /* one goes back */
    stac_nvml_poll(&v, 2);
    assert_true(near(stac_nvml_joules(&v), 300));
    assert_string_equal(v.note, "power polled 1 times: the energy counter goes back");
    stac_nvml_close(&v);

    fake->energy_code[0] = 3; /* not supported */
    stac_nvml_open(&v, STAC_FAKE_NVML);
    assert_int_equal(v.n, 2);
    assert_true(near(two_seconds(&v, 0, 100000), 300));
    assert_string_equal(v.note, "power polled 20 times: the energy counter is not supported");
    stac_nvml_close(&v);
}

static void a_gpu_without_a_figure_has_a_reason(void **state) {
    struct stac_nvml v;
    (void)state;
    stac_nvml_open(&v, "libno-such-library.so.1");
    assert_true(v.n == 0 && isnan(stac_nvml_joules(&v)));
    assert_string_equal(v.why, "no NVIDIA driver: libno-such-library.so.1");
    stac_nvml_close(&v);
    struct {
        struct fake_nvml is;
        const char *why;
    } broken[] = {
        {{.init = 9}, "NVML does not begin: Driver Not Loaded"},
        {{.count_code = 999}, "NVML counts no GPUs: Unknown Error"},
        {{.count = 0}, "this machine has no GPU"},
        {{.count = 1, .mig = 1}, "a GPU is divided (MIG), and its energy is that of all its parts"},
        {{.count = 1, .energy_code = {3}, .power_code = {3}}, "a GPU shows neither energy nor power: Not Supported"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        *fake = broken[i].is;
        stac_nvml_open(&v, STAC_FAKE_NVML);
        assert_true(v.n == 0 && isnan(stac_nvml_joules(&v)));
        assert_string_equal(v.why, broken[i].why);
        stac_nvml_close(&v);
    }
}

static void a_gpu_that_is_lost_on_the_way_ends_the_figure(void **state) {
    struct stac_nvml v;
    (void)state;
    stac_nvml_open(&v, STAC_FAKE_NVML);
    stac_nvml_begin(&v, 0);
    fake->energy_code[1] = 15;
    stac_nvml_poll(&v, 1);
    assert_true(isnan(stac_nvml_joules(&v)));
    assert_string_equal(v.why, "a GPU stopped showing its energy: GPU is lost");
    stac_nvml_close(&v);

    *fake = (struct fake_nvml){.count = 1, .power_code = {3}}; /* a counter that stands still, and no power: never 0 */
    stac_nvml_open(&v, STAC_FAKE_NVML);
    stac_nvml_begin(&v, 0);
    stac_nvml_poll(&v, 1);
    assert_true(isnan(stac_nvml_joules(&v)));
    assert_string_equal(v.why, "the counter of a GPU did not advance");
    stac_nvml_close(&v);
}

/* ---- both --------------------------------------------------------------------------------------------------------- */

static void a_phase_has_joules_and_labels(void **state) {
    struct stac_meter m;
    struct stac_usage used;
    struct stac_error err = {0};
    (void)state;
    assert_int_equal(open_fake(state), 0);
    zone("intel-rapl:0", "package-0", "1000000", "262143328850");
    OK(stac_meter_open(&m, &fx_ranks, root, STAC_FAKE_NVML, &err));
    stac_meter_begin(&m);
    put("intel-rapl:0", "energy_uj", "3500000");
    fake->millijoules[0] += 1250;
    fake->millijoules[1] += 250;
    OK(stac_meter_end(&m, &used, &err));
    assert_true(used.of[STAC_METER_CPU].measured && near(used.of[STAC_METER_CPU].joules, 2.5));
    assert_string_equal(used.of[STAC_METER_CPU].source, "measured-rapl");
    assert_true(used.of[STAC_METER_GPU].measured && near(used.of[STAC_METER_GPU].joules, 1.5));
    assert_string_equal(used.of[STAC_METER_GPU].source, "measured-nvml");
    assert_true(used.seconds >= 0);
    stac_meter_begin(&m);
    usleep(250000); /* the thread polls meanwhile */
    put("intel-rapl:0", "energy_uj", "broken");
    OK(stac_meter_end(&m, &used, &err));
    assert_true(!used.of[STAC_METER_CPU].measured && used.of[STAC_METER_CPU].joules == 0);
    assert_string_equal(used.of[STAC_METER_CPU].source, "not measured: package-0: not a number");
    assert_true(used.of[STAC_METER_GPU].measured &&
                used.of[STAC_METER_GPU].joules > 0); /* by power: the counters stand still */
    assert_true(strncmp(used.of[STAC_METER_GPU].source, "measured-nvml: power polled", 27) == 0);
    stac_meter_close(&m);
    close_fake(state);
}

static void a_machine_without_sensors_says_so(void **state) {
    struct stac_meter m;
    struct stac_usage used;
    struct stac_error err = {0};
    (void)state;
    OK(stac_meter_open(&m, &fx_ranks, "/nonexistent/powercap", "libno-such-library.so.1", &err));
    stac_meter_begin(&m);
    OK(stac_meter_end(&m, &used, &err));
    assert_false(used.of[STAC_METER_CPU].measured || used.of[STAC_METER_GPU].measured);
    assert_string_equal(used.of[STAC_METER_CPU].source, "not measured: this machine shows no powercap zones");
    assert_string_equal(used.of[STAC_METER_GPU].source, "not measured: no NVIDIA driver: libno-such-library.so.1");
    stac_meter_close(&m);
}

#define RAPL(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
#define NVML(test) cmocka_unit_test_setup_teardown(test, open_fake, close_fake)

int main(void) {
    const struct CMUnitTest tests[] = {
        RAPL(packages_and_dram_are_added_up_once),   RAPL(counters_that_go_round_are_followed),
        RAPL(a_zone_that_cannot_be_read_is_told),    RAPL(a_zone_that_disappears_ends_the_figure),
        NVML(the_counters_of_all_gpus_are_added_up), NVML(power_takes_the_place_of_a_counter_that_fails),
        NVML(a_gpu_without_a_figure_has_a_reason),   NVML(a_gpu_that_is_lost_on_the_way_ends_the_figure),
        RAPL(a_phase_has_joules_and_labels),         cmocka_unit_test(a_machine_without_sensors_says_so),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
