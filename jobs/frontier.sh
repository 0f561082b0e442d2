#!/bin/sh
# A conversion, and what codes, time steps and spike budgets cost its perplexity: table and picture.
#
#   sh jobs/frontier.sh            SmolLM2-135M-Instruct on 2 ranks; interrupt it and start it again as you like
#   sh jobs/frontier.sh --tiny     the small GPT-2 of the tests: no download, two minutes
#
# Leaves frontier.h5 and frontier.png in out/smollm2 (or out/tiny), which is converted first if it is not there.
set -eu
cd "$(dirname "$0")/.."
. jobs/setup.sh

choose "$@"
if [ ! -e "$folder/snn_model.h5" ]; then
    say "converting on 2 ranks"
    on_ranks 2 stac-convert configs/convert.yaml --model_name "$model" --output_dir "$folder" --spike_budget $budget
fi
say "sweeping on 2 ranks"
on_ranks 2 stac-eval configs/frontier.yaml "$folder" --text "$text" --frontier "$folder/frontier.h5"
