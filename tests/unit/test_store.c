/* store/: a spiking network written and read back is the same, to the bit; the same network gives the same bytes; a file
 * that was tampered with is refused in one line; a write that fails leaves nothing. Random damage: test_store_damage.c. */
#include "unit.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "fixture_hdf5.h"
#include "fixture_schemes.h"
#include "fixture_stores.h"

/* ---- round trip ------------------------------------------------------------------------------------------------- */

static int entries_of(const struct fx_folder *f) {
    DIR *dir = opendir(f->path);
    int n = -2; /* . and .. */
    assert_non_null(dir);
    while (readdir(dir)) n++;
    closedir(dir);
    return n;
}

static void assert_same_files(const char *a, const char *b) {
    struct stac_error err = {0};
    struct stac_mapping x = {0}, y = {0};
    OK(stac_file_map(a, &x, &err));
    OK(stac_file_map(b, &y, &err));
    assert_int_equal(x.size, y.size);
    for (size_t i = 0; i < x.size; i++)
        if (x.data[i] != y.data[i]) fail_msg("%s and %s differ at byte %zu", a, b, i);
    stac_file_unmap(&x);
    stac_file_unmap(&y);
}

static void what_is_written_is_read_back(void **state) {
    const struct fx_folder *f = *state;
    static const int timesteps[] = {1, 16, 64};
    for (int g = 0; g < FX_GOLDEN; g++)
        for (int t = 0; t < 3; t++) {
            struct stac_error err = {0};
            struct fx_spiking s;
            struct fx_stored read;
            int32_t token[20];
            if (timesteps[t] == 64 && g != 1) continue;
            fx_spiking_make(&s, fx_golden[g], timesteps[t], 8);
            const char *path = fx_path(f, "snn_model.h5");
            OK(fx_store(&s, path, &err));
            assert_int_equal(entries_of(f), 1); /* no draft is left */
            OK(fx_stored_open(&read, path, &err));
            const char *what = fx_networks_differ(&s.net, &read.net);
            if (what) fail_msg("%s, T = %d: %s differs", fx_golden[g], timesteps[t], what);
            assert_int_equal(read.snn.timesteps, timesteps[t]);
            assert_string_equal(read.snn.origin.model_path, "/models/tiny");
            assert_string_equal(read.snn.origin.model_sha256, "0123456789abcdef");
            assert_string_equal(read.snn.origin.job, "timesteps: 16\n");
            assert_string_equal(read.snn.origin.calibration, "random tokens");
            fx_tokens(token, 20, s.net.hp.n_vocab, 1);
            float *a = fx_logits(&s.net, STAC_MODE_COUNT, NULL, token, 20, NULL);
            float *b = fx_logits(&read.net, STAC_MODE_COUNT, NULL, token, 20, NULL);
            assert_same_bits(a, b, 20 * s.net.hp.n_vocab, "%s, T = %d: logits", fx_golden[g], timesteps[t]);
            free(a), free(b);
            fx_stored_close(&read);
            fx_spiking_clean(&s);
        }
}

/* Every code and neuron, at the ends of what T may be; with neither words nor thresholds in the file the tables are the same.
 */
static void every_code_is_read_back(void **state) {
    const struct fx_folder *f = *state;
    static const int timesteps[FX_SCHEMES] = {16, 16, 64, 64, 12, 7, 8, 16, 1, 64, 16};
    for (int i = 0; i < FX_SCHEMES; i++) {
        struct stac_error err = {0};
        struct stac_scheme scheme = fx_scheme(i, timesteps[i]);
        struct fx_spiking s;
        struct fx_stored read;
        if (scheme.neuron == STAC_NEURON_ST_BIF) scheme.levels = 200;
        fx_spiking_make_with(&s, "gpt2-2heads", &scheme, 8, 1);
        OK(fx_store(&s, fx_path(f, "snn_model.h5"), &err));
        OK(fx_stored_open(&read, fx_path(f, "snn_model.h5"), &err));
        const char *what = fx_networks_differ(&s.net, &read.net);
        if (what) fail_msg("%s on %s: %s differs", stac_code_name(scheme.code), stac_neuron_name(scheme.neuron), what);
        fx_stored_close(&read);
        fx_spiking_clean(&s);
    }
}

/* A budget that leaves words of three spikes next to free: thousands of levels at p. */
static void codes_of_many_levels_are_read_back(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_spiking s;
    struct fx_stored read;
    fx_spiking_make_at(&s, fx_golden[1], 32, 8, 1e-6);
    assert_true(s.net.block[0].site[STAC_SITE_P].code.n_levels > 65 * 65);
    OK(fx_store(&s, fx_path(f, "snn_model.h5"), &err));
    OK(fx_stored_open(&read, fx_path(f, "snn_model.h5"), &err));
    const char *what = fx_networks_differ(&s.net, &read.net);
    if (what) fail_msg("%s differs", what);
    fx_stored_close(&read);
    fx_spiking_clean(&s);
}

