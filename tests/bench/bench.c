/* stac-bench: how fast a network is, beside what the machine can do at most. Lines of CSV: name,value,unit.
 *
 *     stac-bench limits                            bandwidth and peaks of this machine
 *     stac-bench products                          our float product, and OpenBLAS's
 *     stac-bench device                            operators of device: cuda, beside its memory
 *     stac-bench load DIR                          a converted folder's network into memory, and its file read plainly
 *     stac-bench tokenizer DIR TEXT                text into tokens
 *     stac-bench checkpoint SHAPE DIR              a Hugging Face folder with random weights: 135M, 360M or 1.7B
 *     stac-bench network DIR [flags of stac-chat]  tokens a second of each side of a converted folder, or of a model alone with
 *                                                  --mode baseline: reading 512 tokens at once, and one by one after 128
 *     stac-bench cluster ...                       a cluster on paper: its arguments are told when they are missing
 *     stac-bench growth DIR [flags of stac-chat]   the same for longer and longer texts, and for more and more conversations
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "checkpoint.h"
#include "convert/blas.h"
#include "device.h"
#include "dist/start.h"
#include "input.h"
#include "limits.h"
#include "network.h"
#include "products.h"
#include "simulate.h"
#include "store/snn_file.h"

static int print_limits(void) {
    struct limits l = limits_measure();
    printf("read_bandwidth,%.4g,bytes/s\nfloat_peak,%.4g,operations/s\n", l.read_bandwidth, l.float_peak);
    printf("int16_peak,%.4g,operations/s\nint8_peak,%.4g,operations/s\n", l.int16_peak, l.int8_peak);
    return STAC_OK;
}

static int bench_checkpoint(const char *name, const char *folder, struct stac_error *err) {
    const struct shape *shape = shape_named(name);
    if (!shape) return stac_fail(err, STAC_ERR_USAGE, "no shape is called %s: 135M, 360M or 1.7B", name);
    return checkpoint_write(shape, folder, err);
}

/* Texts of 64 to 2048 tokens, as many of one length as of its double; or all of one length. */
static void draw_lengths(int *tokens, size_t n, int length) {
    struct stac_random r = stac_random_seeded(1, 0);
    for (size_t i = 0; i < n; i++) tokens[i] = length > 0 ? length : (int)(64 * exp2(5 * stac_random_uniform(&r)));
}

static const char cluster_usage[] = "stac-bench cluster GROUPS STAGES ITEMS TOKENS SECONDS_A_TOKEN SECONDS_AN_ITEM LATENCY "
                                    "BYTES_A_SECOND BYTES_A_TOKEN turn|longest|queue; "
                                    "TOKENS of an item: 0 draws 64 to 2048";

static int bench_cluster(char **argv, struct stac_error *err) {
    struct cluster c = {(int)strtol(argv[0], NULL, 10), (int)strtol(argv[1], NULL, 10),
                        strtod(argv[4], NULL),          strtod(argv[5], NULL),
                        strtod(argv[6], NULL),          strtod(argv[7], NULL),
                        strtod(argv[8], NULL),          *argv[9] == 't' ? IN_TURN : *argv[9] == 'l' ? LONGEST_FIRST : QUEUE};
    long items = strtol(argv[2], NULL, 10), length = strtol(argv[3], NULL, 10);
    struct forecast f = {0};
    int *tokens;
    if (c.groups < 1 || c.stages < 1 || items < 1 || length < 0 || !(c.seconds_a_token > 0) || !(c.bandwidth > 0))
        return stac_fail(err, STAC_ERR_USAGE, "%s", cluster_usage);
    STAC_TRY(STAC_NEW(tokens, items, "items", err));
    draw_lengths(tokens, (size_t)items, (int)length);
    if (!simulate(&c, tokens, (size_t)items, &f)) stac_fail(err, STAC_ERR_MEMORY, "no memory for so many ranks");
    free(tokens);
    if (err->status == STAC_OK)
        printf("cluster_seconds,%.5g,s\ncluster_busy,%.4f,\ncluster_throughput,%.5g,tokens/s\n", f.seconds, f.busy,
               f.throughput);
    return err->status;
}

/* What needs no ranks; *known: the first argument is one of these. */
static int bench_alone(int argc, char **argv, bool *known, struct stac_error *err) {
    const char *what = argc > 1 ? argv[1] : "";
    *known = true;
    if (argc == 2 && strcmp(what, "limits") == 0) return print_limits();
    if (argc == 2 && strcmp(what, "products") == 0) return products_bench(err);
    if (argc == 2 && strcmp(what, "device") == 0) return device_bench(err);
    if (argc == 3 && strcmp(what, "load") == 0) return input_bench_load(argv[2], err);
    if (argc == 4 && strcmp(what, "tokenizer") == 0) return input_bench_tokenizer(argv[2], argv[3], err);
    if (argc == 4 && strcmp(what, "checkpoint") == 0) return bench_checkpoint(argv[2], argv[3], err);
    if (argc == 12 && strcmp(what, "cluster") == 0) return bench_cluster(argv + 2, err);
    if (strcmp(what, "cluster") == 0) return stac_fail(err, STAC_ERR_USAGE, "%s", cluster_usage);
    *known = false;
    return STAC_OK;
}

static const char usage[] =
    "usage: stac-bench limits | products | device | load DIR | tokenizer DIR TEXT | checkpoint SHAPE DIR | cluster ... | "
    "network | growth DIR [flags of stac-chat]\n";

int main(int argc, char **argv) {
    static struct stac_start start;
    struct stac_error err = {0};
    bool known;
    stac_blas_wake(STAC_BLAS_FAST, argv);
    if (bench_alone(argc, argv, &known, &err) != STAC_OK) fprintf(stderr, "error: %s\n", err.text);
    if (known) return err.status != STAC_OK;
    bool growth = argc >= 3 && strcmp(argv[1], "growth") == 0;
    if (argc < 3 || (!growth && strcmp(argv[1], "network") != 0)) {
        fputs(usage, stderr);
        return 2;
    }
    int status = stac_start(&start, STAC_CHAT, argc - 1, argv + 1, stac_build_info(), &err);
    if (status == STAC_OK && !start.answered) network_bench(&start, growth, &err);
    return stac_finish(&start, 0, &err);
}
