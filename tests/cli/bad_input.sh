#!/bin/sh
# Bad input is answered by one clear line and exit code 2 or 3; nothing is written.
. "$(dirname "$0")/../shell.sh"
mkdir "$work/in" "$work/out-folder"
heldout=$tiny/heldout.txt

# refused CODE PATTERN COMMAND...: and the message is one line, and no file appeared
refused() {
    code=$1
    pattern=$2
    shift 2
    what="$*"
    expect "$what" "$code" timeout 60 "$@" || return
    says "$what" "$pattern" "$work/err"
    looked=$((looked + 1))
    [ "$(grep -c '^error: ' "$work/err")" = 1 ] && [ "$(wc -l < "$work/err")" = 1 ] || { fail "$what: not one line"; cat "$work/err"; }
    [ -z "$(ls -A "$work/out-folder")" ] || { fail "$what: left $(ls -A "$work/out-folder")"; rm -rf "$work"/out-folder/*; }
}
convert() { # CODE PATTERN ARGUMENT...
    code=$1
    pattern=$2
    shift 2
    refused "$code" "^error: .*$pattern" stac-convert --quiet --output_dir "$work/out-folder/snn" "$@"
}

# ---- command line and job file
convert 2 'no model' --timesteps 8
convert 2 'timestep.*did you mean.*timesteps' --timestep 8
convert 2 'timesteps.*1 to 64' --model_name "$tiny" --timesteps 65
convert 2 'timesteps.*1 to 64' --model_name "$tiny" --timesteps 0
convert 2 'timesteps' --model_name "$tiny" --timesteps many
convert 2 'quantize_bits' --model_name "$tiny" --quantize_bits 9
convert 2 'code must be one of ternary' --model_name "$tiny" --code table
convert 2 'code rate does not run on the neuron causal; it runs on table, if, lif, st_bif' --model_name "$tiny" --code rate --neuron causal
convert 2 'code ternary does not run on the neuron lif' --model_name "$tiny" --neuron lif
convert 2 'code integer does not run on the neuron st_bif' --model_name "$tiny" --code integer --neuron st_bif
convert 2 'levels is for the code rate' --model_name "$tiny" --levels 4
convert 2 '20 levels need as many time steps' --model_name "$tiny" --code rate --levels 20
convert 2 'activation_bits.*2 to 10' --model_name "$tiny" --code integer --activation_bits 11
convert 2 'leak.*0.1 to' --model_name "$tiny" --code rate --neuron lif --leak 1
convert 2 'spike_budget' --model_name "$tiny" --set spike_budget=nan
convert 2 'surrogate_function must be one of atan' --model_name "$tiny" --surrogate_function triangle
convert 2 'surrogate_alpha.*0.1 to 100' --model_name "$tiny" --surrogate_alpha 0
convert 2 'threshold_steps is for the mode full' --model_name "$tiny" --threshold_steps 2 --simplified
convert 2 'threshold_steps is for the mode full with its fit and the code ternary' --model_name "$tiny" --threshold_steps 2 --code phase
convert 2 'threshold_steps needs num_samples of 2' --model_name "$tiny" --threshold_steps 2 --num_samples 1
convert 2 'threshold_steps.*0 to 1000' --model_name "$tiny" --threshold_steps -1
convert 2 'closed form: leave threshold_steps out' --from "$tiny" --threshold_steps 2
convert 2 'surrogate_function and surrogate_alpha are for threshold_steps above 0' --model_name "$tiny" --surrogate_alpha 8
convert 2 'surrogate_function and surrogate_alpha are for threshold_steps' --model_name "$tiny" --surrogate_function sigmoid --simplified
convert 2 'layer_norm.*not part of' --model_name "$tiny" --layer_norm spike
convert 2 'jobs/none.yaml' "$work/jobs/none.yaml"
job() { # CODE PATTERN TEXT
    printf "$3" > "$work/in/job.yaml"
    convert "$1" "job.yaml:$2" "$work/in/job.yaml"
}
job 2 '1:1: .*no keys' ''
job 2 '1:1: .*did you mean .timesteps' 'timestep: 8\n'
job 2 '2:1: .*timesteps.* given twice' 'timesteps: 8\ntimesteps: 9\n'
job 2 '1:12: timesteps must be a whole number' 'timesteps: eight\n'
job 2 '1:12: .*1 to 64' 'timesteps: 99\n'
job 2 '1:12: .*not a list' 'timesteps: [8]\n'
job 2 '1:1: .*mapping' '\055 timesteps\n'
job 2 '2:1: not valid YAML' 'timesteps: "8\n'
job 2 '1:1: not valid YAML' '\377\376t'
job 2 ' .*NUL' 't\000'
bomb='timesteps: &a [x,x,x,x,x,x,x,x,x]\n'
last=a
for l in b c d e f g h i; do
    bomb="$bomb$l: \&$l [*$last,*$last,*$last,*$last,*$last,*$last,*$last,*$last,*$last]\n"
    last=$l
done
job 2 '1:12: ' "$bomb"
head -c 2000000 /dev/zero | tr '\0' 'a' > "$work/in/job.yaml"
convert 2 'job.yaml.*(larger|bytes)' "$work/in/job.yaml"

# ---- models
copy() { # NAME: a copy of the small GPT-2 to be damaged
    rm -rf "$work/in/$1"
    cp -r "$tiny" "$work/in/$1"
    model=$work/in/$1
}
convert 3 'no/such/model|not there' --model_name "$work/no/such/model"
convert 3 'huggingface-cli download|hf download' --model_name distilbert/distilgpt2
copy no-config && rm "$model/config.json"
convert 3 'config.json' --model_name "$model"
copy heads && sed -i 's/"n_head": *[0-9]*/"n_head": 7/' "$model/config.json"
convert 3 'n_head|heads' --model_name "$model"
copy architecture && sed -i 's/GPT2LMHeadModel/BertForMaskedLM/; s/"model_type": *"gpt2"/"model_type": "bert"/' "$model/config.json"
convert 3 'bert|Bert' --model_name "$model"
copy cut && truncate -s 3000000 "$model/model.safetensors"
convert 3 'model.safetensors' --model_name "$model"
copy short && truncate -s 4 "$model/model.safetensors"
convert 3 'model.safetensors' --model_name "$model"
copy empty && : > "$model/model.safetensors"
convert 3 'model.safetensors' --model_name "$model"
copy long-header && printf '\377\377\377\377\377\377\377\177' | dd of="$model/model.safetensors" conv=notrunc 2> /dev/null
convert 3 'model.safetensors' --model_name "$model"
copy overlap && python3 - "$model/model.safetensors" << 'PY'
import json, struct, sys
path = sys.argv[1]
data = open(path, "rb").read()
n, = struct.unpack("<Q", data[:8])
header = json.loads(data[8:8 + n])
names = [k for k in header if k != "__metadata__" and header[k]["data_offsets"][0] > 0]
size = header[names[0]]["data_offsets"]
header[names[0]]["data_offsets"] = [size[0] - 4, size[1] - 4]
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open(path, "wb").write(struct.pack("<Q", len(text)) + text + data[8 + n:])
PY
convert 3 'overlap' --model_name "$model"
copy holes && python3 - "$model/tokenizer.json" << 'PY'
import json, sys
t = json.load(open(sys.argv[1]))
gone = [k for k, v in t["model"]["vocab"].items() if v == 700][0]
del t["model"]["vocab"][gone]
json.dump(t, open(sys.argv[1], "w"))
PY
convert 3 'tokenizer.json' --model_name "$model"
copy no-tokenizer && rm "$model/tokenizer.json"
convert 3 'tokenizer' --model_name "$model"
for n in 0 3 4 8 20 24; do
    printf 'GGUF\003\000\000\000\007\000\000\000\000\000\000\000\011\000\000\000\000\000\000\000' | head -c $n > "$work/in/cut.gguf"
    convert 3 'cut.gguf' --model_name "$work/in/cut.gguf"
done

# A relative name, in a folder whose own name is not UTF-8: the result could not tell where the model was.
latin=$work/in/$(printf 'caf\351')
mkdir "$latin" && cp -r "$tiny" "$latin/model"
refused 2 'the path of the model.* is not a text in UTF-8' env -C "$latin" stac-convert --quiet --model_name model \
    --num_samples 1 --calibration_length 32 --mode simplified --output_dir "$work/out-folder/snn"

# ---- outputs and texts
mkdir "$work/exists" && touch "$work/exists/keep"
expect 'an output folder that exists' 2 stac-convert --model_name "$tiny" --output_dir "$work/exists" --quiet
says 'an output folder that exists' '--force' "$work/err"
looked=$((looked + 1))
[ "$(ls -A "$work/exists")" = keep ] || fail "an output folder that exists was touched"
convert 3 'none.txt' --model_name "$tiny" --calibration_text "$work/none.txt"
: > "$work/in/empty.txt"
convert 3 'empty.txt' --model_name "$tiny" --calibration_text "$work/in/empty.txt"

# ---- evaluation
expect 'a conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/snn" --quiet --num_samples 2 --mode simplified
evaluate() { # CODE PATTERN ARGUMENT...
    code=$1
    pattern=$2
    shift 2
    refused "$code" "^error: .*$pattern" stac-eval --quiet "$@"
}
evaluate 2 'nothing to do' "$work/snn"
evaluate 2 'not a converted folder' "$tiny" --text "$heldout"
evaluate 2 'perplexity without the original needs a text' "$work/snn" --mode snn --test_all
evaluate 2 'test_parity_multi_turn compares both sides' "$work/snn" --test_parity_multi_turn --mode snn
evaluate 2 'parity_tolerance.*0 to 1' "$work/snn" --test_parity_multi_turn --parity_tolerance 2
evaluate 3 'none.json' "$work/snn" --test_parity_multi_turn --conversations "$work/none.json"
echo '{"conversations": [{"name": "a", "kind": "b", "turns": [{"user": "c"}]}]}' > "$work/turns.json"
evaluate 3 'turns.json, conversation 0: assistant is missing' "$work/snn" --test_parity_multi_turn --conversations "$work/turns.json"
evaluate 2 'test_energy compares both sides' "$work/snn" --test_energy --mode snn --text "$heldout"
evaluate 2 'test_spike_rates needs the SNN' "$work/snn" --test_spike_rates --mode baseline
evaluate 3 'none.yaml' "$work/snn" --test_energy --limit_tokens 64 --text "$heldout" --energy_model "$work/none.yaml"
printf 'name: mine\nmac: {value: 4.6, unit: nJ, source: me}\n' > "$work/in/energy.yaml"
evaluate 2 'energy.yaml:2:1: the unit of mac is pJ, not nJ' "$work/snn" --test_energy --limit_tokens 64 --text "$heldout" \
    --energy_model "$work/in/energy.yaml"
evaluate 2 'context' "$work/snn" --text "$heldout" --context 100000
evaluate 3 'none.txt' "$work/snn" --text "$work/none.txt"
evaluate 2 'logits_out' "$work/snn" --ids 1,2,3
evaluate 2 'ids' "$work/snn" --ids 1,x --logits_out "$work/out-folder/l.h5"
evaluate 2 '1024|vocabulary|token' "$work/snn" --ids 1,99999 --logits_out "$work/out-folder/l.h5"
# One line for all ranks, too.
for request in '' '--context 100000 --text README.md' '--mode snn --test_all' '--mode snn --test_fidelity' \
    '--mode baseline --test_temporal'; do
    # shellcheck disable=SC2086
    refused 2 '^error: rank 0 on .*' mpirun -q -n 2 stac-eval --quiet "$work/snn" $request
done
cp -r "$work/snn" "$work/damaged"
truncate -s 100000 "$work/damaged/snn_model.h5"
evaluate 3 'snn_model.h5' "$work/damaged" --text "$heldout"
copy other && python3 - "$model/model.safetensors" << 'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(-4, 2)
    f.write(b"\0\0\0\0")
PY
evaluate 3 'not the model that was converted' "$work/snn" --model_name "$model" --text "$heldout"
finish
