#!/bin/sh
# stac-chat from a script: commands, conversations put away and taken up again, and one that talks far past its context.
. "$(dirname "$0")/../shell.sh"

# A folder as GPT-2 has it on the hub: its tokenizer names no BOS and EOS, and the converted folder has them all the same.
mkdir "$work/hub" && cp "$tiny"/*.json "$tiny/model.safetensors" "$work/hub" || exit 1
echo '{"model_max_length": 1024}' > "$work/hub/tokenizer_config.json"
expect 'conversion' 0 ranks 2 stac-convert --model_name "$work/hub" --output_dir "$work/snn" --simplified --quiet
for folder in hub snn; do
    expect "BOS of $folder" 0 stac-eval "$work/$folder" --mode baseline --text "$tiny/heldout.txt" --limit_tokens 256 --bos always --quiet
    says "BOS of $folder" '^before the text +token 0 \(always\)' "$work/out"
done
chat() { # WHAT CODE ARGUMENT...: the lines are in $work/talk
    what=$1 code=$2
    shift 2
    input=$work/talk expect "$what" "$code" "$@" stac-chat "$work/snn" --quiet --seed 5 --max_new_tokens 12
}

# A conversation in one go, and the same with a pause between its turns.
printf 'ROMEO:\nWhat is thy name?\n/save %s/kept\nWhere dost thou live?\nAnd who art thou?\n' "$work" > "$work/talk"
chat 'a conversation' 0
sed -n '/written to/,$p' "$work/out" | sed '/written to/d' > "$work/at_once"
printf 'Something else.\n/load %s/kept\nWhere dost thou live?\nAnd who art thou?\n' "$work" > "$work/talk"
chat 'the same after a pause' 0
says 'what was taken up' '^SNN: [0-9]+ tokens, 2 turns$' "$work/out"
sed '1,/^SNN: .* tokens, /d' "$work/out" > "$work/later"
equal 'a conversation that was put away goes on as if it had not' "$work/at_once" "$work/later"
chat 'the same on 3 ranks' 0 ranks 3
sed '1,/^SNN: .* tokens, /d' "$work/out" > "$work/on_three"
equal 'and on 3 ranks' "$work/at_once" "$work/on_three"

# 60 turns in a context of 256 tokens.
i=0
while [ $i -lt 60 ]; do
    i=$((i + 1))
    echo "Speak of thing number $i, and of $((i * 7)) others."
done > "$work/talk"
echo /stats >> "$work/talk"
chat 'sixty turns' 0
holds 'every turn is answered' "$(grep -c '^SNN: ' "$work/out") == 61 && $(grep -c '^original: ' "$work/out") == 61"
says 'figures of the last turn' '^SNN: [0-9]+ tokens read, [0-9]+ written .*AC/MAC [01]\.[0-9]+$' "$work/out"
says 'its energy' '^  energy [0-9.e+]+ pJ operations of products, .* and memory \(horowitz_45nm_memory, FP32\)' "$work/out"

# Every token is counted in the turn in which the network reads it: the last one of an answer, and the line break behind it, are not
# read yet. No token is counted where nothing was read.
printf 'ROMEO:\n/stats\nWhat is thy name?\n/stats\n/save %s/stats\n/load %s/stats\n/stats\n' "$work" "$work" > "$work/talk"
chat 'figures of every turn' 0
figures() { sed -n "s/^$1: \\([0-9]*\\) tokens read, \\([0-9]*\\) written.*/\\1 \\2/p" "$work/out" | tr '\n' ' '; } # SIDE: of each turn
for side in SNN original; do
    there=$(sed -n "s/^$side: \\([0-9]*\\) tokens, 2 turns$/\\1/p" "$work/out")
    set -- $(figures $side)
    holds "tokens of two turns of $side" "$1 + $3 + 2 == ${there:-0} && $2 == 12 && $4 == 12 && $5 == 0 && $6 == 0"
done
spikes=$(sed -n 's/^SNN: .* s; \([0-9.e+]*\) spikes, \([0-9]*\) a token.*/\1 \2/p' "$work/out" | head -1)
set -- $spikes $(figures SNN)
holds 'spikes a token' "$1 / $3 - $2 < 0.01 * $2 && $2 - $1 / $3 < 0.01 * $2"

