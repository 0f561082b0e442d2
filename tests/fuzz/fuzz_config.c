/* config.json, and behind a zero generation_config.json, of a folder that holds the weights of a small model. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "model/arch.h"

/* Hyper-parameters by themselves: their products must be far from overflow. */
static void read_config(const char *text, size_t size) {
    struct stac_error err = {0};
    struct stac_hparams hp = {0};
    const struct stac_arch *arch;
    const char *type;
    json_t *json = NULL;
    int status = stac_json_parse("config.json", text, size, &json, &err);
    struct stac_config c = {json, "config.json"};
    if (status == STAC_OK) status = stac_json_string_or(json, c.path, "model_type", "", &type, &err);
    if (status == STAC_OK) status = stac_arch_find(type, strlen(type), &arch, &err);
    if (status == STAC_OK) status = arch->read_config(&c, &hp, &err);
    if (status == STAC_OK) status = stac_config_bos(&c, &hp, &err);
    if (status == STAC_OK) status = stac_config_eos(&c, &hp, &err);
    if (status == STAC_OK) status = stac_hparams_check(&hp, c.path, &err);
    if (fuzz_accepted(status, &err)) {
        PROMISE(hp.n_layer >= 1 && hp.n_layer <= STAC_MAX_LAYERS && hp.n_embd >= 1 && hp.n_embd <= STAC_MAX_WIDTH);
        PROMISE(hp.n_head >= 1 && hp.n_head_kv >= 1 && hp.n_head % hp.n_head_kv == 0 && hp.head_dim >= 1);
        PROMISE(hp.n_ff >= 1 && hp.n_ff <= STAC_MAX_FF && hp.n_vocab >= 1 && hp.n_vocab <= STAC_MAX_VOCAB);
        PROMISE(hp.n_ctx >= 1 && hp.norm_eps >= 0 && hp.n_eos >= 0 && hp.n_eos <= STAC_MAX_EOS);
        PROMISE(hp.bos >= -1 && hp.bos < hp.n_vocab);
        for (int i = 0; i < hp.n_eos; i++) PROMISE(hp.eos[i] >= 0 && hp.eos[i] < hp.n_vocab);
    }
    json_decref(json);
}

/* The folder, with the weights of the family that the text names. */
static void open_folder(const char *config, size_t config_size, const char *generation, size_t generation_size) {
    static struct stac_mapping weights[2];
    static const char *const paths[] = {STAC_TEST_DATA "/golden/logits/gpt2-1head-relu/model.safetensors",
                                        STAC_TEST_DATA "/golden/logits/llama-wide-heads-bf16/model.safetensors"};
    struct stac_error err = {0};
    struct stac_model *m;
    for (int i = 0; i < 2; i++)
        if (!weights[i].data) MUST(stac_file_map(paths[i], &weights[i], &err));
    int llama = config_size > 5 && memmem(config, config_size, "llama", 5) != NULL;
    fuzz_file(0, config, config_size);
    fuzz_file(1, generation_size ? generation : "{}", generation_size ? generation_size : 2);
    fuzz_file(2, weights[llama].data, weights[llama].size);
    fuzz_link("config.json", 0);
    fuzz_link("generation_config.json", 1);
    fuzz_link("model.safetensors", 2);
    if (!fuzz_accepted(stac_model_open(fuzz_folder(), &m, &err), &err)) return;
    for (int l = 0; l < stac_model_hparams(m)->n_layer; l++)
        for (int w = 0; w < STAC_W_COUNT; w++) {
            size_t n = stac_model_count(m, (enum stac_weight)w, l);
            float *out = malloc(n * sizeof *out + 1);
            PROMISE(out != NULL && n < weights[llama].size);
            if (n) fuzz_accepted(stac_model_read(m, (enum stac_weight)w, l, out, &err), &err);
            free(out);
        }
    stac_model_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t n, n_generation;
    const char *config = fuzz_part(data, size, 0, &n), *generation = fuzz_part(data, size, 1, &n_generation);
    read_config(config, n);
    open_folder(config, n, generation, n_generation);
    return 0;
}
