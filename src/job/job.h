/* The job: everything a person can set, as one plain struct. Values come from the defaults, then the YAML file, then the
 * command line, in that order; the table in keys.c says what exists and generates help, reference file and checks. */
#ifndef STAC_JOB_JOB_H
#define STAC_JOB_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"

enum stac_program { STAC_CONVERT = 1, STAC_EVAL = 2, STAC_CHAT = 4 };

/* The values of a key that takes several: numbers, or indices into the words of their key. */
#define STAC_LONGEST_LIST 32
struct stac_job_list {
    int n;
    double at[STAC_LONGEST_LIST];
};

#define STAC_MOST_KEYS 128

/* Texts are owned by the job and never NULL ("" when not set). Choices are indices into the words of their key. */
struct stac_job {
    enum stac_program program;
    bool given[STAC_MOST_KEYS]; /* by index in the table of keys: set by a job file or a flag, not a default */

    char *model_name, *output_dir, *from;
    bool force, verify, quiet, once;

    int64_t mode; /* enum stac_job_mode of stac-convert, enum stac_job_side of the others */
    int64_t timesteps;
    double spike_budget;
    int64_t code, neuron, levels, activation_bits, code_bits, activation, quantize_bits, seed;
    double leak;
    struct stac_job_list without; /* enum stac_job_step */
    int64_t threshold_steps, surrogate_function;
    double surrogate_alpha;

    char *calibration_text, *calibration_data, *create_calibration_data;
    int64_t num_samples, calibration_length, max_context_length;

    int64_t stages, threads;
    double rank_memory, rank_timeout, checkpoint_interval;

    char *dir; /* stac-eval, stac-chat: what to look at */
    bool test_all, test_perplexity, test_fidelity, test_multi_turn, test_position_boundaries, test_attention_mask,
        test_temporal, test_energy, test_spike_rates, test_tsp_state, test_parity_multi_turn;
    char *energy_model, *conversations;
    double energy_ratio_min, spike_rate_factor, parity_tolerance;
    int64_t parity_steps;
    char *text, *ids, *logits_out, *tokenize, *json, *lm_eval, *neurobench, *csv, *compare, *watch;
    int64_t context, stride, limit_tokens, execution;
    int64_t device, dense_products; /* enum stac_job_device, stac_job_products */
    bool use_sparse;
    int64_t bos, words; /* enum stac_job_bos, stac_job_words */
    double fidelity_ratio_max, fidelity_top1_min;

    char *frontier;
    struct stac_job_list sweep_timesteps, sweep_budget, sweep_code;
    double target_ratio;

    char *system;
    int64_t chat_template, max_new_tokens, top_k;
    double temperature, top_p;
};

enum stac_job_mode { STAC_JOB_FULL, STAC_JOB_SIMPLIFIED };
/* Steps of a conversion that can be left out, to see what each is worth; the words of the key `without`. */
enum stac_job_step {
    STAC_STEP_NONE,
    STAC_STEP_ROTATION, /* of the residual stream and of the heads */
    STAC_STEP_MEANS,    /* taken away before coding */
    STAC_STEP_HADAMARD, /* on the hidden activation */
    STAC_STEP_VALUES,   /* principal axes of the value heads */
    STAC_STEP_HIDDEN,   /* scales of the hidden channels */
    STAC_STEP_FISHER,   /* sensitivity of each layer; what is left is one for each kind of site */
    STAC_STEP_FIT,      /* of the weights to the codes */
    STAC_STEP_RAMPS     /* as laws of step weights: geometric ones only */
};

enum stac_job_activation { STAC_JOB_KEEP, STAC_JOB_RELU };
enum stac_job_side { STAC_JOB_SNN, STAC_JOB_BASELINE, STAC_JOB_BOTH };
enum stac_job_bos { STAC_JOB_BOS_MODEL, STAC_JOB_BOS_ALWAYS, STAC_JOB_BOS_NEVER };
enum stac_job_words { STAC_JOB_SPLIT, STAC_JOB_RUNS };
enum stac_job_execution { STAC_JOB_COUNT, STAC_JOB_TEMPORAL };
enum stac_job_device { STAC_JOB_CPU, STAC_JOB_CUDA, STAC_JOB_AUTO };
enum stac_job_products { STAC_JOB_EXACT, STAC_JOB_LIBRARY, STAC_JOB_BFLOAT16 };

/* Whether the job leaves a step of the conversion out. */
bool stac_job_without(const struct stac_job *job, enum stac_job_step step);

/* A job with every key at its default. */
int stac_job_init(struct stac_job *job, enum stac_program program, struct stac_error *err);
void stac_job_clean(struct stac_job *job);

/* What a command line asks for besides running the job. */
enum stac_job_request { STAC_JOB_RUN, STAC_JOB_SHOW_HELP, STAC_JOB_SHOW_REFERENCE, STAC_JOB_SHOW_VERSION };

/* Take the command line. `yaml` is the text of the job file it names, or NULL to learn only its name: *yaml_path is then
 * the file to read first (borrowed from argv; NULL: none). STAC_ERR_USAGE names the flag or the place in the file. */
int stac_job_command_line(struct stac_job *job, int argc, char *const *argv, const char *yaml, size_t yaml_size,
                          const char **yaml_path, enum stac_job_request *request, struct stac_error *err);

/* Whether a job file or a flag set a key. */
bool stac_job_gives(const struct stac_job *job, const char *key);

/* Set one key from a text; `where` goes before an error ("job.yaml:3:1", "--timesteps"). */
int stac_job_set(struct stac_job *job, const char *key, const char *value, const char *where, struct stac_error *err);

/* Set the folder that stac-eval and stac-chat look at (the argument without a flag). */
int stac_job_set_folder(struct stac_job *job, const char *folder, struct stac_error *err);

/* Apply the text of a YAML job file called `name`. */
int stac_job_yaml(struct stac_job *job, const char *name, const char *text, size_t size, struct stac_error *err);

/* Begin where the conversion ended whose job is `stored`, as stac_job_print wrote it: keys that were not given take its
 * values. `name` is what it is called in errors. STAC_ERR_USAGE for a key that was given another value and is none of those
 * that a stored network can still change: timesteps, spike_budget, code, and what changes no result. */
int stac_job_inherit(struct stac_job *job, const char *name, const char *stored, struct stac_error *err);

/* Append the job as YAML: enough to repeat it. Only keys of its program; ranks and threads are left out, because they do
 * not change the result. */
int stac_job_print(const struct stac_job *job, struct stac_strbuf *out, struct stac_error *err);

/* Append the help of a program, and the commented reference of its keys as a YAML file. */
int stac_job_help(enum stac_program program, struct stac_strbuf *out, struct stac_error *err);
int stac_job_reference(enum stac_program program, struct stac_strbuf *out, struct stac_error *err);

/* Append the manual page of a program (roff, for man(1)); `date` is year-month-day or "". */
int stac_job_manual(enum stac_program program, const char *version, const char *date, struct stac_strbuf *out,
                    struct stac_error *err);

#endif
