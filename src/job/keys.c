#include "job/keys.h"

#include <stdio.h>
#include <string.h>

#define C STAC_CONVERT
#define E STAC_EVAL
#define H STAC_CHAT
#define AT(field) offsetof(struct stac_job, field)

static const char model_group[] = "Model and output", convert_group[] = "Conversion", calibrate_group[] = "Calibration",
                  rank_group[] = "Ranks and threads", test_group[] = "Checks", eval_group[] = "Evaluation",
                  frontier_group[] = "Frontier", chat_group[] = "Conversation";

/* Choices that two programs offer. */
/* Codes of a conversion; and of a sweep, where one word stands for code, neuron and bits. */
static const char codes[] = "ternary|rate|phase|one_spike|integer";
static const char steps[] = "none|rotation|means|hadamard|values|hidden|fisher|fit|ramps";
static const char swept_codes[] = "ternary|causal|phase|one_spike|rate|if|lif|st_bif|int8|int7|int6|int5|int4";

static const struct stac_key keys[] = {
    {"model_name", C | E | H, STAC_KEY_TEXT, AT(model_name), "", 0, 0, NULL, "", NULL, model_group,
     "Model to convert: a Hugging Face folder, a GGUF file, or a hub name that is in the local cache. For a converted "
     "folder: where its original lies now, if it was moved."},
    {"output_dir", C, STAC_KEY_TEXT, AT(output_dir), "out/snn", 0, 0, NULL, "", NULL, model_group,
     "Folder that receives snn_model.h5, tokenizer/, config.json, conversion_log.txt."},
    {"dir", E | H, STAC_KEY_TEXT, AT(dir), "out/snn", 0, 0, NULL, "", NULL, model_group,
     "What to look at, in a job file; on the command line it stands without a flag: a converted folder, or a model."},
    {"from", C, STAC_KEY_TEXT, AT(from), "", 0, 0, NULL, "", NULL, model_group,
     "Converted folder to begin with: its codes are designed anew for other timesteps, spike_budget, code or neuron (and what "
     "belongs to these), from what calibration left in its file. Its weights stay, and its other settings; neither the model "
     "nor any text is needed."},
    {"force", C, STAC_KEY_BOOL, AT(force), "false", 0, 0, NULL, "", NULL, model_group, "Replace an output folder that exists."},
    {"once", C | E, STAC_KEY_BOOL, AT(once), "false", 0, 0, NULL, "", NULL, model_group,
     "If the result of this very job is there already, say so and do nothing: a job that is begun again costs nothing. The "
     "exit code is 1 when a check of it failed."},
    {"checkpoint_interval", C | E, STAC_KEY_REAL, AT(checkpoint_interval), "30", 0, 1e9, NULL, "seconds", NULL, model_group,
     "How often what is done so far is kept beside the result, in a folder whose name ends in .checkpoint: the same job, begun "
     "again, goes "
     "on from there. 0: after every piece of work."},
    {"quiet", C | E | H, STAC_KEY_BOOL, AT(quiet), "false", 0, 0, NULL, "", NULL, model_group,
     "Show warnings and results only."},

    {"mode", C, STAC_KEY_CHOICE, AT(mode), "full", 0, 0, "full|simplified", "", NULL, convert_group,
     "full: calibrate on num_samples windows, measure by trials and gradients how sensitive each site is, fit the weights "
     "to the spikes. simplified: a few windows, built-in sensitivities, weights to the nearest."},
    {"timesteps", C, STAC_KEY_INT, AT(timesteps), "16", 1, 64, NULL, "steps", NULL, convert_group,
     "Time steps T of the spike code; 8 to 64 are usual."},
    {"spike_budget", C, STAC_KEY_REAL, AT(spike_budget), "1.2", 0.05, 16, NULL, "AC/MAC", NULL, convert_group,
     "Synaptic additions to spend per multiply-accumulate of the dense model, over all matrix products; for the ternary code."},
    {"code", C, STAC_KEY_CHOICE, AT(code), "ternary", 0, 0, codes, "", NULL, convert_group,
     "Spike code. ternary: one or two signed spikes by rate and distortion. rate: the number of spikes. phase: digits. "
     "one_spike: one spike at the best step. integer: no spikes, the dense baseline. All but ternary ignore spike_budget."},
    {"neuron", C, STAC_KEY_CHOICE, AT(neuron), "table", 0, 0, "table|causal|if|lif|st_bif", "", NULL, convert_group,
     "What sends the spikes. table: looks its word up (any code). causal: decides step by step (ternary, phase, one_spike). "
     "if, lif, st_bif: integrate and fire, leaky, or with a bounded accumulator, all layers at once (rate)."},
    {"levels", C, STAC_KEY_INT, AT(levels), "0", 0, 255, NULL, "", NULL, convert_group,
     "Largest integer of the rate code on the neurons table and st_bif. 0: as many as time steps."},
    {"leak", C, STAC_KEY_REAL, AT(leak), "0.9", 0.1, 0.9999, NULL, "", NULL, convert_group,
     "Part of the membrane that a lif neuron keeps from one step to the next."},
    {"activation_bits", C, STAC_KEY_INT, AT(activation_bits), "8", 2, 10, NULL, "bits", NULL, convert_group,
     "Bits of the activations of the integer code."},
    {"code_bits", C, STAC_KEY_INT, AT(code_bits), "16", 8, 16, NULL, "bits", NULL, convert_group,
     "Bits of the integers that words of the ternary code stand for, where weights are behind a site. 8: step weights on even "
     "ramps, so that count mode multiplies integers of 8 bits, as dense networks do; for T up to 32."},
    {"activation", C, STAC_KEY_CHOICE, AT(activation), "model", 0, 0, "model|relu", "", NULL, convert_group,
     "Activation of the converted network's hidden layers. relu: ReLU takes the place of GELU or SiLU after the calibration "
     "texts are written; a model that was not trained with it loses much."},
    {"layer_norm", C, STAC_KEY_CHOICE, 0, "model", 0, 0, "model|spike", "", "another norm (SpikeLayerNorm is the layer norm)",
     convert_group,
     "Norm of the converted network. A SpikeLayerNorm of the model's width and epsilon computes what the norm computes; its "
     "output is coded into spikes as it is."},
    {"without", C, STAC_KEY_CHOICES, AT(without), "none", 0, 0, steps, "", NULL, convert_group,
     "Steps to leave out, to see what each is worth: rotation; means of channels; hadamard of the hidden activation; values: "
     "axes "
     "of value heads; hidden: scales of hidden channels; fisher: sensitivity per layer; fit of the weights; ramps of step "
     "weights."},
    {"quantize_bits", C, STAC_KEY_INT, AT(quantize_bits), "8", 2, 8, NULL, "bits", NULL, convert_group,
     "Bits of the integer weights."},
    {"seed", C | E | H, STAC_KEY_INT, AT(seed), "1", 0, 4294967295.0, NULL, "", NULL, convert_group,
     "Seed of everything random: rotations, calibration samples, sampling of tokens."},
    {"verify", C, STAC_KEY_BOOL, AT(verify), "false", 0, 0, NULL, "", NULL, convert_group,
     "Read the stored result back and check it, before it takes its place: perplexity against the original, spike rates, "
     "turns, positions, mask, temporal against count mode. What was found is in verification.txt beside it."},
    {"threshold_steps", C, STAC_KEY_INT, AT(threshold_steps), "0", 0, 1000, NULL, "steps", NULL, convert_group,
     "Steps of training the thresholds and units of each block on its output error, by surrogate gradients over the "
     "calibration "
     "windows; in mode full, for the ternary code. 0: the closed-form ones stay."},
    {"surrogate_function", C, STAC_KEY_CHOICE, AT(surrogate_function), "atan", 0, 0, "atan|sigmoid|stbif_plus", "", NULL,
     convert_group, "What stands for the derivative of a spike when thresholds are trained: with threshold_steps only."},
    {"surrogate_alpha", C, STAC_KEY_REAL, AT(surrogate_alpha), "4.0", 0.1, 100, NULL, "", NULL, convert_group,
     "How narrow the surrogate is around a threshold: its height, in gaps between levels, is about alpha / 4."},

    {"calibration_text", C, STAC_KEY_TEXT, AT(calibration_text), "", 0, 0, NULL, "", NULL, calibrate_group,
     "Text file to calibrate on. Empty: texts that the model itself writes."},
    {"calibration_data", C, STAC_KEY_TEXT, AT(calibration_data), "", 0, 0, NULL, "", NULL, calibrate_group,
     "File of calibration windows that create_calibration_data wrote: its windows are read, in place of others."},
    {"create_calibration_data", C, STAC_KEY_TEXT, AT(create_calibration_data), "", 0, 0, NULL, "", NULL, calibrate_group,
     "Write the calibration windows to this HDF5 file and end: num_samples windows of calibration_length tokens, out of "
     "calibration_text or written by the model."},
    {"num_samples", C, STAC_KEY_INT, AT(num_samples), "16", 1, 4096, NULL, "windows", NULL, calibrate_group,
     "Calibration windows. A simplified conversion reads 4 when it is not told how many."},
    {"calibration_length", C, STAC_KEY_INT, AT(calibration_length), "512", 8, 131072, NULL, "tokens", NULL, calibrate_group,
     "Tokens of a calibration window; cut to what the model can read."},
    {"max_context_length", C | E | H, STAC_KEY_INT, AT(max_context_length), "512", 16, 131072, NULL, "tokens", NULL,
     calibrate_group,
     "Longest conversation that is kept; 512 to 2048 are usual. Cut to what the model can read, but not where it is given for "
     "a converted network or a model that is run: later tokens share the last position then."},

    {"stages", C | E | H, STAC_KEY_INT, AT(stages), "0", 0, 1024, NULL, "ranks", NULL, rank_group,
     "Ranks that share the layers of one copy of the model. 0: the fewest whose share fits rank_memory; the ranks left "
     "form further groups, which take other windows."},
    {"rank_memory", C | E | H, STAC_KEY_REAL, AT(rank_memory), "4", 0.001, 4096, NULL, "GiB", NULL, rank_group,
     "Weights that one rank may hold, for stages: 0."},
    {"threads", C | E | H, STAC_KEY_INT, AT(threads), "0", 0, 1024, NULL, "threads", NULL, rank_group,
     "Threads of a rank. 0: the processors of the machine divided among its ranks."},

    {"device", C | E | H, STAC_KEY_CHOICE, AT(device), "cpu", 0, 0, "cpu|cuda|auto", "", NULL, rank_group,
     "What text is read and written on. cuda: a GPU for each rank; it is an error when there is none. auto: a GPU where there "
     "is one, else the processors, which is said. Of a conversion the fit stays on processors."},

    {"dense_products", E | H, STAC_KEY_CHOICE, AT(dense_products), "exact", 0, 0, "exact|library|bfloat16", "", NULL,
     rank_group,
     "How a GPU multiplies for the original. exact: with the bits of processors. library: 16 rows and more by cuBLASLt on "
     "tensor cores, faster and within a bound. bfloat16: the same, with activations rounded to it where weights are."},

    {"rank_timeout", C | E | H, STAC_KEY_REAL, AT(rank_timeout), "6", 0, 1e6, NULL, "seconds", NULL, rank_group,
     "How long a rank may give no sign of life before the others of its machine, or those of the next machine, end the job. "
     "0: as long as it likes, as under a debugger."},

    {"test_all", E, STAC_KEY_BOOL, AT(test_all), "false", 0, 0, NULL, "", NULL, test_group, "All checks below."},
    {"test_perplexity", E, STAC_KEY_BOOL, AT(test_perplexity), "false", 0, 0, NULL, "", NULL, test_group,
     "Perplexity of the text, of the original, the SNN, or both."},
    {"test_fidelity", E, STAC_KEY_BOOL, AT(test_fidelity), "false", 0, 0, NULL, "", NULL, test_group,
     "Perplexity ratio, divergence, top-1 agreement and number of distinct predictions against the original."},
    {"test_multi_turn", E, STAC_KEY_BOOL, AT(test_multi_turn), "false", 0, 0, NULL, "", NULL, test_group,
     "A conversation read turn by turn through the cache gives the logits of the same text read at once."},
    {"test_position_boundaries", E, STAC_KEY_BOOL, AT(test_position_boundaries), "false", 0, 0, NULL, "", NULL, test_group,
     "Positions up to the model's last one count, and the one after it is refused."},
    {"test_attention_mask", E, STAC_KEY_BOOL, AT(test_attention_mask), "false", 0, 0, NULL, "", NULL, test_group,
     "Masked tokens and other sequences of a batch leave no trace in the logits."},
    {"test_temporal", E, STAC_KEY_BOOL, AT(test_temporal), "false", 0, 0, NULL, "", NULL, test_group,
     "T time steps, event by event, give the logits and spike counts of the collapsed computation."},
    {"test_energy", E, STAC_KEY_BOOL, AT(test_energy), "false", 0, 0, NULL, "", NULL, test_group,
     "Energy by three accounts, against the original and against dense integers of the same error: account 1 meets "
     "energy_ratio_min, and all counters agree."},
    {"test_spike_rates", E, STAC_KEY_BOOL, AT(test_spike_rates), "false", 0, 0, NULL, "", NULL, test_group,
     "Spikes per value of every site against what was planned: none is dead, saturated or off by spike_rate_factor."},
    {"test_tsp_state", E, STAC_KEY_BOOL, AT(test_tsp_state), "false", 0, 0, NULL, "", NULL, test_group,
     "Conversations go on beside others as alone, also after being forgotten, saved and restored, or cut."},
    {"test_parity_multi_turn", E, STAC_KEY_BOOL, AT(test_parity_multi_turn), "false", 0, 0, NULL, "", NULL, test_group,
     "SNN and original over the kept set of conversations: divergence and spikes of each turn, right answers of both."},
    {"conversations", E, STAC_KEY_TEXT, AT(conversations), "", 0, 0, NULL, "", NULL, test_group,
     "Set of conversations as a JSON file, like configs/conversations.json, which is built in and used without this key."},
    {"parity_steps", E, STAC_KEY_INT, AT(parity_steps), "0", 0, 1000000, NULL, "conversations", NULL, test_group,
     "How many of them, evenly picked. 0: all."},
    {"parity_tolerance", E, STAC_KEY_REAL, AT(parity_tolerance), "0.05", 0, 1, NULL, "", NULL, test_group,
     "How much smaller the share of right answers may be than the original's."},
    {"fidelity_ratio_max", E, STAC_KEY_REAL, AT(fidelity_ratio_max), "1.05", 1, 1e6, NULL, "", NULL, test_group,
     "Largest perplexity ratio that passes."},
    {"fidelity_top1_min", E, STAC_KEY_REAL, AT(fidelity_top1_min), "0.85", 0, 1, NULL, "", NULL, test_group,
     "Smallest share of equal most likely tokens that passes."},

    {"energy_model", E | H, STAC_KEY_TEXT, AT(energy_model), "", 0, 0, NULL, "", NULL, test_group,
     "YAML file of energy coefficients, like those in configs/energy. Empty: the built-in horowitz_45nm_memory."},
    {"energy_ratio_min", E, STAC_KEY_REAL, AT(energy_ratio_min), "3", 0, 1e6, NULL, "", NULL, test_group,
     "Smallest energy of the original over that of the SNN, by operations only, that passes."},
    {"spike_rate_factor", E, STAC_KEY_REAL, AT(spike_rate_factor), "2", 1, 1e6, NULL, "", NULL, test_group,
     "How far spikes per value of a site may be from its plan, up or down."},

    {"mode", E | H, STAC_KEY_CHOICE, AT(mode), "both", 0, 0, "snn|baseline|both", "", NULL, eval_group,
     "Which model to run: the SNN, its original, or both side by side."},
    {"execution", E | H, STAC_KEY_CHOICE, AT(execution), "count", 0, 0, "count|temporal", "", NULL, eval_group,
     "How the SNN runs: T time steps event by event, or the same integers in one product."},
    {"use_sparse", C | E | H, STAC_KEY_BOOL, AT(use_sparse), "false", 0, 0, NULL, "", NULL, eval_group,
     "Pick event-driven or packed execution of the SNN's products by the density of their codes, against what this machine is "
     "measured to need for both; the results are the same. A conversion runs the SNN with verify only."},
    {"text", E, STAC_KEY_TEXT, AT(text), "", 0, 0, NULL, "", NULL, eval_group,
     "Text file for perplexity and fidelity. Empty: texts that the original writes itself."},
    {"context", E, STAC_KEY_INT, AT(context), "0", 0, 131072, NULL, "tokens", NULL, eval_group,
     "Tokens of a window. 0: 512, or what the model can read."},
    {"stride", E, STAC_KEY_INT, AT(stride), "0", 0, 131072, NULL, "tokens", NULL, eval_group,
     "Tokens from the start of one window to the next. 0: the context."},
    {"limit_tokens", E, STAC_KEY_INT, AT(limit_tokens), "0", 0, 1e12, NULL, "tokens", NULL, eval_group,
     "Read only that many tokens of the text. 0: all."},
    {"bos", E, STAC_KEY_CHOICE, AT(bos), "model", 0, 0, "model|always|never", "", NULL, eval_group,
     "A token before the text, once. model: what the model's Hugging Face tokenizer puts there by itself (GPT-2 and SmolLM2: "
     "nothing). always: BOS, or EOS where there is none, as the lm-evaluation-harness does."},
    {"words", E, STAC_KEY_CHOICE, AT(words), "split", 0, 0, "split|runs", "", NULL, eval_group,
     "What word perplexity counts. split: the parts between white space, as the lm-evaluation-harness does for wikitext "
     "(white space at either end makes one more); runs: words themselves."},
    {"ids", E, STAC_KEY_TEXT, AT(ids), "", 0, 0, NULL, "", NULL, eval_group,
     "Token ids to run, like 5,17,42; needs logits_out."},
    {"logits_out", E, STAC_KEY_TEXT, AT(logits_out), "", 0, 0, NULL, "", NULL, eval_group,
     "HDF5 file that receives the logits of ids as `logits`, float32 [tokens, vocabulary]."},
    {"tokenize", E, STAC_KEY_TEXT, AT(tokenize), "", 0, 0, NULL, "", NULL, eval_group,
     "Print the token ids of a text file on one line."},
    {"json", E, STAC_KEY_TEXT, AT(json), "", 0, 0, NULL, "", NULL, eval_group,
     "File that receives the results as one flat JSON object."},
    {"lm_eval", E, STAC_KEY_TEXT, AT(lm_eval), "", 0, 0, NULL, "", NULL, eval_group,
     "File that receives word and byte perplexity as JSON in the form of the lm-evaluation-harness 0.4: of the SNN, with mode "
     "baseline of the original."},
    {"neurobench", E, STAC_KEY_TEXT, AT(neurobench), "", 0, 0, NULL, "", NULL, eval_group,
     "File that receives NeuroBench's metrics of the SNN as JSON, counted by NeuroBench's rules while the text is read."},
    {"csv", E, STAC_KEY_TEXT, AT(csv), "", 0, 0, NULL, "", NULL, eval_group,
     "File that receives one row a site of the SNN as CSV; FILE_summary.csv beside it receives all figures with their units."},
    {"watch", E, STAC_KEY_TEXT, AT(watch), "", 0, 0, NULL, "", NULL, eval_group,
     "--watch DIR: show what programs are at that convert into DIR or evaluate it, rank by rank, until they end: phase, share "
     "done, rate, "
     "time left, layer, losses and spikes so far. Exit code 1 when one of them died."},
    {"compare", E, STAC_KEY_TEXT, AT(compare), "", 0, 0, NULL, "", NULL, eval_group,
     "--compare A B: set two results side by side and end; each a metrics.h5 or a folder that holds one. Exit code 1 when a "
     "check "
     "that passed in A fails in B."},

    {"frontier", E, STAC_KEY_TEXT, AT(frontier), "", 0, 0, NULL, "", NULL, frontier_group,
     "Sweep all codes, timesteps and spike_budgets below over the network: HDF5 file that receives one row a point, and goes "
     "on where it ended; the picture lies beside it, as .png."},
    {"timesteps", E, STAC_KEY_INTS, AT(sweep_timesteps), "8, 16, 32", 1, 64, NULL, "steps", NULL, frontier_group,
     "Time steps to sweep."},
    {"spike_budget", E, STAC_KEY_REALS, AT(sweep_budget), "0.8, 1, 1.2, 1.4", 0.05, 16, NULL, "AC/MAC", NULL, frontier_group,
     "Budgets to sweep."},
    {"code", E, STAC_KEY_CHOICES, AT(sweep_code), "ternary", 0, 0, swept_codes, "", NULL, frontier_group,
     "Codes to sweep, with their neurons: ternary and phase, one_spike, rate on table; causal: ternary on causal; if, lif, "
     "st_bif: "
     "rate on these; int8 to int4: dense activations of that many bits."},
    {"target_ratio", E, STAC_KEY_REAL, AT(target_ratio), "0", 0, 1e6, NULL, "", NULL, frontier_group,
     "Search between the budgets, too: the cheapest one that has at most this perplexity ratio, for every code and "
     "timesteps, by bisection. 0: no search."},

    {"chat_template", E | H, STAC_KEY_CHOICE, AT(chat_template), "auto", 0, 0, "auto|chatml|smollm2|plain", "", NULL,
     chat_group, "How a conversation is written for the model. auto: as the tokenizer says."},
    {"system", H, STAC_KEY_TEXT, AT(system), "", 0, 0, NULL, "", NULL, chat_group,
     "What the model is told before the first turn; it is never forgotten. Without it: what its chat template says."},
    {"max_new_tokens", E | H, STAC_KEY_INT, AT(max_new_tokens), "64", 1, 131072, NULL, "tokens", NULL, chat_group,
     "Longest answer."},
    {"temperature", E | H, STAC_KEY_REAL, AT(temperature), "1", 0, 100, NULL, "", NULL, chat_group,
     "Temperature of sampling. 0: always the most likely token."},
    {"top_k", E | H, STAC_KEY_INT, AT(top_k), "20", 0, 1e9, NULL, "tokens", NULL, chat_group,
     "Sample from the k most likely tokens. 0: from all."},
    {"top_p", E | H, STAC_KEY_REAL, AT(top_p), "1", 0, 1, NULL, "", NULL, chat_group,
     "Sample from the fewest tokens that hold this probability."},
};

