/* A chat template, and behind zeros what two people say: templates are recognised or not, and what is said holds no control
 * tokens; a conversation taken turn by turn is the conversation taken at once. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "text/chat.h"
#include "text/chat_template.h"

static void converse(const struct stac_tokenizer *t, enum stac_chat_format format, const char *first, const char *second) {
    struct stac_error err = {0};
    struct stac_tokens whole = {0}, turns = {0};
    size_t controls = 0;
    const struct stac_message m[] = {{"user", first}, {"assistant", second}, {"user", second}};
    MUST(stac_chat_encode(t, format, m, 3, 0, true, &whole, &err));
    for (size_t i = 0; i < whole.n; i++) controls += stac_tokenizer_is_special(t, whole.id[i]);
    PROMISE(controls == (format == STAC_CHAT_PLAIN ? 0 : format == STAC_CHAT_SMOLLM2 ? 9 : 7));
    MUST(stac_chat_encode(t, format, m, 1, 0, false, &turns, &err));
    MUST(stac_chat_encode(t, format, m, 2, 1, false, &turns, &err));
    MUST(stac_chat_encode(t, format, m, 3, 2, true, &turns, &err));
    PROMISE(turns.n == whole.n && (!whole.n || memcmp(turns.id, whole.id, whole.n * sizeof *whole.id) == 0));
    stac_tokens_clean(&whole);
    stac_tokens_clean(&turns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct stac_tokenizer *smol;
    struct stac_error err = {0};
    enum stac_chat_format format;
    if (!smol) MUST(stac_tokenizer_open(STAC_TEST_DATA "/golden/tokenizer/smol", &smol, &err));
    char *text = fuzz_text(data, size, 0), *first = fuzz_text(data, size, 1), *second = fuzz_text(data, size, 2);
    PROMISE(fuzz_accepted(stac_chat_recognise(text, &format, &err), &err));
    PROMISE(format == STAC_CHAT_AUTO || format == STAC_CHAT_CHATML || format == STAC_CHAT_SMOLLM2);
    converse(smol, format == STAC_CHAT_AUTO ? STAC_CHAT_PLAIN : format, first, second);
    free(text);
    free(first);
    free(second);
    return 0;
}