static void the_same_network_gives_the_same_bytes(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_spiking s, again;
    for (int g = 0; g < FX_GOLDEN; g += 3) {
        fx_spiking_make(&s, fx_golden[g], 16, 8);
        fx_spiking_make(&again, fx_golden[g], 16, 8);
        OK(fx_store(&s, fx_path(f, "a.h5"), &err));
        OK(fx_store(&s, fx_path(f, "b.h5"), &err));
        assert_same_files(fx_path(f, "a.h5"), fx_path(f, "b.h5"));
        OK(fx_store(&again, fx_path(f, "b.h5"), &err)); /* over the file that is there */
        assert_same_files(fx_path(f, "a.h5"), fx_path(f, "b.h5"));
        again.plan[0].lambda *= 2;
        OK(fx_store(&again, fx_path(f, "b.h5"), &err)); /* files that should differ do */
        struct stac_mapping x = {0}, y = {0};
        OK(stac_file_map(fx_path(f, "a.h5"), &x, &err));
        OK(stac_file_map(fx_path(f, "b.h5"), &y, &err));
        assert_true(x.size != y.size || memcmp(x.data, y.data, x.size) != 0);
        stac_file_unmap(&x), stac_file_unmap(&y);
        fx_spiking_clean(&s), fx_spiking_clean(&again);
    }
}

/* A stage reads its layers only, and they are those of the whole. */
static void parts_are_read_as_in_the_whole(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_spiking s;
    struct stac_snn snn;
    fx_spiking_make(&s, "gpt2-3heads-bare-f16", 16, 8);
    OK(fx_store(&s, fx_path(f, "snn_model.h5"), &err));
    OK(stac_snn_open(fx_path(f, "snn_model.h5"), &snn, &err));
    for (int first = 0; first < 3; first++)
        for (int last = first; last <= 3; last++) {
            struct stac_network part;
            OK(stac_snn_load(&snn, (struct stac_part){first, last, first == 0, last == 3}, &part, &err));
            assert_int_equal(part.token_embd != NULL, first == 0);
            assert_int_equal(part.position_embd != NULL, first == 0);
            assert_int_equal(part.head.q != NULL, last == 3);
            for (int l = first; l < last; l++)
                assert_null(fx_blocks_differ(&s.net.block[l], &part.block[l - first], stac_kv_width(&s.net.hp)));
            stac_network_clean(&part);
        }
    stac_snn_close(&snn);
    fx_spiking_clean(&s);
}

/* ---- tampering -------------------------------------------------------------------------------------------------- */

enum edit {
    NO_ATTRIBUTE, /* remove it */
    INT,          /* an attribute becomes this whole number */
    REAL,         /* ... this real number */
    TEXT,         /* ... the text that `arg` points to */
    VARIABLE,     /* ... a text of variable length */
    PAIR,         /* ... two numbers */
    NO_LINK,      /* remove a dataset or group */
    ROWS,         /* a dataset gets that many rows */
    TURNED,       /* rows become columns */
    CUBE,         /* a dataset of three dimensions */
    SCALAR,       /* of none */
    WIDER,        /* of a wider type */
    EMPTY,        /* of the right shape, but without its values */
    FOREIGN,      /* of the right shape, its values in another file */
    GROUP,        /* a group in place of a dataset */
    DANGLING,     /* a link that leads nowhere */
    OUTSIDE,      /* a link into another file */
    LOOP,         /* a link to itself */
    VALUE,        /* one value of a dataset: `arg` is its index; with a checksum that fits */
    OTHER,        /* the same without one */
};

#define SITE "/block/001/attn_in"
#define CODE SITE "/code"
#define HEAD "/head_in/code"
#define FALLING "/block/001/p/code" /* its weights are geometric, those of CODE a ramp */