# Who answers, and what is not a command.
printf '/mode snn\nROMEO:\n/mode baseline\nJULIET:\n/mode both\n//slash\n/help\n/reset\n/quit\nnot read\n' > "$work/talk"
chat 'modes' 0
holds 'one answers, then the other, then both' "$(grep -c '^SNN: ' "$work/out") == 2 && $(grep -c '^original: ' "$work/out") == 2"
says 'help' '^/mode ' "$work/out"
printf '/mode nobody\n/dance\n/save\n/load %s/none\n/load %s/talk\nROMEO:\n' "$work" "$work" > "$work/talk"
chat 'commands that go wrong are told, the rest is done' 1
for line in '/mode snn, /mode baseline or /mode both' 'no command /dance; /help' 'want the name of a file' 'none\.original\.h5'; do
    says 'a command that goes wrong' "$line" "$work/err"
done
says 'the conversation goes on' '^SNN: ' "$work/out"
cp "$work/kept.snn.h5" "$work/cut.snn.h5" && cp "$work/kept.original.h5" "$work/cut.original.h5"
printf 'x' | dd of="$work/cut.original.h5" bs=1 seek=900 conv=notrunc 2> /dev/null
echo "/load $work/cut" > "$work/talk"
chat 'a damaged conversation is not taken up' 1

# What is told and leaves both sides as they are: a line without room, and a conversation of which one side is missing or damaged.
printf 'ROMEO:\nWhat is thy name?\n' > "$work/talk"
chat 'two turns' 0
cp "$work/out" "$work/undisturbed"
long=$(printf 'a %.0s' $(seq 300))
cp "$work/kept.snn.h5" "$work/half.snn.h5"
cp "$work/kept.original.h5" "$work/second.original.h5" && cp "$work/kept.snn.h5" "$work/second.snn.h5"
printf 'x' | dd of="$work/second.snn.h5" bs=1 seek=900 conv=notrunc 2> /dev/null
printf '%s\nROMEO:\n%s\n/load %s/half\n/load %s/second\n/load %s/cut\nWhat is thy name?\n' "$long" "$long" \
    "$work" "$work" "$work" > "$work/talk"
chat 'lines that go wrong in between' 1
equal 'the conversation goes on as if they had not been there' "$work/undisturbed" "$work/out"
holds 'each is told in one line' "$(wc -l < "$work/err") == 5"
says 'the line that is too long' 'a line that takes 30[0-9] tokens .* room for 256 in all' "$work/err"
says 'the side that is missing' 'half\.original\.h5' "$work/err"
chat 'the same on 3 ranks' 1 ranks 3
equal 'lines that go wrong on 3 ranks' "$work/undisturbed" "$work/out"
if [ -z "$STAC_SANITIZED" ]; then # sanitizers want to be loaded first
    chat 'a first rank that is slow to leave' 1 ranks 3 env LD_PRELOAD="$STAC_FAKE_LINGER"
    equal 'all of it is written' "$work/undisturbed" "$work/out"
fi

# A network of random weights says any byte; a terminal is not shown those that it would obey.
controls() { tr -d '\r\n\t' < "$1" | LC_ALL=C tr -cd '\000-\037\177' | wc -c; }
printf 'Say.\nMore.\nAnd more.\n' > "$work/talk"
cp -r "$tests/data/schema/llama" "$work/noise"
noise="stac-chat $work/noise --mode snn --quiet --max_new_tokens 60"
input=$work/talk expect 'anything, to a file' 0 $noise
holds 'it is written as it is' "$(controls "$work/out") > 3"
if script -q -e -c true /dev/null > /dev/null 2>&1; then
    expect 'anything, at a terminal' 0 script -q -e -c "$noise < '$work/talk'" "$work/typescript"
    says 'anything, at a terminal' '^SNN: .*\?' "$work/out"
    holds 'control characters are shown as question marks' "$(controls "$work/out") == 0"
else
    echo 'not looked at: what a terminal is shown; there is no script here, or no pseudo-terminal'
fi
finish
