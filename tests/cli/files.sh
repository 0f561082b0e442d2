#!/bin/sh
# Perplexity against transformers and the lm-evaluation-harness, and the files that others read.
. "$(dirname "$0")/../shell.sh"
golden=$tests/golden/perplexity
text=$tiny/heldout.txt

# near A B SHARE: the same to that share of B
near() { holds "$1" "($2 - $3) <= $4 * $3 && ($3 - $2) <= $4 * $3"; }

# ---- perplexity: every row of the golden file, to 0.1 %
rows=0
while read -r limit context stride bos words tokens scored bytes ppl word byte bits; do
    [ "$limit" != '#' ] || continue
    case ${STAC_SANITIZED:-}$limit in 10) limit=skipped ;; esac
    [ "$limit" != skipped ] || continue
    rows=$((rows + 1))
    what="limit $limit, context $context, stride $stride, bos $bos, words $words"
    expect "$what" 0 stac-eval "$tiny" --mode baseline --text "$text" --limit_tokens "$limit" --context "$context" --stride "$stride" \
        --bos "$bos" --words "$words" --json "$work/x.json" --quiet
    holds "$what: counts" "$(value "$work/x.json" tokens) == $tokens && $(value "$work/x.json" scored_words) == $scored && \
        $(value "$work/x.json" scored_bytes) == $bytes"
    near "$what: perplexity" "$(value "$work/x.json" ppl_baseline)" "$ppl" 0.001
    near "$what: word perplexity" "$(value "$work/x.json" word_ppl_baseline)" "$word" 0.001
    near "$what: byte perplexity" "$(value "$work/x.json" byte_ppl_baseline)" "$byte" 0.001
    near "$what: bits per byte" "$(value "$work/x.json" bits_per_byte_baseline)" "$bits" 0.001
    [ "$bos" = always ] && says "$what" '^before the text +token 0 \(always\)' "$work/out" ||
        says "$what" "^before the text +nothing \\($bos\\)" "$work/out"
    says "$what" "^words \\($words\\), bytes +$scored, $bytes \\(of " "$work/out"
    says "$what" "^tokens predicted +$tokens \\(.* windows of $context, stride $stride\\)" "$work/out"
done < "$golden/expected.txt"
looked=$((looked + 1))
[ $rows -ge 5 ] || fail 'the golden file has fewer rows than expected'

# ---- the harness: its windows predict 256 tokens, ours 255, which makes up to 0.04 % per byte
expect 'the form of the harness' 0 stac-eval "$tiny" --mode baseline --text "$text" --limit_tokens 4096 --context 256 --stride 255 --bos always \
    --lm_eval "$work/lm.json" --json "$work/x.json" --quiet
read -r word byte bits << END
$(grep -v '^#' "$golden/harness.txt")
END
near 'byte perplexity of the harness' "$(value "$work/x.json" byte_ppl_baseline)" "$byte" 0.001
near 'bits per byte of the harness' "$(value "$work/x.json" bits_per_byte_baseline)" "$bits" 0.001
near 'word perplexity of the harness' "$(value "$work/x.json" word_ppl_baseline)" "$word" 0.003
expect 'the shape of its files' 0 python3 "$tests/cli/lm_eval_shape.py" "$golden/results.json" "$work/lm.json"
says 'the form of the harness' '"model_source": "stac"' "$work/lm.json"
says 'the form of the harness' '"heldout": \{' "$work/lm.json"
looked=$((looked + 1))
[ "$(value "$work/lm.json" 'byte_perplexity,none' | cut -c1-8)" = "$(value "$work/x.json" byte_ppl_baseline | cut -c1-8)" ] ||
    fail 'the two JSON files tell two perplexities'

# Names longer than its files hold, every one of which would be cut within a character.
long=$(printf '\303\251%.0s' $(seq 100))
deep=$work/deep/$long/$long/$long/$long/$long
mkdir -p "$deep" && ln -s "$tiny" "$deep/$long"
head -c 2000 "$text" > "$work/deep/$long$(printf '\303\251%.0s' $(seq 20)).txt"
expect 'long names' 0 env -C "$work/deep" stac-eval "$long/$long/$long/$long/$long/$long" --mode baseline --limit_tokens 100 \
    --text "$(cd "$work/deep" && echo *.txt)" --lm_eval "$work/long.json" --quiet
expect 'the shape of its files, with long names' 0 python3 "$tests/cli/lm_eval_shape.py" "$golden/results.json" "$work/long.json"
says 'long names' '"model_args": "pretrained=.*é,mode=baseline"' "$work/long.json"

printf '%01500d' 0 | tr 0 z > "$work/word" # one word: its perplexity is no number
expect 'a text of one word' 0 stac-eval "$tiny" --mode baseline --text "$work/word" --json "$work/x.json" --lm_eval "$work/lm.json" \
    --csv "$work/x.csv" --quiet
says 'a text of one word' '"word_ppl_baseline": null' "$work/x.json"
says 'a text of one word' '"word_perplexity,none": null' "$work/lm.json"
says 'a text of one word' '^word_ppl_baseline,inf,' "$work/x_summary.csv"
says 'a text of one word' '"byte_ppl_baseline": [0-9]' "$work/x.json"