static const struct tampering {
    const char *file; /* "gpt2" or "llama" */
    enum edit edit;
    const char *path, *name; /* of an attribute; of a dataset NULL */
    double number;
    const char *part; /* of the refusal */
} tamperings[] = {
    /* marks and schema */
    {"gpt2", NO_ATTRIBUTE, "/", "complete", 0, "has no end mark: whoever wrote it did not finish"},
    {"gpt2", INT, "/", "complete", 0, "has no end mark"},
    {"gpt2", NO_ATTRIBUTE, "/", "begun", 0, "is an HDF5 file, but not one of STAC"},
    {"gpt2", NO_ATTRIBUTE, "/", "schema", 0, "is an HDF5 file, but not one of STAC"},
    {"gpt2", TEXT, "/", "schema=stac-metrics", 0, "holds a \"stac-metrics\", not a \"stac-snn\""},
    {"gpt2", TEXT, "/", "schema=", 0, "holds a \"\", not a"},
    {"gpt2", VARIABLE, "/", "schema=stac-snn", 0, "/ has an attribute of a kind that is not read here"},
    {"gpt2", INT, "/", "schema_version", 5, "this program reads version 4: use that one, or a newer one"},
    {"gpt2", INT, "/", "schema_version", 3, "this program reads version 4: make the file again with it"},
    {"gpt2", INT, "/", "schema_version", 0, "schema_version of / is 0"},
    {"gpt2", NO_ATTRIBUTE, "/", "schema_version", 0, "/ has no attribute schema_version"},
    {"gpt2", TEXT, "/", "schema_version=1", 0, "schema_version of / is not a number"},
    /* the root and the shape of the model */
    {"gpt2", NO_ATTRIBUTE, "/", "timesteps", 0, "/ has no attribute timesteps"},
    {"gpt2", INT, "/", "timesteps", 0, "timesteps of / is 0; possible are 1 to 64"},
    {"gpt2", INT, "/", "timesteps", 65, "timesteps of / is 65"},
    {"gpt2", INT, "/", "timesteps", -9e18, "timesteps of / is -9"},
    {"gpt2", REAL, "/", "timesteps", 16, "timesteps of / is not a number"},
    {"gpt2", PAIR, "/", "timesteps", 16, "/ has an attribute of a kind that is not read here"},
    {"gpt2", NO_ATTRIBUTE, "/", "model_sha256", 0, "/ has no attribute model_sha256"},
    {"gpt2", INT, "/", "job", 3, "job of / is not a text"},
    {"gpt2", VARIABLE, "/", "calibration=x", 0, "/ has an attribute of a kind that is not read here"},
    {"gpt2", NO_LINK, "/model", NULL, 0, "/model has no attribute n_layer"},
    {"gpt2", NO_ATTRIBUTE, "/model", "n_embd", 0, "/model has no attribute n_embd"},
    {"gpt2", INT, "/model", "n_layer", 0, "n_layer of /model is 0"},
    {"gpt2", INT, "/model", "n_layer", 3, "has no /block/002"},
    {"gpt2", INT, "/model", "n_layer", 1025, "n_layer of /model is 1025"},
    {"gpt2", INT, "/model", "n_embd", 17, "/embedding/token has 61 x 16 values, 61 x 17"},
    {"gpt2", INT, "/model", "n_vocab", 62, "/embedding/token has 61 x 16 values, 62 x 16"},
    {"gpt2", INT, "/model", "n_vocab", 1 << 24, "/embedding/token has 61 x 16 values"},
    {"gpt2", INT, "/model", "n_ctx", 41, "/embedding/position has 40 x 16 values"},
    {"gpt2", INT, "/model", "n_ctx", 1 << 24, "/embedding/position has 40 x 16 values"},
    {"gpt2", INT, "/model", "n_ff", 65536, "mlp_in/weight has 16 x 64 values, 16 x 65536"},
    {"gpt2", INT, "/model", "head_dim", 16, "has 16 x 48 values, 16 x 96"},
    {"gpt2", INT, "/model", "n_head", 3, "the shape of the model does not fit together"},
    {"gpt2", INT, "/model", "n_head", 65536, "the shape of the model does not fit together"},
    {"gpt2", INT, "/model", "n_head_kv", 0, "n_head_kv of /model is 0"},
    {"gpt2", INT, "/model", "hadamard", 3, "the shape of the model does not fit together"},
    {"gpt2", INT, "/model", "hadamard", 128, "the shape of the model does not fit together"},
    {"gpt2", INT, "/model", "hadamard", 1024, "hadamard of /model is 1024"},
    {"gpt2", INT, "/model", "norm", 2, "norm of /model is 2"},
    {"gpt2", INT, "/model", "activation", 4, "activation of /model is 4"},
    {"gpt2", INT, "/model", "gated", 2, "gated of /model is 2"},
    {"gpt2", INT, "/model", "gated", 1, "mlp_in/weight has 16 x 64 values, 16 x 128"},
    {"gpt2", REAL, "/model", "norm_eps", -1, "the shape of the model does not fit together"},
    {"gpt2", REAL, "/model", "norm_eps", NAN, "the shape of the model does not fit together"},
    {"gpt2", INT, "/model", "norm_eps", 1, "norm_eps of /model is not a number"},
    {"llama", REAL, "/model", "rope_theta", INFINITY, "the shape of the model does not fit together"},
    {"llama", REAL, "/model", "rope_theta", -1e4, "the shape of the model does not fit together"},
    {"llama", INT, "/model", "n_head_kv", 3, "the shape of the model does not fit together"},
    {"llama", INT, "/model", "head_dim", 7, "the shape of the model does not fit together"},
    {"llama", INT, "/model", "learned_positions", 1, "has no /embedding/position"},
    {"gpt2", INT, "/model", "arch", 1, "arch of /model is not a text"},
    {"gpt2", ROWS, "/model/eos", NULL, 9, "/model/eos has 9 rows; at most 8 are possible"},
    {"gpt2", NO_LINK, "/model/eos", NULL, 0, "has no /model/eos: the file is damaged"},
    /* datasets */
    {"gpt2", NO_LINK, "/embedding", NULL, 0, "has no /embedding/token: the file is damaged"},
    {"gpt2", NO_LINK, "/block/001", NULL, 0, "has no /block/001/attn_in/weight"},
    {"gpt2", NO_LINK, SITE "/scale", NULL, 0, "has no " SITE "/scale"},
    {"gpt2", NO_LINK, "/block/001/k_mean", NULL, 0, "has no /block/001/k_mean"},
    {"gpt2", NO_LINK, "/block/001/v_scale", NULL, 0, "has no /block/001/v_scale"},
    {"gpt2", NO_LINK, "/head_in/weight", NULL, 0, "has no /head_in/weight"},
    {"gpt2", TURNED, "/block/001/down_in/weight", NULL, 0, "has 16 x 64 values, 64 x 16 of another type or shape"},
    {"gpt2", ROWS, SITE "/weight", NULL, 15, "has 15 x 48 values, 16 x 48"},
    {"gpt2", ROWS, SITE "/bias", NULL, 0, "has 0 x 1 values, 48 x 1"},
    {"gpt2", CUBE, SITE "/weight", NULL, 0, SITE "/weight does not have one or two dimensions"},
    {"gpt2", SCALAR, SITE "/bias", NULL, 0, SITE "/bias does not have one or two dimensions"},
    {"gpt2", WIDER, SITE "/weight", NULL, 0, SITE "/weight has values of a kind that is not read here"},
    {"gpt2", WIDER, SITE "/scale", NULL, 0, "of another type or shape were expected"},
    {"gpt2", WIDER, CODE "/mantissa", NULL, 0, "of another type or shape were expected"},
    {"gpt2", EMPTY, SITE "/weight", NULL, 0, SITE "/weight"},
    {"gpt2", EMPTY, "/embedding/token", NULL, 0, "/embedding/token"},
    {"gpt2", GROUP, SITE "/weight", NULL, 0, "has no values in " SITE "/weight"},
    {"gpt2", DANGLING, SITE "/weight", NULL, 0, SITE " has a link that leads elsewhere"},
    {"gpt2", LOOP, SITE "/weight", NULL, 0, SITE " has a link that leads elsewhere"},
    {"gpt2", FOREIGN, SITE "/bias", NULL, 0, SITE "/bias has its values in another file"},
    {"gpt2", OUTSIDE, SITE "/weight", NULL, 0, SITE " has a link that leads elsewhere"},
    {"gpt2", NO_ATTRIBUTE, SITE "/bias", "xxh3", 0, SITE "/bias has no attribute xxh3"},
    {"gpt2", OTHER, SITE "/bias", "0", 0.5, "the values of " SITE "/bias are not those that were written"},
    {"gpt2", OTHER, SITE "/weight", "5", 3, "the values of " SITE "/weight are not those that were written"},
    {"gpt2", OTHER, CODE "/mantissa", "0", 7, "the values of " CODE "/mantissa are not those that were written"},
    /* values that no conversion writes */
    {"gpt2", VALUE, SITE "/weight", "5", -128, SITE "/weight"},
    {"gpt2", VALUE, SITE "/scale", "5", NAN, SITE "/scale"},
    {"gpt2", VALUE, SITE "/bias", "0", INFINITY, SITE "/bias"},
    {"gpt2", VALUE, SITE "/mean", "15", -INFINITY, SITE "/mean"},
    {"gpt2", VALUE, "/embedding/token", "100", NAN, "/embedding/token"},
    {"gpt2", VALUE, "/embedding/position", "100", NAN, "/embedding/position"},
    {"gpt2", VALUE, "/block/001/k_mean", "3", NAN, "/block/001/k_mean"},
    {"gpt2", VALUE, "/block/001/v_scale", "3", NAN, "/block/001/v_scale"},
    {"gpt2", VALUE, "/block/001/v_scale", "3", 0, "/block/001/v_scale"},
    /* codes */
    {"gpt2", NO_LINK, CODE, NULL, 0, CODE " has no attribute n_classes"},
    {"gpt2", TEXT, "/", "code=rate", 0, "code: a rate code of 16 steps, at most 0"},
    {"gpt2", TEXT, "/", "code=other", 0, "code of / is \"other\""},
    {"gpt2", TEXT, "/", "neuron=", 0, "neuron of / is \"\""},
    {"gpt2", NO_ATTRIBUTE, "/", "neuron", 0, "/ has no attribute neuron"},
    {"gpt2", TEXT, "/", "neuron=causal", 0, "/code/firing"},
    {"gpt2", INT, FALLING, "n_classes", 0, "has no " FALLING "/weight"},
    {"gpt2", INT, FALLING, "n_classes", 17, "n_classes of " FALLING " is 17"},
    {"gpt2", INT, FALLING, "n_classes", 16, FALLING "/mantissa has"},
    {"gpt2", INT, FALLING, "shift", 15, FALLING ": 7 shifts of 15"},
    {"gpt2", INT, FALLING, "shift", 0, FALLING ": a code of 16 steps"},
    {"gpt2", INT, CODE, "shift", 1, CODE ": a code of 16 steps"},
    {"gpt2", INT, CODE, "n_classes", 4, CODE ": a code of 16 steps"},
    {"gpt2", INT, CODE, "curve", 0, "has no " CODE "/weight"},
    {"gpt2", INT, CODE, "curve", -1, "curve of " CODE " is -1"},
    {"gpt2", INT, CODE, "heavy", 3, "heavy of " CODE " is 3"},
    {"gpt2", INT, CODE, "heavy", 2, CODE "/mantissa has"},
    {"gpt2", VALUE, CODE "/mantissa", "0", 0, CODE ": mantissa 0 is 0"},
    {"gpt2", VALUE, CODE "/mantissa", "0", 32768, CODE ": mantissa 0 is 32768"},
    {"gpt2", VALUE, CODE "/mantissa", "0", 32767, CODE ": the weight of step 0 is"},
    {"gpt2", INT, CODE, "ratio", 1, CODE ": a ramp of 16 steps below 0 heavy ones of ratio 1"},
    {"gpt2", INT, FALLING, "heavy", 1, FALLING ": a code of 16 steps"},
    {"gpt2", INT, FALLING, "ratio", 1, FALLING ": a code of 16 steps"},
    {"gpt2", REAL, CODE, "unit", 0, CODE ": a code of 16 steps"},
    {"gpt2", REAL, CODE, "unit", -1, CODE ": a code of 16 steps"},
    {"gpt2", REAL, CODE, "unit", NAN, CODE ": a code of 16 steps"},
    {"gpt2", REAL, CODE, "unit", 1e300, CODE ": a code of 16 steps"},
    {"gpt2", REAL, CODE, "unit", 1e-300, CODE ": a code of 16 steps"},
    {"gpt2", VALUE, FALLING "/mantissa", "0", 0, FALLING ": mantissa 0 is 0"},
    {"gpt2", VALUE, FALLING "/mantissa", "0", -5, FALLING ": mantissa 0 is -5"},
    {"gpt2", VALUE, FALLING "/mantissa", "0", 1025, FALLING ": mantissa 0 is 1025"},
    {"gpt2", VALUE, CODE "/plus", "1", 1 << 16, CODE ": level 1 has spikes after the last step"},
    {"gpt2", VALUE, CODE "/plus", "0", 1, CODE ": level 0 is the integer"},
    {"gpt2", VALUE, CODE "/plus", "2", 0, CODE ": level 2 is the integer"},
    {"gpt2", VALUE, CODE "/minus", "1", 65535, CODE ": level 1"},
    {"gpt2", VALUE, CODE "/threshold", "0", 0, CODE ": threshold 0 is 0, out of order"},
    {"gpt2", VALUE, CODE "/threshold", "0", -1, CODE ": threshold 0 is -1, out of order"},
    {"gpt2", VALUE, CODE "/threshold", "1", NAN, CODE ": threshold 1"},
    {"gpt2", VALUE, CODE "/threshold", "1", INFINITY, CODE ": threshold 1"},
    {"gpt2", VALUE, CODE "/threshold", "1", 1e-9, CODE ": threshold 1 is 1e-09, out of order"},
    {"gpt2", ROWS, CODE "/plus", NULL, 0, CODE},
    {"gpt2", ROWS, CODE "/plus", NULL, 40000, CODE "/plus has 40000 rows"},
    {"gpt2", ROWS, CODE "/minus", NULL, 1, CODE "/minus has 1 x 1 values"},
    {"gpt2", ROWS, CODE "/threshold", NULL, 1, CODE "/threshold has 1 x 1 values"},
    {"gpt2", INT, "/", "timesteps", 2, "/code: level 1 has spikes after the last step"},
    /* codes that follow from their neurons */
    {"causal", TEXT, "/", "neuron=lif", 0, "a ternary code on the neuron lif"},
    {"causal", TEXT, "/", "neuron=table", 0, "/code/plus"},
    {"causal", INT, HEAD, "most", 5, HEAD ": a ternary code of 16 steps, at most 5"},
    {"causal", VALUE, HEAD "/firing", "1", -1, HEAD ": threshold 1 of step 0 is -1"},
    {"causal", VALUE, HEAD "/firing", "63", NAN, HEAD ": threshold 3 of step 15 is"},
    {"causal", ROWS, HEAD "/firing", NULL, 8, HEAD "/firing has 8 x 4 values"},
    {"lif", REAL, HEAD, "leak", 1, HEAD ": a rate code of 16 steps, at most 16, leak 1"},
    {"lif", REAL, HEAD, "leak", NAN, HEAD ": a rate code"},
    {"lif", VALUE, HEAD "/weight", "1", 0, HEAD ": the weight of step 1 is 0"},
    {"lif", VALUE, HEAD "/weight", "15", 32768, HEAD ": the weight of step 15 is 32768"},
    {"lif", VALUE, HEAD "/weight", "3", 32767, HEAD},
    {"lif", TEXT, "/", "neuron=if", 0, "a rate code with 0 classes"},
    {"st_bif", INT, HEAD, "most", 256, HEAD ": a rate code of 16 steps, at most 256"},
    {"st_bif", INT, HEAD, "most", 0, HEAD ": a rate code of 16 steps, at most 0"},
    {"st_bif", INT, HEAD, "shift", 1, HEAD ": a rate code with 1 classes, shifts of 1 and curve 0"},
    {"phase", REAL, HEAD, "unit", 0, HEAD ": a phase code of 16 steps"},
    {"phase", TEXT, "/", "code=one_spike", 0, "a one_spike code with 0 classes"},
    {"integer", INT, HEAD, "most", 1024, "most of " HEAD " is 1024"},
    {"integer", TEXT, "/", "code=phase", 0, "a phase code of 16 steps, at most 127"},
};

