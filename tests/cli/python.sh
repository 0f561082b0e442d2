#!/bin/sh
# Files of STAC in Python: the examples with h5py, the forms of others in their own packages. PYTHON names the interpreter.
. "$(dirname "$0")/../shell.sh"
python=${PYTHON:-python3}
has() { "$python" -c "import $1" 2> /dev/null; }
has h5py && has matplotlib || skip 'h5py or matplotlib is not installed'
text=$tiny/heldout.txt

expect 'a conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/snn" --quiet --num_samples 2 --spike_budget 0.9 --mode simplified \
    --neuron causal
expect 'a sweep' 0 stac-eval "$work/snn" --frontier "$work/f.h5" --timesteps 8 --spike_budget 0.8,1.2 --code causal --text "$text" \
    --limit_tokens 300 --quiet
expect 'an evaluation' 0 stac-eval "$work/snn" --text "$text" --limit_tokens 300 --quiet --lm_eval "$work/lm.json" --csv "$work/x.csv"
expect 'the picture of a frontier' 0 "$python" "$tests/../jobs/plot_frontier.py" "$work/f.h5" "$work/f.png"
expect 'the picture of metrics' 0 "$python" "$tests/../jobs/plot_metrics.py" "$work/snn/metrics.h5" "$work/m.png"
for picture in f m; do
    looked=$((looked + 1))
    [ "$(head -c 4 "$work/$picture.png" | tail -c 3)" = PNG ] || fail "$picture.png is no picture"
done
if has pandas; then
    expect 'CSV in pandas' 0 "$python" -c "import pandas, sys
sites, all = pandas.read_csv('$work/x.csv'), pandas.read_csv('$work/x_summary.csv').set_index('name').value
sys.exit(not (len(sites) == 37 and sites.spikes.sum() == float(all['spikes']) and sites.groupby('site').acs.sum().min() > 0))"
fi
if has lm_eval; then
    expect 'the table of the harness' 0 "$python" -c "import json, lm_eval.utils as u; print(u.make_table(json.load(open('$work/lm.json'))))"
    says 'the table of the harness' 'word_perplexity' "$work/out"
fi
if has neurobench; then
    expect 'layers' 0 "$STAC_EXPORT_LAYERS" "$work/snn" "$work/layers.h5"
    expect 'NeuroBench on layers' 0 "$python" "$tests/golden/neurobench/check_layers.py" "$work/layers.h5"
    says 'NeuroBench on layers' '^MembraneUpdates .*STAC [1-9]' "$work/out"
else
    echo 'neurobench is not installed: its figures are those of tests/golden/neurobench'
fi
finish