# ---- metrics.h5, CSV, NeuroBench
expect 'a conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/snn" --quiet --num_samples 2 --spike_budget 0.9 --mode simplified
measure() { # FOLDER RANKS NAME ARGUMENT...
    folder=$1
    n=$2
    name=$3
    shift 3
    expect "evaluation $name" 0 ranks "$n" stac-eval "$folder" --text "$text" --limit_tokens 600 --test_perplexity --quiet \
        --json "$work/$name.json" --neurobench "$work/$name.nb" --csv "$work/$name.csv" --lm_eval "$work/$name.lm" "$@"
}
measure "$work/snn" 1 one
cp "$work/snn/metrics.h5" "$work/one.h5"
table() { # NAME PATTERN...: a table of metrics.h5 has these fields
    expect "/$1" 0 h5dump -d "/$1" "$work/one.h5"
    for field in $2; do says "/$1" "\"$field\";|\"$field\"" "$work/out"; done
}
table checks 'name passed figure limit text'
says '/checks' '"perplexity' "$work/out"
table perplexity 'side tokens words bytes nll perplexity word_perplexity byte_perplexity bits_per_byte distinct_predictions'
says '/perplexity' 'ATTRIBUTE "nll_unit"' "$work/out"
says '/perplexity' '"original' "$work/out"
table windows 'begin tokens nll_original nll_snn kl top1_agreement'
says '/windows' 'DATASPACE +SIMPLE \{ \( 3 \) / \( 3 \) \}' "$work/out"
table sites 'layer site activations spikes acs macs covered_macs multiplies spikes_per_activation ac_per_mac coverage'
says '/sites' 'DATASPACE +SIMPLE \{ \( 37 \) / \( 37 \) \}' "$work/out"
expect 'the schema' 0 h5dump -a /schema_version "$work/one.h5"
says 'the schema' '\(0\): 3' "$work/out"
expect 'a unit' 0 h5dump -a /result/kl_unit "$work/one.h5"
says 'a unit' 'nats per token' "$work/out"

sums=$(awk -F, 'NR == 1 { next } { spikes += $4; acs += $5; macs += $6; n++ } END { printf "%d %.0f %.0f %.0f", n, spikes, acs, macs }' \
    "$work/one.csv")
looked=$((looked + 1))
[ "$sums" = "37 $(value "$work/one.json" spikes) $(value "$work/one.json" acs) $(value "$work/one.json" macs)" ] ||
    fail "the rows of the CSV file add up to $sums"
says 'the summary' "^kl,$(value "$work/one.json" kl),nats per token" "$work/one_summary.csv"
says 'the summary' '^passed_perplexity,1,' "$work/one_summary.csv"
looked=$((looked + 1))
! awk -F, 'NF != 3 && !/"/ { exit 1 }' "$work/one_summary.csv" && fail 'a row of the summary has not three columns'

sparsity=$(awk "BEGIN { printf \"%.9f\", 1 - $(value "$work/one.json" spikes) / ($(value "$work/one.json" activations) * 16) }")
near 'ActivationSparsity' "$(value "$work/one.nb" ActivationSparsity)" "$sparsity" 1e-8
holds 'effective operations' "$(value "$work/one.nb" Effective_ACs) < 0.2 * $(value "$work/one.nb" Dense | head -1) && \
    $(value "$work/one.nb" Effective_ACs) > 0"
says 'NeuroBench' '"Effective_MACs": 0.0' "$work/one.nb"
counts='3'
[ -n "${STAC_SANITIZED:-}" ] || counts='2 3 4'
for n in $counts; do
    measure "$work/snn" "$n" "ranks$n" --stages 2
    equal "NeuroBench's figures on 1 and $n ranks" "$work/one.nb" "$work/ranks$n.nb"
    equal "sites on 1 and $n ranks" "$work/one.csv" "$work/ranks$n.csv"
done
expect 'windows, perplexities and sites on 1 rank and others' 0 h5diff "$work/one.h5" "$work/snn/metrics.h5" /windows
expect 'windows, perplexities and sites on 1 rank and others' 0 h5diff "$work/one.h5" "$work/snn/metrics.h5" /sites
measure "$work/snn" 2 temporal --execution temporal
equal "NeuroBench's figures in count and temporal mode" "$work/one.nb" "$work/temporal.nb"
looked=$((looked + 1))
! grep -q MembraneUpdates "$work/temporal.nb" || fail 'a table neuron has membrane updates'