/* Replace an attribute by a value of one of the kinds above. */
static void set_attribute(hid_t file, const struct tampering *t) {
    char name[64];
    const char *text = strchr(t->name, '=');
    snprintf(name, sizeof name, "%.*s", (int)(text ? text - t->name : (ptrdiff_t)strlen(t->name)), t->name);
    text = text ? text + 1 : "";
    hsize_t two = 2;
    int64_t whole[2] = {(int64_t)t->number, (int64_t)t->number};
    hid_t type = t->edit == REAL ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64, own = -1;
    const void *value = t->edit == REAL ? (const void *)&t->number : whole;
    hid_t space = t->edit == PAIR ? H5Screate_simple(1, &two, NULL) : H5Screate(H5S_SCALAR);
    if (t->edit == TEXT || t->edit == VARIABLE) {
        own = type = H5Tcopy(H5T_C_S1);
        assert_true(H5Tset_size(own, t->edit == TEXT ? strlen(text) + 1 : H5T_VARIABLE) >= 0);
        value = t->edit == TEXT ? (const void *)text : &text;
    }
    assert_true(H5Adelete_by_name(file, t->path, name, H5P_DEFAULT) >= 0);
    hid_t attribute = H5Acreate_by_name(file, t->path, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0 && H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    if (own >= 0) H5Tclose(own);
}

/* Replace a dataset by one of another shape or type, filled with zeros (or, when EMPTY, with nothing). */
static void replace_dataset(hid_t file, const struct tampering *t) {
    hid_t old = H5Dopen2(file, t->path, H5P_DEFAULT), space = H5Dget_space(old), type = H5Dget_type(old), create;
    hsize_t dims[3] = {1, 1, 1};
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    assert_in_range(rank, 1, 2);
    if (t->edit == ROWS) dims[0] = (hsize_t)t->number;
    if (t->edit == TURNED) {
        hsize_t rows = dims[0];
        dims[0] = dims[1];
        dims[1] = rows;
    }
    if (t->edit == CUBE) rank = 3;
    if (t->edit == SCALAR) rank = 0;
    if (t->edit == WIDER) {
        size_t size = H5Tget_size(type);
        hid_t wide = H5Tget_class(type) == H5T_FLOAT ? H5T_IEEE_F64LE : size == 1 ? H5T_STD_I16LE : H5T_STD_I64LE;
        H5Tclose(type);
        type = H5Tcopy(wide);
    }
    H5Dclose(old);
    H5Sclose(space);
    assert_true(H5Ldelete(file, t->path, H5P_DEFAULT) >= 0);
    space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
    create = H5Pcreate(H5P_DATASET_CREATE);
    if (t->edit == EMPTY) assert_true(H5Pset_chunk(create, rank, dims) >= 0); /* no chunk is ever written */
    if (t->edit == FOREIGN) assert_true(H5Pset_external(create, "/dev/zero", 0, H5F_UNLIMITED) >= 0);
    hid_t set = H5Dcreate2(file, t->path, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    assert_true(set >= 0);
    void *zeros = calloc((size_t)(dims[0] * dims[1] * dims[2]) + 1, 8);
    if (t->edit != EMPTY && t->edit != FOREIGN) assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) >= 0);
    free(zeros);
    H5Dclose(set), H5Sclose(space), H5Tclose(type), H5Pclose(create);
}

