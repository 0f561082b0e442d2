#!/bin/sh
# What the programs answer without a conversion: help, reference files, tokens, logits, conversations.
. "$(dirname "$0")/../shell.sh"
golden=$tests/golden

for program in stac-convert stac-eval stac-chat; do
    expect "$program --help" 0 $program --help
    says "$program --help" '^Usage: .*'$program "$work/out"
    says "$program --help" '--timesteps|--temperature' "$work/out"
    expect "$program --version" 0 $program --version
    says "$program --version" '^stac [0-9]+\.[0-9]+' "$work/out"
done
expect 'the reference of stac-convert' 0 stac-convert --reference
equal 'configs/convert.yaml' "$work/out" "$tests/../configs/convert.yaml"
expect 'the reference of stac-eval' 0 stac-eval --reference
equal 'configs/eval.yaml' "$work/out" "$tests/../configs/eval.yaml"

# Token ids as Hugging Face gives them for this model.
printf 'First Citizen:\nBefore we proceed any further, hear me speak.\n' > "$work/text"
expect 'tokens' 0 stac-eval "$tiny" --tokenize "$work/text"
looked=$((looked + 1))
ids=$(cat "$work/out")
[ "$ids" = "$(cat "$tests/cli/tokens.expected")" ] || fail "tokens: $ids"
looked=$((looked + 1))
[ "$(wc -l < "$work/out")" = 1 ] || fail 'tokens are not on one line'

# Logits of the golden models, against those of transformers.
for folder in gpt2-2heads llama-4heads-2kv-tied llama-4heads-sharded; do
    for n in 1 2; do
        ids=$(python3 -c "import json,sys; print(*json.load(open(sys.argv[1]))['ids'][1], sep=',')" \
            "$golden/logits/$folder/expected.json")
        expect "logits of $folder on $n ranks" 0 ranks $n stac-eval "$golden/logits/$folder" --mode baseline --quiet \
            --ids "$ids" --logits_out "$work/logits-$n.h5" --stages $n
        rm -f "$work/logits"
        expect "reading the logits of $folder" 0 h5dump -d /logits -b LE -o "$work/logits" "$work/logits-$n.h5"
        expect "comparing the logits of $folder" 0 python3 "$tests/cli/compare_logits.py" "$golden/logits/$folder/expected.json" \
            "$work/logits"
        cp "$work/logits" "$work/logits-of-$n"
    done
    equal "logits of $folder on 1 and 2 ranks" "$work/logits-of-1" "$work/logits-of-2"
done

# The table of codes.
expect 'a table of codes' 0 sh "$tests/../jobs/codes.sh" T=4 TOKENS=300 MODE=simplified OUT="$work/codes" \
    ROWS='ternary:causal ternary:table:code_bits=8 rate:st_bif:timesteps=8:levels=4 integer:table:activation_bits=5'
says 'a table of codes' '^\| ternary \| causal \| 4 \| [0-9.]+ \|' "$work/out"
says 'a table of codes' '^\| ternary, code bits 8 \| table \| 4 \| [0-9.]+ \|' "$work/out"
says 'a table of codes' '^\| rate, levels 4 \| st_bif \| 8 \| .* \| 0.0000 \| 100 % \|' "$work/out"
says 'a table of codes' '^\| integer, activation bits 5 \| table \| 4 \| .* \| 0.000 \| 0.000 \| 0.0000 \| 0 % \|' "$work/out"
expect 'a table of codes without a text' 2 sh "$tests/../jobs/codes.sh" "$tiny"
expect 'a table of codes with an unknown neuron' 1 sh "$tests/../jobs/codes.sh" T=4 TOKENS=300 ROWS=rate:causal OUT="$work/codes"
expect 'a table of codes with an unknown word' 2 sh "$tests/../jobs/codes.sh" STEPS=4

# The table of what each step is worth; its programs are seen under sanitizers elsewhere.
if [ -z "${STAC_SANITIZED:-}" ]; then
    expect 'an ablation' 0 sh "$tests/../jobs/ablation.sh" T=4 TOKENS=300 STEPS=fit OUT="$work/ablation"
    looked=$((looked + 1))
    [ "$(grep -E '^\| (none|fit) \| [0-9.]+ \|' "$work/ablation/table.md" | cut -d'|' -f3- | sort -u | wc -l)" = 2 ] ||
        fail 'leaving a step out changes nothing'
    expect 'an ablation of an unknown step' 1 sh "$tests/../jobs/ablation.sh" T=4 TOKENS=300 STEPS=fits OUT="$work/ablation"
    says 'an ablation of an unknown step' 'without must be one of' "$work/err"
fi

# A conversation from a script: as many answers as lines, the same with the same seed, another with another.
expect 'a conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/snn" --quiet --num_samples 2 --mode simplified
expect 'all checks without a text' 0 ranks 2 stac-eval "$work/snn" --test_all --parity_steps 13 --quiet --json "$work/result.json"
says 'all checks without a text' '"text": "4 texts written by the original' "$work/result.json"
says 'all checks without a text' '"passed_fidelity": true' "$work/result.json"
expect 'conversations that fit no context' 1 stac-eval "$work/snn" --test_parity_multi_turn --parity_steps 3 --max_context_length 16 --quiet
says 'conversations that fit no context' '^left out +3 of 3' "$work/out"
cat > "$work/kinds.json" << 'END'
{"conversations": [{"name": "a", "kind": "<i>\u001b[31mred", "turns": [{"user": "Who?", "assistant": "Romeo.", "expect": ["Romeo"]}]}]}
END
expect 'a kind with control characters' 0 stac-eval "$work/snn" --test_parity_multi_turn --conversations "$work/kinds.json" \
    --parity_tolerance 1 --quiet
says 'a kind with control characters' '^<i> \[31mred +[01] of 1 right' "$work/out"
says 'a kind with control characters' '<td>&lt;i&gt; \[31mred</td>' "$work/snn/report.html"
printf 'ROMEO:\n\nJULIET:\n' > "$work/talk"
for seed in 1 1 2; do
    input=$work/talk expect "a conversation with seed $seed" 0 stac-chat "$work/snn" --mode snn --quiet --seed $seed --max_new_tokens 20
    looked=$((looked + 1))
    [ "$(grep -c '^SNN: ' "$work/out")" = 2 ] || fail 'a conversation has not one answer per line'
    cp "$work/out" "$work/talk-$seed-$((seen = ${seen:-0} + 1))"
done
equal 'two conversations with one seed' "$work/talk-1-1" "$work/talk-1-2"
looked=$((looked + 1))
! cmp -s "$work/talk-1-1" "$work/talk-2-3" || fail 'two seeds give one conversation'
finish
