#include "job/about.h"

#include <stdio.h>

#include "job/keys.h"

/* ---- stac-convert ------------------------------------------------------------------------------------------------- */

static const struct stac_term convert_files[] = {
    {"out/snn/snn_model.h5", "The network (HDF5, with everything that made it); out/snn is the default of output_dir."},
    {"out/snn/tokenizer/, config.json, conversion_log.txt",
     "What goes with it: the tokenizer and the model's settings as Hugging Face writes them, and the log."},
    {"out/snn.checkpoint/", "What is done so far, while it is not finished: the same job, begun again, goes on from there."},
    {"out/snn.progress/rank-N.json", "What rank N is at, while it works; read by stac-eval --watch."},
    {"share/stac/configs/", "Job files to begin with, below the prefix of the installation."},
    {NULL, NULL},
};

static const struct stac_term convert_examples[] = {
    {"mpirun -n 2 stac-convert --model_name MODEL --output_dir out/snn --timesteps 16 --spike_budget 1.2",
     "Convert a model folder or a GGUF file on two ranks."},
    {"stac-convert --model_name MODEL --simplified", "The same with built-in sensitivities, in a tenth of the time."},
    {"stac-convert --from out/snn --timesteps 8 --spike_budget 1.3 --output_dir out/eight",
     "Other codes for a converted network, without its model."},
    {"stac-convert --reference > job.yaml; mpirun -n 4 stac-convert job.yaml", "Every key in a file, to be edited."},
    {NULL, NULL},
};

static const struct stac_about about_convert = {
    "stac-convert",
    "[JOB.yaml] [--key value ...]",
    true,
    "make a spiking network of a language model",
    "Converts a pretrained causal language model into a spiking network, without training it again.\n\n"
    "Ranks share the layers of the model and the windows of calibration; the result has the same bytes on any number of "
    "them. An output folder appears whole or not at all.",
    convert_files,
    convert_examples,
};

/* ---- stac-eval ---------------------------------------------------------------------------------------------------- */

static const struct stac_term eval_files[] = {
    {"DIR/snn_model.h5, DIR/tokenizer/",
     "The network that is measured. Its original is read where it was when it was converted."},
    {"DIR/metrics.h5", "All figures and checks, by site, layer, window and turn (HDF5)."},
    {"DIR/report.html, DIR/*.png", "A page that shows them, and its pictures (drawn by gnuplot where it is installed)."},
    {"DIR.eval-JOB.checkpoint/",
     "What is done so far, while it is not finished: the same job, begun again, goes on from there."},
    {"DIR.progress/rank-N.json", "What rank N is at, while it works; read by stac-eval --watch."},
    {"share/stac/configs/energy/", "Sets of energy coefficients for energy_model, below the prefix of the installation."},
    {NULL, NULL},
};

static const struct stac_term eval_examples[] = {
    {"mpirun -n 2 stac-eval out/snn --test_all --text FILE --limit_tokens 8192 --json result.json",
     "All checks on a text, network and original side by side."},
    {"stac-eval MODEL --mode baseline --text FILE", "The perplexity of an original alone."},
    {"stac-eval --compare out/snn out/other", "Two results side by side."},
    {"stac-eval --watch out/snn", "What is being converted into out/snn or measured there."},
    {NULL, NULL},
};

static const struct stac_about about_eval = {
    "stac-eval",
    "[DIR] [JOB.yaml] [--key value ...]",
    true,
    "measure a spiking network against its original",
    "Measures a converted network (DIR, default out/snn) against its original. DIR may also be a model folder or a GGUF "
    "file; then only --mode baseline makes sense.\n\n"
    "Results are printed, and written into DIR. They are the same on any number of ranks.",
    eval_files,
    eval_examples,
};

/* ---- stac-chat ---------------------------------------------------------------------------------------------------- */

static const struct stac_term chat_files[] = {
    {"DIR/snn_model.h5, DIR/tokenizer/", "The network that answers. Its original is read where it was when it was converted."},
    {"FILE.snn.h5, FILE.original.h5",
     "A conversation that /save FILE put away. Nothing of a conversation is written otherwise."},
    {NULL, NULL},
};

static const struct stac_term chat_examples[] = {
    {"stac-chat out/snn", "A conversation at the terminal; both networks answer."},
    {"stac-chat out/snn --mode snn --temperature 0 < turns.txt", "A turn a line, from a file; always the same answers."},
    {NULL, NULL},
};

static const struct stac_about about_chat = {
    "stac-chat",
    "[DIR] [--key value ...]",
    false,
    "talk with a spiking network and its original",
    "A conversation with a converted network (DIR, default out/snn), its original, or both: one turn per line of standard "
    "input.\n\n"
    "A line that begins with a slash is a command, and /help lists them. A line that begins with two is for the model, without "
    "the first.",
    chat_files,
    chat_examples,
};

const struct stac_about *stac_about(enum stac_program program) {
    return program == STAC_CONVERT ? &about_convert : program == STAC_EVAL ? &about_eval : &about_chat;
}

/* ---- all of them -------------------------------------------------------------------------------------------------- */

const struct stac_term stac_about_flags[] = {
    {"--set key=value", "any key by its name"},
    {"--reference", "print a commented job file with every key"},
    {"--help, --version", "print this help, or what the program was made of"},
    {NULL, NULL},
};

const struct stac_term stac_about_exits[] = {
    {"0", "done"},
    {"1", "a check failed"},
    {"2", "bad usage or job"},
    {"3", "bad input file"},
    {"4", "another failure"},
    {"75", "stopped by a signal with what is done so far kept: run it again"},
    {NULL, NULL},
};

const struct stac_term stac_about_environment[] = {
    {"HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HOME",
     "Where a model that is named as on the hub is looked for, the first one that "
     "has it: in these, below hub, huggingface/hub and .cache/huggingface/hub."},
    {"TMPDIR", "Where the check test_tsp_state puts a conversation away for a moment; /tmp without it."},
    {"OMP_WAIT_POLICY",
     "passive, when ranks and their threads outnumber the processors: threads that wait then do not spin. The "
     "number of threads is the key threads, not OMP_NUM_THREADS."},
    {"OMPI_ALLOW_RUN_AS_ROOT, OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "Both 1: mpirun of Open MPI works for root, as in a container."},
    {NULL, NULL},
};

const char stac_about_precedence[] = "Precedence: defaults, then the job file, then the command line from left to right.";

void stac_about_values(const struct stac_key *key, char *out, size_t size) {
    const char *gap = *key->unit ? " " : "", *any = stac_key_is_list(key->type) ? "any of " : "";
    switch (key->type) {
    case STAC_KEY_INT:
    case STAC_KEY_INTS:
    case STAC_KEY_REALS:
    case STAC_KEY_REAL: snprintf(out, size, "%s%.12g to %.12g%s%s", any, key->low, key->high, gap, key->unit); break;
    case STAC_KEY_BOOL: snprintf(out, size, "true or false"); break;
    case STAC_KEY_CHOICES:
    case STAC_KEY_CHOICE: snprintf(out, size, "%s%s", any, key->words); break;
    default: snprintf(out, size, "text");
    }
}
