#!/bin/sh
# From a fresh machine to a spiking language model and its measurements.
#
#   sh jobs/quickstart.sh            SmolLM2-135M-Instruct, T = 16, on 2 ranks
#   sh jobs/quickstart.sh --tiny     the small GPT-2 of the tests: no download, seconds
#
# Leaves out/smollm2 (or out/tiny): snn_model.h5, tokenizer/, config.json, conversion_log.txt, metrics.h5, report.html.
set -eu
cd "$(dirname "$0")/.."
. jobs/setup.sh

choose "$@"
if [ -n "$tiny" ]; then
    printf 'ROMEO:\nWhat is thy name?\n' > out/talk.txt
else
    printf 'What do bees make?\nAnd what do they make it from?\n' > out/talk.txt
fi

say "converting on 2 ranks"
on_ranks 2 stac-convert configs/convert.yaml --model_name "$model" --output_dir "$folder" --spike_budget $budget --force
say "evaluating: the spiking network against its original"
on_ranks 2 stac-eval "$folder" --test_all --text "$text" --limit_tokens 8192 --parity_steps 26 \
    --json "$folder/metrics.json"
say "a conversation with both"
cat out/talk.txt
echo
on_ranks 2 stac-chat "$folder" --temperature 0 --max_new_tokens 40 < out/talk.txt
say "look at $folder/report.html"
