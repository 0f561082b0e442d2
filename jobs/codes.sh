#!/bin/sh
# Codes and neurons at equal T on one model and text: converts once for each, evaluates, and prints a table.
#
#   sh jobs/codes.sh [MODEL TEXT] [NAME=VALUE ...]
#
# MODEL   a folder or GGUF file; without it the small GPT-2 of the tests, and its held-out text
#   T=16         time steps of every code
#   BUDGET=1.2   spike_budget of the ternary code (small GPT-2: 0.85); the others have no price
#   TOKENS=8192  tokens of the text that are predicted
#   MODE=full    or simplified
#   OUT=out/codes  folder of the results: a folder, and a JSON file for every row
#   ROWS="ternary:table ternary:causal"  which, as code:neuron[:FLAG=VALUE]; without it all of them
#
# Rows marked "dense" have no spikes: float32 as loaded, and integers of 8 bits for weights and activations and of as many
# bits for the activations as come near the ternary code. st_bif is shown at T, and at 4 T with as many levels as T.
set -eu
cd "$(dirname "$0")/.."
. jobs/setup.sh

T=16 TOKENS=8192 MODE=full OUT=out/codes ROWS= BUDGET=
settings "T BUDGET TOKENS MODE OUT ROWS" "$@"
long=$((4 * T > 64 ? 64 : 4 * T))
[ -n "$ROWS" ] || ROWS="ternary:table ternary:causal phase:table phase:causal one_spike:table one_spike:causal
    rate:table rate:if rate:if:timesteps=$long rate:lif rate:st_bif rate:st_bif:timesteps=$long:levels=$T
    integer:table:activation_bits=4 integer:table:activation_bits=5 integer:table:activation_bits=6 integer:table:activation_bits=8"

mkdir -p "$OUT"
say "$model, T = $T, $TOKENS tokens of $text, $MODE"
{
    printf '| code | neuron | T | ratio | KL | top-1 | AC/MAC | spikes per activation | multiplications per MAC | coverage |\n'
    printf '|---|---|---|---|---|---|---|---|---|---|\n'
    printf '| dense | float32 | - | 1 | 0 | 1 | - | - | - | 0 |\n'
} | tee "$OUT/table.md"
for row in $ROWS; do
    # shellcheck disable=SC2046
    set -- $(echo "$row" | tr ':' ' ')
    code=$1 neuron=$2 label=$code steps=$T
    shift 2
    flags=
    for flag in "$@"; do
        flags="$flags --${flag%%=*} ${flag#*=}"
        case $flag in
        timesteps=*) steps=${flag#*=} ;;
        *) label="$label, $(echo "$flag" | tr '_=' '  ')" ;;
        esac
    done
    folder=$OUT/$(echo "$row" | tr ':=' '__')
    # shellcheck disable=SC2086
    on_ranks 2 stac-convert --model_name "$model" --output_dir "$folder" --force --quiet --mode "$MODE" --timesteps "$T" \
        --spike_budget "$BUDGET" --code $code --neuron $neuron $flags > "$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
    on_ranks 2 stac-eval "$folder" --quiet --text "$text" --limit_tokens "$TOKENS" --json "$folder.json" >> "$folder.log" 2>&1 ||
        { cat "$folder.log" >&2; exit 1; }
    j=$folder.json
    # shellcheck disable=SC2046
    printf '| %s | %s | %s | %.4f | %.5f | %.3f | %.3f | %.3f | %.4f | %.0f %% |\n' "$label" "$neuron" "$steps" \
        $(value "$j" ppl_ratio) $(value "$j" kl) $(value "$j" top1_agreement) $(value "$j" ac_per_mac) \
        $(value "$j" spikes_per_activation) \
        $(echo "$(value "$j" multiplies) $(value "$j" macs)" | awk '{ print $1 / $2 }') \
        $(echo "$(value "$j" coverage)" | awk '{ print 100 * $1 }') | tee -a "$OUT/table.md"
done