/* The checksum of what a dataset holds now. */
static void seal(hid_t set) {
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    size_t size = H5Tget_size(type) * (size_t)H5Sget_simple_extent_npoints(space);
    void *values = malloc(size);
    assert_true(values && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    uint64_t sum = stac_xxh3(values, size);
    hid_t attribute = H5Aopen(set, "xxh3", H5P_DEFAULT);
    assert_true(attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_UINT64, &sum) >= 0);
    H5Aclose(attribute), H5Sclose(space), H5Tclose(type);
    free(values);
}

static void set_value(hid_t file, const struct tampering *t) {
    hid_t set = H5Dopen2(file, t->path, H5P_DEFAULT), space = H5Dget_space(set), type = H5Dget_type(set);
    bool real = H5Tget_class(type) == H5T_FLOAT;
    size_t n = (size_t)H5Sget_simple_extent_npoints(space), at = (size_t)atol(t->name);
    double *values = calloc(n, sizeof *values);
    int64_t *whole = calloc(n, sizeof *whole);
    assert_true(at < n);
    assert_true(H5Dread(set, real ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                        real ? (void *)values : whole) >= 0);
    values[at] = t->number;
    whole[at] = (int64_t)t->number;
    assert_true(H5Dwrite(set, real ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                         real ? (void *)values : whole) >= 0);
    free(values), free(whole);
    if (t->edit == VALUE) seal(set);
    H5Dclose(set), H5Sclose(space), H5Tclose(type);
}

