#!/bin/sh
# What each step of the conversion is worth: converts with all of them, without one at a time, and with none, at the same
# spike budget and on the same calibration texts, and prints a table.
#
#   sh jobs/ablation.sh [MODEL TEXT] [NAME=VALUE ...]
#
# MODEL   a folder or GGUF file; without it the small GPT-2 of the tests, and its held-out text
#   T=16           time steps
#   BUDGET=1.2     spike_budget (small GPT-2: 0.85)
#   TOKENS=8192    tokens of the text that are predicted
#   OUT=out/ablation  folder of the results: a folder, and a JSON file for every row; a row whose JSON is there is kept
#   STEPS="fit"    which steps; without it all that `stac-convert --help` lists under --without
set -eu
cd "$(dirname "$0")/.."
. jobs/setup.sh

T=16 TOKENS=8192 OUT=out/ablation STEPS= BUDGET=
settings "T BUDGET TOKENS OUT STEPS" "$@"
STEPS=${STEPS:-rotation means hadamard values hidden fisher fit ramps}

# logged LOG COMMAND...: its output is shown only when it fails
logged() {
    log=$1
    shift
    "$@" >> "$log" 2>&1 || { cat "$log" >&2; exit 1; }
}

mkdir -p "$OUT"
windows=$OUT/windows.h5
: > "$OUT/windows.log"
[ -e "$windows" ] || logged "$OUT/windows.log" on_ranks 2 stac-convert --model_name "$model" --create_calibration_data "$windows"
say "$model, T = $T, budget $BUDGET, $TOKENS tokens of $text"
table=$OUT/table.md
printf '| without | ratio | KL | top-1 | AC/MAC |\n|---|---|---|---|---|\n' | tee "$table"
all=$(echo "$STEPS" | tr -s ' ' ',')
[ "$all" = "$STEPS" ] && all=
for without in none $STEPS $all; do
    name=$(echo "$without" | tr ',' '-')
    row=$OUT/$name
    if [ ! -e "$row.json" ]; then
        : > "$row.log"
        logged "$row.log" on_ranks 2 stac-convert --model_name "$model" --output_dir "$row" --force --quiet --timesteps "$T" \
            --spike_budget "$BUDGET" --calibration_data "$windows" --without "$without"
        logged "$row.log" on_ranks 2 stac-eval "$row" --quiet --text "$text" --limit_tokens "$TOKENS" --json "$row.json"
    fi
    # shellcheck disable=SC2046
    printf '| %s | %.4f | %.5f | %.3f | %.3f |\n' "$(echo "$without" | sed 's/,/, /g')" $(value "$row.json" ppl_ratio) \
        $(value "$row.json" kl) $(value "$row.json" top1_agreement) $(value "$row.json" ac_per_mac) | tee -a "$table"
done
