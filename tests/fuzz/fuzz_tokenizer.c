/* tokenizer.json, and behind a zero tokenizer_config.json. What is accepted encodes and decodes, and is written and read
 * again as an equal tokenizer. */
#include <string.h>

#include "harness.h"
#include "text/chat.h"
#include "text/tokenizer.h"

static void encode(const struct stac_tokenizer *t, const char *text, size_t size) {
    struct stac_error err = {0};
    for (int specials = 0; specials < 2; specials++) {
        struct stac_tokens tokens = {0};
        struct stac_strbuf decoded = {0};
        MUST(stac_tokenizer_encode(t, text, size, specials, &tokens, &err));
        for (size_t i = 0; i < tokens.n; i++) {
            PROMISE(tokens.id[i] >= 0 && tokens.id[i] < stac_tokenizer_n_vocab(t));
            PROMISE(specials || !stac_tokenizer_is_special(t, tokens.id[i]));
        }
        MUST(stac_tokenizer_decode(t, tokens.id, tokens.n, specials, &decoded, &err));
        stac_strbuf_clean(&decoded);
        stac_tokens_clean(&tokens);
    }
}

static void decode_all(const struct stac_tokenizer *t) {
    struct stac_error err = {0};
    struct stac_strbuf text = {0};
    for (int32_t id = 0; id < stac_tokenizer_n_vocab(t); id++) MUST(stac_tokenizer_decode(t, &id, 1, false, &text, &err));
    int32_t outside = stac_tokenizer_n_vocab(t);
    PROMISE(stac_tokenizer_decode(t, &outside, 1, false, &text, &err) == STAC_ERR_USAGE);
    stac_strbuf_clean(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] = "abc cab! <end>a  d\xC4\xA0\xff"
                               "b 123";
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    enum stac_chat_format format;
    size_t n, n_config;
    const char *json = fuzz_part(data, size, 0, &n), *config = fuzz_part(data, size, 1, &n_config);
    fuzz_file(0, json, n);
    fuzz_file(1, n_config ? config : "{}", n_config ? n_config : 2);
    fuzz_link("tokenizer.json", 0);
    fuzz_link("tokenizer_config.json", 1);
    if (!fuzz_accepted(stac_tokenizer_open(fuzz_folder(), &t, &err), &err)) {
        PROMISE(t == NULL);
        return 0;
    }
    PROMISE(stac_tokenizer_n_vocab(t) >= 0 && (size_t)stac_tokenizer_n_vocab(t) < size);
    PROMISE(stac_tokenizer_bos(t) < stac_tokenizer_n_vocab(t) && stac_tokenizer_eos(t) < stac_tokenizer_n_vocab(t));
    PROMISE(stac_tokenizer_prefix(t) < stac_tokenizer_n_vocab(t));
    encode(t, text, sizeof text - 1);
    encode(t, json, n < 2000 ? n : 2000);
    decode_all(t);
    fuzz_accepted(stac_chat_format_of(t, &format, &err), &err);
    stac_tokenizer_close(t);
    return 0;
}