# ---- two results side by side
expect 'a starved conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/starved" --simplified --spike_budget 0.1 --quiet
limits="--text $text --limit_tokens 600 --test_all --parity_steps 13 --quiet"
expect 'a good result' 0 stac-eval "$work/snn" $limits
cp "$work/snn/metrics.h5" "$work/good.h5"
expect 'layer by layer' 0 h5dump -y -d /layers "$work/good.h5"
steps=$(tr -d ' ,' < "$work/out" | grep -E '^[0-9.e-]+$' | paste -sd ' ') # 8 steps of 5 columns
column() { echo "$steps" | cut -d ' ' -f "$(($1 * 5 + $2))"; }
holds 'without spikes' "$(column 0 5) == 0 && $(column 0 3) < 0.001"
holds 'a layer more' "$(column 1 5) > 0.05 && $(column 1 3) > $(column 0 3) && $(column 6 3) > $(column 1 3)"
expect 'one window' 0 stac-eval "$work/snn" --text "$text" --limit_tokens 256 --quiet --json "$work/window.json"
holds 'at the end the network itself' "$(column 7 3) / $(value "$work/window.json" kl) - 1 < 1e-6 &&
    $(column 7 3) / $(value "$work/window.json" kl) - 1 > -1e-6 && $(column 7 2) / $(value "$work/window.json" ppl_ratio) - 1 < 1e-6"
expect 'the same on 3 ranks' 0 ranks 3 stac-eval "$work/snn" $limits
for part in /layers /raster /turns; do expect "$part on 3 ranks" 0 h5diff "$work/good.h5" "$work/snn/metrics.h5" $part; done
for picture in layers raster codes turns; do
    looked=$((looked + 1))
    [ -s "$work/snn/$picture.png" ] || ! command -v gnuplot > /dev/null || fail "no $picture.png"
done
expect 'a bad result' 1 stac-eval "$work/starved" $limits
expect 'the same result twice' 0 stac-eval --compare "$work/snn" "$work/snn/metrics.h5"
says 'the same result twice' '^ppl_ratio +[0-9.]+ +[0-9.]+ += *$' "$work/out"
looked=$((looked + 1))
! grep -q -E 'worse|note:' "$work/out" || fail 'a result is worse than itself'
expect 'a worse result' 1 ranks 2 stac-eval --compare "$work/snn" "$work/starved"
says 'a worse result' '^ppl_ratio .*\+.*  worse$' "$work/out"
says 'a worse result' '^energy_ratio_fp32 .*  better$' "$work/out"
says 'a worse result' '^check fidelity +passed +FAILED +worse: perplexity ratio' "$work/out"
expect 'a better result' 0 stac-eval --compare "$work/starved" "$work/snn"
says 'a better result' '^check fidelity +FAILED +passed +better' "$work/out"
tail -c 9000 "$text" > "$work/other.txt"
expect 'another text' 0 stac-eval "$work/snn" --test_perplexity --text "$work/other.txt" --limit_tokens 300 --quiet
expect 'unlike texts' 0 stac-eval --compare "$work/starved" "$work/snn"
says 'unlike texts' '^note: not the same text: .*heldout.txt in A, .*other.txt in B' "$work/out"
says 'unlike texts' '^note: not the same text_tokens: 600 in A, 300 in B' "$work/out"

# ---- what is refused
refused() { # CODE PATTERN ARGUMENT...
    code=$1
    pattern=$2
    shift 2
    expect "stac-eval $*" "$code" stac-eval --quiet "$@"
    says "stac-eval $*" "^error: .*$pattern" "$work/err"
    looked=$((looked + 1))
    [ "$(wc -l < "$work/err")" = 1 ] || fail "stac-eval $*: more than one line"
}
refused 3 'cannot open|No such file' --compare "$work/none" "$work/snn"
refused 3 'not a "stac-metrics"' --compare "$work/snn" "$work/snn/snn_model.h5"
refused 3 'as HDF5' --compare "$work/snn" "$text"
refused 2 'give --text FILE' "$work/snn" --test_perplexity --lm_eval "$work/y.json"
refused 2 'give --text FILE' "$work/snn" --test_multi_turn --neurobench "$work/y.json"
refused 2 'give --text FILE' "$work/snn" --test_all --bos always
refused 2 'use --mode snn or both' "$tiny" --mode baseline --text "$text" --neurobench "$work/y.json"
refused 2 'leave neurobench out' "$work/snn" --frontier "$work/y.h5" --text "$text" --neurobench "$work/y.json"
refused 3 'no/such/folder' "$work/snn" --text "$text" --limit_tokens 300 --csv "$work/no/such/folder/y.csv"
looked=$((looked + 1))
[ ! -e "$work/y.json" ] && [ ! -e "$work/y.csv" ] || fail 'a refused command left a file'
expect 'an integer code' 0 stac-convert --model_name "$tiny" --output_dir "$work/integer" --quiet --num_samples 2 --mode simplified --code integer
refused 2 'the code integer has none' "$work/integer" --text "$text" --limit_tokens 300 --neurobench "$work/y.json"

# A name is a name, also to gnuplot.
odd="it's \"odd\" \`touch pwned\`
!touch pwned
end"
(
    cd "$work" &&
        stac-convert --model_name "$tiny" --output_dir "$odd" --quiet --num_samples 1 --calibration_length 32 --mode simplified &&
        stac-eval "$odd" --text "$text" --limit_tokens 300 --quiet > /dev/null
)
looked=$((looked + 1))
[ -s "$work/$odd/codes.png" ] && [ -s "$work/$odd/report.html" ] && [ ! -e "$work/pwned" ] ||
    fail 'a folder with an odd name: no pictures, or a part of the name was run as a command'
finish
