#!/bin/sh
# Every check can fail: stac-eval with a deliberate fault (tests/broken/faults.c) names the checks that see it.
. "$(dirname "$0")/../shell.sh"
text=$tiny/heldout.txt

expect 'conversion' 0 ranks 2 stac-convert --model_name "$tiny" --output_dir "$work/snn" --simplified --quiet

# breaks FAULT CHECK...: these fail, and the program says so
breaks() {
    fault=$1
    shift
    expect "a network broken by $fault" 1 env STAC_FAULT="$fault" "$STAC_BIN/tests/stac-eval-broken" "$work/snn" --test_all --quiet \
        --parity_steps 13 --text "$text" --limit_tokens 1024
    for check in "$@"; do says "$fault" "^FAILED  $check " "$work/out"; done
}

expect 'nothing broken' 0 "$STAC_BIN/tests/stac-eval-broken" "$work/snn" --test_all --quiet --parity_steps 13 --text "$text" \
    --limit_tokens 1024
breaks positions position_boundaries multi_turn tsp_state parity_multi_turn
breaks mask attention_mask
breaks cache attention_mask tsp_state
breaks reset tsp_state
breaks time temporal
breaks bypass energy spike_rates
breaks dead fidelity spike_rates
finish