static void tamper(const char *path, const struct tampering *t) {
    hid_t file = fx_h5_edit(path), group;
    switch (t->edit) {
    case NO_ATTRIBUTE: assert_true(H5Adelete_by_name(file, t->path, t->name, H5P_DEFAULT) >= 0); break;
    case INT:
    case REAL:
    case TEXT:
    case VARIABLE:
    case PAIR: set_attribute(file, t); break;
    case VALUE:
    case OTHER: set_value(file, t); break;
    case NO_LINK:
    case GROUP:
    case DANGLING:
    case OUTSIDE:
    case LOOP:
        assert_true(H5Ldelete(file, t->path, H5P_DEFAULT) >= 0);
        if (t->edit == GROUP) {
            group = H5Gcreate2(file, t->path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
            assert_true(group >= 0);
            H5Gclose(group);
        }
        if (t->edit == DANGLING) assert_true(H5Lcreate_soft("/nowhere", file, t->path, H5P_DEFAULT, H5P_DEFAULT) >= 0);
        if (t->edit == OUTSIDE) assert_true(H5Lcreate_external("other.h5", "/x", file, t->path, H5P_DEFAULT, H5P_DEFAULT) >= 0);
        if (t->edit == LOOP) assert_true(H5Lcreate_soft(t->path, file, t->path, H5P_DEFAULT, H5P_DEFAULT) >= 0);
        break;
    default: replace_dataset(file, t);
    }
    assert_true(H5Fclose(file) >= 0);
}

static void copy_file(const char *from, const struct fx_folder *f, const char *name) {
    struct stac_error err = {0};
    struct stac_mapping map = {0};
    OK(stac_file_map(from, &map, &err));
    fx_write(f, name, map.data, map.size);
    stac_file_unmap(&map);
}

static void tampered_files_are_refused_in_one_line(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_stored read;
    static const struct {
        const char *file, *model;
        int scheme;
    } base[] = {{"gpt2", "gpt2-2heads", 0},        {"llama", "llama-4heads-2kv-tied", 0}, {"causal", "gpt2-1head-relu", 1},
                {"lif", "gpt2-1head-relu", 4},     {"st_bif", "gpt2-1head-relu", 5},      {"phase", "gpt2-1head-relu", 6},
                {"integer", "gpt2-1head-relu", 10}};
    int failed = 0;
    for (size_t i = 0; i < sizeof base / sizeof *base; i++) {
        struct stac_scheme scheme = fx_scheme(base[i].scheme, 16);
        struct fx_spiking s;
        fx_spiking_make_with(&s, base[i].model, &scheme, 8, 1);
        OK(fx_store(&s, fx_path(f, base[i].file), &err));
        fx_spiking_clean(&s);
        copy_file(fx_path(f, base[i].file), f, "copy"); /* the copy itself is fine */
        OK(fx_stored_open(&read, fx_path(f, "copy"), &err));
        fx_stored_close(&read);
    }
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    size_t before = stac_peak_memory();
    for (size_t i = 0; i < sizeof tamperings / sizeof *tamperings; i++) {
        const struct tampering *t = &tamperings[i];
        copy_file(fx_path(f, t->file), f, "copy");
        tamper(fx_path(f, "copy"), t);
        stac_error_clear(&err);
        int status = fx_stored_open(&read, fx_path(f, "copy"), &err);
        if (status == STAC_OK) fx_stored_close(&read);
        if (status == STAC_ERR_INPUT && strstr(err.text, t->part) && strstr(err.text, f->path) && !strchr(err.text, '\n'))
            continue;
        print_error("%s %s (%d, %g): status %d, \"%s\" instead of \"%s\"\n", t->path, t->name ? t->name : "", (int)t->edit,
                    t->number, status, err.text, t->part);
        failed++;
    }
    printf("%zu ways to tamper\n", sizeof tamperings / sizeof *tamperings);
    assert_int_equal(failed, 0);
    assert_true(stac_peak_memory() - before < FX_MODEST); /* lengths are checked before memory is taken */
}

static void other_files_are_refused_in_one_line(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_snn snn;
    hid_t file = H5Fcreate(fx_path(f, "plain.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    fx_write_text(f, "empty", "");
    fx_write_text(f, "text", "timesteps: 16\n");
    fx_write(f, "signature", "\x89HDF\r\n\x1a\n", 8);
    FAILS(stac_snn_open(fx_path(f, "absent"), &snn, &err), STAC_ERR_IO, "absent");
    FAILS(stac_snn_open(f->path, &snn, &err), STAC_ERR_INPUT, "is a folder");
    FAILS(stac_snn_open(fx_path(f, "empty"), &snn, &err), STAC_ERR_INPUT, "is empty");
    FAILS(stac_snn_open(fx_path(f, "text"), &snn, &err), STAC_ERR_INPUT, "cannot open it as HDF5");
    FAILS(stac_snn_open(fx_path(f, "signature"), &snn, &err), STAC_ERR_INPUT, "cannot open it as HDF5");
    FAILS(stac_snn_open(fx_path(f, "plain.h5"), &snn, &err), STAC_ERR_INPUT, "is an HDF5 file, but not one of STAC");
}

/* ---- failing writes --------------------------------------------------------------------------------------------- */

/* A disk that is full: files may grow to a limit only. Whatever the limit, either all is there or nothing is. */
static void a_write_that_fails_leaves_nothing(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct fx_spiking s;
    struct rlimit before, now;
    struct stac_mapping whole = {0};
    int refused = 0;
    fx_spiking_make(&s, "gpt2-2heads", 16, 8);
    OK(fx_store(&s, fx_path(f, "whole.h5"), &err));
    OK(stac_file_map(fx_path(f, "whole.h5"), &whole, &err));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t limit = 0; limit <= whole.size + 4096; limit += limit < 4096 ? 512 : whole.size / 24) {
        now = before;
        now.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
        stac_error_clear(&err);
        int status = fx_store(&s, fx_path(f, "limited.h5"), &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        if (limit < whole.size) {
            if (status != STAC_ERR_IO || strchr(err.text, '\n')) fail_msg("limit %zu: status %d, %s", limit, status, err.text);
            assert_int_equal(entries_of(f), 1); /* neither the file nor a draft */
            refused++;
        } else {
            assert_int_equal(status, STAC_OK);
            assert_same_files(fx_path(f, "whole.h5"), fx_path(f, "limited.h5"));
            unlink(fx_path(f, "limited.h5"));
        }
    }
    signal(SIGXFSZ, SIG_DFL);
    printf("%d writes refused, of a file of %zu bytes\n", refused, whole.size);
    assert_true(refused > 20);
    FAILS(fx_store(&s, fx_path(f, "no/such/folder.h5"), &err), STAC_ERR_IO, "cannot create");
    stac_file_unmap(&whole);
    fx_spiking_clean(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_back, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(every_code_is_read_back, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(codes_of_many_levels_are_read_back, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(the_same_network_gives_the_same_bytes, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(parts_are_read_as_in_the_whole, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(tampered_files_are_refused_in_one_line, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(other_files_are_refused_in_one_line, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(a_write_that_fails_leaves_nothing, fx_folder_make, fx_folder_remove),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
