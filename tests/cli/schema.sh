#!/bin/sh
# Files that earlier programs wrote are read, with the figures that they had; other versions are refused by one line.
. "$(dirname "$0")/../shell.sh"
kept=$tests/data/schema
text=$tests/data/wikitext-2-valid.txt
names='tokens|windows|(word_|byte_)?ppl_snn|bits_per_byte_snn|distinct_snn|timesteps|ac_per_mac|spikes_per_activation'
names="$names|coverage|energy_ratio_fp32|activations|spikes|acs|macs|multiplies|code|neuron"

# measured WHAT FOLDER EXPECTED ARGUMENT...
measured() {
    what=$1
    folder=$2
    expected=$3
    shift 3
    expect "$what" 0 stac-eval "$folder" --mode snn --text "$text" --limit_tokens 1024 --quiet --json "$work/x.json" "$@"
    grep -E "\"($names)\"" "$work/x.json" > "$work/found"
    looked=$((looked + 1))
    diff "$expected" "$work/found" || fail "$what: other figures"
}
for f in llama gpt2; do
    cp -r "$kept/$f" "$work/$f"
    measured "the kept $f" "$work/$f" "$kept/$f/expected.txt"
    measured "the kept $f, step by step" "$work/$f" "$kept/$f/expected.txt" --execution temporal
    expect "the kept figures of $f beside those of now" 0 stac-eval --compare "$kept/$f" "$work/$f"
    says "the kept figures of $f" '^ppl_ratio +0\.99' "$work/out"
    for figure in ppl_snn acs spikes multiplies; do says "the kept figures of $f" "^$figure .* =" "$work/out"; done
    printf '/load %s/talk\nOnce more.\n' "$kept/$f" > "$work/talk"
    input=$work/talk expect "the kept conversation of $f" 0 stac-chat "$work/$f" --mode snn --temperature 0 --max_new_tokens 8 --quiet
    says "the kept conversation of $f" '^SNN: 38 tokens, 2 turns$' "$work/out"
    [ "$f" = gpt2 ] || says "the kept conversation of $f goes on" '^SNN: EEEEEEEE$' "$work/out"
done

# What calibration left in the file still gives the codes that the network has.
expect 'codes designed anew' 0 stac-convert --from "$kept/llama" --output_dir "$work/again" --quiet
measured 'codes designed anew' "$work/again" "$kept/llama/expected.txt"

# ---- other versions
refused() { # PATTERN COMMAND...
    pattern=$1
    shift
    expect "$*" 3 "$@"
    says "$*" "^error: .*$pattern" "$work/err"
    looked=$((looked + 1))
    [ "$(wc -l < "$work/err")" = 1 ] || fail "$*: more than one line"
}
written='written by stac 0\.1\.0 \(cec510c\); this program reads version'
other='the file is damaged, or of another version of STAC; make it again'
refused "snn_model.h5 has schema version 5, $written 4: use that one, or a newer one" stac-eval "$kept/newer" --mode snn
refused "snn_model.h5: / keeps its attributes in a heap: $other" stac-eval "$kept/older" --mode snn
refused "schema version 5, $written 4" stac-chat "$kept/newer" --mode snn
refused "schema version 5, $written 4" stac-convert --from "$kept/newer" --timesteps 8 --output_dir "$work/none"
refused "metrics.h5 has schema version 4, $written 3: use that one" stac-eval --compare "$kept/newer" "$kept/gpt2"
refused "metrics.h5: /[a-z]* is packed: $other" stac-eval --compare "$kept/gpt2" "$kept/older"
printf '/load %s/newer/talk\n' "$kept" > "$work/talk"
input=$work/talk expect 'a conversation of a newer version' 1 stac-chat "$work/gpt2" --mode snn --quiet
says 'a conversation of a newer version' "talk.snn.h5 has schema version 3, $written 2: use that one" "$work/err"
looked=$((looked + 1))
[ ! -e "$work/none" ] || fail 'a refused conversion left a folder'
finish
