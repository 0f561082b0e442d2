#include "result/harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/revision.h"

enum { METRICS = 4 };
static const char *const metrics[METRICS] = {"word_perplexity", "byte_perplexity", "bits_per_byte", "token_perplexity"};
static const char form[] = "0.4.13"; /* of the harness whose files these are like */

/* Bytes of the whole characters among the first n bytes of a text, which is UTF-8 and may go on behind them. */
static int whole(const char *text, size_t n) {
    size_t size = strnlen(text, n);
    while (size > 0 && ((uint8_t)text[size] & 0xC0) == 0x80) size--;
    return (int)size;
}

/* "texts/wiki.valid.txt" -> "wiki.valid". */
static void name_task(const char *path, char *task, size_t size) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    size_t n = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    snprintf(task, size, "%.*s", whole(name, n < size ? n : size - 1), name);
}

/* The last part of a path, without what the harness leaves out of names. */
static void name_model(const char *path, char *name, size_t size) {
    size_t n = 0;
    const char *c = path;
    for (; *c && n + 3 < size; c++) {
        if (!strchr("\"<>:/|\\?*[]", *c))
            name[n++] = *c;
        else if (n < 2 || name[n - 1] != '_' || name[n - 2] != '_' || !strchr("\"<>:/|\\?*[]", c[-1]))
            name[n++] = '_', name[n++] = '_';
    }
    name[n] = *c; /* tells whether a character goes on */
    name[whole(name, n)] = 0;
}

/* {TASK: value}; takes the value. */
static json_t *of_task(const char *task, json_t *value) {
    json_t *o = json_object();
    if (o && json_object_set_new(o, task, value) == 0) return o;
    json_decref(o);
    return NULL;
}

static json_t *figures(const struct stac_result *r, enum stac_side side, const char *task) {
    struct stac_perplexity p = stac_result_perplexity(r, side);
    const double value[METRICS] = {p.word, p.byte, p.bits_per_byte, p.token};
    json_t *o = json_pack("{s:s, s:s, s:i}", "name", task, "alias", task, "sample_len", 1);
    char key[64];
    for (int i = 0; i < METRICS; i++) {
        snprintf(key, sizeof key, "%s,none", metrics[i]);
        json_object_set_new(o, key, isfinite(value[i]) ? json_real(value[i]) : json_null());
        snprintf(key, sizeof key, "%s_stderr,none", metrics[i]);
        json_object_set_new(o, key, json_string("N/A"));
    }
    return of_task(task, o);
}

static json_t *metadata(const struct stac_result *r) {
    static const char *const bos[] = {"model", "always", "never"}, *const words[] = {"split", "runs"};
    const struct stac_job *job = r->subject->job;
    json_t *token = r->text.prefixed ? json_integer(*r->text.tokens) : json_null();
    return json_pack("{s:f, s:I, s:I, s:I, s:s, s:o, s:s, s:I, s:I, s:I, s:s}", "version", 1.0, "context",
                     (json_int_t)r->score.context, "stride", (json_int_t)r->score.stride, "windows",
                     (json_int_t)r->score.windows, "bos", bos[job->bos], "bos_token", token, "words", words[job->words],
                     "scored_tokens", (json_int_t)r->text.counted.tokens, "scored_words",
                     (json_int_t)stac_perplexity_words(&r->text.counted, job), "scored_bytes",
                     (json_int_t)r->text.counted.bytes, "text_sha256", r->text.sha256);
}

static json_t *configs(const struct stac_result *r, const char *task) {
    json_t *list = json_array();
    for (int i = 0; i < METRICS; i++) json_array_append_new(list, json_pack("{s:s}", "metric", metrics[i]));
    return of_task(task, json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:s, s:i, s:b, s:o}", "task", task, "dataset_path",
                                   r->text.name, "description", "", "doc_to_text", "", "doc_to_target", "{{page}}",
                                   "num_fewshot", 0, "metric_list", list, "output_type", "loglikelihood_rolling", "repeats", 1,
                                   "should_decontaminate", 0, "metadata", metadata(r)));
}

static json_t *directions(const char *task) {
    json_t *o = json_object();
    for (int i = 0; i < METRICS; i++) json_object_set_new(o, metrics[i], json_false());
    return of_task(task, o);
}

