/* eval/dialogues.h: sets of conversations are read or refused in one line; what counts as a right answer. */
#include "unit.h"

#include <string.h>

#include "eval/dialogues.h"

static void the_kept_set_is_whole(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_dialogues d;
    size_t asked = 0;
    OK(stac_dialogues_parse("kept", stac_kept_conversations, strlen(stac_kept_conversations), &d, &err));
    assert_true(d.n >= 100);
    assert_int_equal(d.n_kinds, 4);
    for (size_t i = 0; i < d.n; i++) {
        int expected = 0;
        for (int t = 0; t < d.at[i].n_turns; t++) {
            const struct stac_turn *turn = &d.at[i].turn[t];
            expected += turn->n_expected > 0;
            if (turn->n_expected && !stac_turn_is_right(turn, turn->assistant))
                fail_msg("%s: the set's own answer \"%s\" is not right", d.at[i].name, turn->assistant);
        }
        assert_true(expected > 0);
        asked += (size_t)expected;
    }
    size_t longest = (size_t)d.longest, n = d.n;
    stac_dialogues_thin(&d, 10);
    assert_int_equal(d.n, 10);
    assert_true((size_t)d.longest <= longest);
    assert_string_equal(d.at[0].name, "recall-001");
    assert_true(strcmp(d.at[9].name, "recall-010") > 0 || strncmp(d.at[9].name, "long", 4) == 0);
    stac_dialogues_clean(&d);
    printf("%zu conversations, %zu questions\n", n, asked);
}

static void damaged_sets_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"{}", "set: no list of conversations"},
        {"[]", "set"},
        {"{\"conversations\": []}", "no list of conversations"},
        {"{\"conversations\": 3}", "no list of conversations"},
        {"{\"conversations\": [3]}", "conversation 0: not an object"},
        {"{\"conversations\": [{\"kind\": \"a\", \"turns\": []}]}", "conversation 0: name is missing"},
        {"{\"conversations\": [{\"name\": \"x\", \"turns\": []}]}", "conversation 0: kind is missing"},
        {"{\"conversations\": [{\"name\": \"x\", \"kind\": \"a\"}]}", "conversation 0 (x): turns must be a list of 1 to 16"},
        {"{\"conversations\": [{\"name\": \"x\", \"kind\": \"a\", \"turns\": []}]}", "turns must be a list of 1 to 16"},
        {"{\"conversations\": [{\"name\": \"x\", \"kind\": \"a\", \"turns\": [{\"user\": \"u\"}]}]}", "assistant is missing"},
        {"{\"conversations\": [{\"name\": \"x\", \"kind\": \"a\", \"turns\": [{\"user\": 1, \"assistant\": \"b\"}]}]}", "user"},
        {"{\"conversations\": [{\"name\": \"x\", \"kind\": \"a\", \"turns\": [{\"user\": \"u\", \"assistant\": \"b\", "
         "\"expect\": "
         "[]}]}]}",
         "expect must be a list of 1 to 4"},
        {"{\"conversations\": [{\"name\": \"x\", \"kind\": \"a\", \"turns\": [{\"user\": \"u\", \"assistant\": \"b\", "
         "\"expect\": "
         "[1]}]}]}",
         "expect holds something that is no text"},
        {"{\"conversations\": [", "set"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_error err = {0};
        struct stac_dialogues d;
        FAILS(stac_dialogues_parse("set", cases[i].text, strlen(cases[i].text), &d, &err), STAC_ERR_INPUT, cases[i].part);
    }
}

static void right_answers_hold_an_expected_word(void **state) {
    (void)state;
    const struct stac_turn turn = {.expected = {"Ada", "eight", "8"}, .n_expected = 3};
    static const char *const right[] = {"Ada", "Your name is Ada.", "it is ADA!", "8", "It has eight legs", "(8)", "x 8"};
    static const char *const wrong[] = {"", "Adam", "Nevada", "18", "80", "height", "eighteen", "Your name is Eve."};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) assert_true(stac_turn_is_right(&turn, right[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(stac_turn_is_right(&turn, wrong[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kept_set_is_whole),
        cmocka_unit_test(damaged_sets_are_refused),
        cmocka_unit_test(right_answers_hold_an_expected_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