static const struct stac_key_alias aliases[] = {
    {"simplified", "mode", "simplified", C},
};

const struct stac_key *stac_keys(size_t *n) {
    _Static_assert(sizeof keys / sizeof *keys <= STAC_MOST_KEYS, "a job has room for all keys");
    *n = sizeof keys / sizeof *keys;
    return keys;
}

bool stac_key_is_neutral(const struct stac_key *key) {
    static const char *const neutral[] = {
        "stages", "threads", "rank_memory", "rank_timeout", "checkpoint_interval", "force",
        "quiet",  "once",    "output_dir",  "dir",          "use_sparse",          "create_calibration_data"};
    for (size_t i = 0; i < sizeof neutral / sizeof *neutral; i++)
        if (strcmp(key->name, neutral[i]) == 0) return true;
    return false;
}

void stac_key_word(const char *words, int64_t index, char *out, size_t size) {
    for (; index > 0 && strchr(words, '|'); index--) words = strchr(words, '|') + 1;
    snprintf(out, size, "%.*s", (int)strcspn(words, "|"), words);
}

/* Edits between two short names. */
static size_t distance(const char *a, const char *b) {
    enum { LONGEST = 48 };
    size_t row[LONGEST + 1], n = strlen(b);
    if (n > LONGEST) n = LONGEST;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t change = diagonal + (a[i] != b[j]), best = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;
            diagonal = row[j + 1];
            row[j + 1] = change < best ? change : best;
        }
    }
    return row[n];
}

const struct stac_key *stac_key_find(enum stac_program program, const char *name, const char **nearest) {
    size_t best = (size_t)-1;
    *nearest = "";
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!(keys[i].programs & program)) continue;
        size_t d = distance(name, keys[i].name);
        if (d == 0) return &keys[i];
        if (d < best) best = d, *nearest = keys[i].name;
    }
    return NULL;
}

const struct stac_key_alias *stac_key_alias(enum stac_program program, const char *flag) {
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (aliases[i].programs & program && strcmp(flag, aliases[i].flag) == 0) return &aliases[i];
    return NULL;
}