/* ["<|endoftext|>", "0"], or [null, "None"]. */
static json_t *token(const struct stac_tokenizer *t, int32_t id) {
    struct stac_strbuf text = {0};
    struct stac_error none = {0};
    char number[16];
    snprintf(number, sizeof number, "%d", id);
    if (id < 0 || stac_tokenizer_decode(t, &id, 1, false, &text, &none) != STAC_OK) {
        stac_strbuf_clean(&text);
        return json_pack("[n, s]", "None");
    }
    json_t *pair = json_pack("[s, s]", stac_strbuf_text(&text), number);
    stac_strbuf_clean(&text);
    return pair;
}

/* What ran, as the harness tells its command line. */
static json_t *config(const struct stac_result *r, const char *model, enum stac_side side) {
    const struct stac_subject *s = r->subject;
    char args[1024];
    int n =
        snprintf(args, sizeof args, "pretrained=%.*s,mode=%s", whole(model, 700), model, side == STAC_SNN ? "snn" : "baseline");
    if (side == STAC_SNN)
        snprintf(args + n, sizeof args - (size_t)n, ",code=%s,neuron=%s,timesteps=%d,execution=%s", stac_code_name(s->snn.code),
                 stac_neuron_name(s->snn.neuron), s->snn.timesteps,
                 s->job->execution == STAC_JOB_TEMPORAL ? "temporal" : "count");
    json_t *limit = s->job->limit_tokens > 0 ? json_real((double)s->job->limit_tokens) : json_null();
    return json_pack("{s:s, s:s, s:n, s:[], s:s, s:n, s:o, s:i, s:n, s:I, s:I, s:I, s:I}", "model", "stac", "model_args", args,
                     "batch_size", "batch_sizes", "device", s->hardware.name, "use_cache", "limit", limit, "bootstrap_iters", 0,
                     "gen_kwargs", "random_seed", (json_int_t)s->job->seed, "numpy_seed", (json_int_t)s->job->seed,
                     "torch_seed", (json_int_t)s->job->seed, "fewshot_seed", (json_int_t)s->job->seed);
}

/* What every file of the harness says beside its results. */
static int add_surroundings(json_t *o, const struct stac_result *r, const char *model) {
    const struct stac_tokenizer *t = r->subject->tokenizer;
    int32_t eos = stac_tokenizer_eos(t);
    char name[1024], seconds[32];
    name_model(model, name, sizeof name);
    snprintf(seconds, sizeof seconds, "%.3f", r->seconds);
    json_t *end = eos >= 0 ? json_integer(eos) : json_null();
    json_t *more =
        json_pack("{s:s, s:f, s:s, s:s, s:s, s:n, s:o, s:o, s:o, s:o, s:I, s:{}, s:s, s:s, s:s, s:n, s:n, s:b, s:n, "
                  "s:n, s:s}",
                  "git_hash", STAC_REVISION, "date", (double)time(NULL), "pretty_env_info", stac_build_info(),
                  "transformers_version", "N/A", "lm_eval_version", form, "upper_git_hash", "tokenizer_pad_token", token(t, -1),
                  "tokenizer_eos_token", token(t, eos), "tokenizer_bos_token", token(t, stac_tokenizer_bos(t)), "eot_token_id",
                  end, "max_length", (json_int_t)r->score.context, "task_hashes", "model_source", "stac", "model_name", model,
                  "model_name_sanitized", name, "system_instruction", "system_instruction_sha", "fewshot_as_multiturn", 0,
                  "chat_template", "chat_template_sha", "total_evaluation_time_seconds", seconds);
    int bad = more ? json_object_update(o, more) : -1;
    json_decref(more);
    return bad;
}

int stac_harness_write(const struct stac_result *r, const char *path, struct stac_error *err) {
    const struct stac_subject *s = r->subject;
    enum stac_side side = s->side[STAC_SNN] ? STAC_SNN : STAC_BASELINE;
    const char *model = side == STAC_SNN ? s->folder : stac_model_path(s->model);
    char task[200];
    name_task(r->text.name, task, sizeof task);
    json_t *o =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "results", figures(r, side, task), "group_subtasks",
                  json_object(), "configs", configs(r, task), "versions", of_task(task, json_real(1.0)), "n-shot",
                  of_task(task, json_integer(0)), "higher_is_better", directions(task), "n-samples",
                  of_task(task, json_pack("{s:i, s:i}", "original", 1, "effective", 1)), "config", config(r, model, side));
    char *text = o && add_surroundings(o, r, model) == 0 ? json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(o);
    if (!text) return stac_fail(err, STAC_ERR_MEMORY, "cannot describe the results as JSON");
    int status = stac_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}
