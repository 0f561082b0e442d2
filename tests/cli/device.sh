#!/bin/sh
# device: cuda through the programs. Without a GPU the kernels run on the host, against a fake of CUDA's runtime (tests/fakes/cuda),
# which keeps the device's memory from the host and notices what a GPU would not forgive.
. "$(dirname "$0")/../shell.sh"
[ -n "${STAC_CUDA_ON_HOST:-}" ] || skip 'the fake of the device is not built: no C++ compiler'
text=$tests/data/wikitext-2-valid.txt

# A machine without a GPU: told with advice, or the processors take over and the result says so. (With one, both work.)
expect 'conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/snn" --simplified --quiet
stac-eval "$work/snn" --quiet --text "$text" --limit_tokens 64 --device cuda > "$work/out" 2> "$work/err"
[ $? = 0 ] || says 'no GPU' '^error: device: cuda: .*use device: cpu' "$work/err"
expect 'auto' 0 stac-eval "$work/snn" --quiet --text "$text" --limit_tokens 64 --device auto --json "$work/auto.json"
says 'auto' '"device": "(cpu, in place of a GPU: device: cuda: .*|NVIDIA.*)"' "$work/auto.json"

export STAC_CUDA_MODULE="$STAC_CUDA_ON_HOST" TMPDIR="$work"
two='env CUDA_ON_HOST_DEVICES=2 mpirun -q -n 2' # ranks with a device each

# over_nccl NAME: nothing went through the host
over_nccl() {
    looked=$((looked + 1))
    ! grep -q 'through the host' "$work/$1.log" || fail "$1: NCCL was not used"
}

# figures NAME COMMAND...: of an evaluation of $tokens tokens, without those of the run
tokens=60
figures() {
    name=$1
    shift
    expect "$name" 0 "$@" --text "$text" --limit_tokens $tokens --json "$work/x.json"
    cat "$work/out" "$work/err" > "$work/$name.log"
    grep -v -E '"(seconds|peak_memory_bytes|ranks|device)"' "$work/x.json" > "$work/$name"
}
figures cpu stac-eval "$work/snn"
figures cuda stac-eval "$work/snn" --device cuda
says 'the plan of the memory' 'device CUDA on the host.*: [0-9]+ of 16384 MiB free; weights take [0-9.]+ MiB, and each token' "$work/cuda.log"
says 'what it ran on' '"device": "CUDA on the host \(a mock\)"' "$work/x.json"
equal 'both sides on the device as on the processor' "$work/cpu" "$work/cuda"
figures stages ranks 2 stac-eval "$work/snn" --device cuda --stages 2
equal 'two stages that share a device' "$work/cpu" "$work/stages"
says 'two stages that share a device' 'stages send through the host: 2 ranks share 1 GPU$' "$work/stages.log"
figures absent env NCCL_ON_HOST_ABSENT=1 $two stac-eval "$work/snn" --device cuda --stages 2
equal 'two stages without NCCL' "$work/cpu" "$work/absent"
says 'two stages without NCCL' 'stages send through the host: NCCL cannot be loaded' "$work/absent.log"
figures nccl $two stac-eval "$work/snn" --device cuda --stages 2
equal 'two stages over NCCL' "$work/cpu" "$work/nccl"
over_nccl nccl
expect 'a peer that is lost' 4 env NCCL_ON_HOST_LOSE=3 timeout 20 $two stac-eval \
    "$work/snn" --device cuda --stages 2 --text "$text" --limit_tokens 60 --quiet
says 'a peer that is lost' '^error: rank [01] on .*NCCL: a peer was lost$' "$work/err"
figures groups ranks 2 stac-eval "$work/snn" --device cuda --stages 1
equal 'two groups, a device each' "$work/cpu" "$work/groups"

# Products of the original by a library: close, and said so; the SNN is the same.
tokens=120
figures exact stac-eval "$work/snn" --device cuda
figures library stac-eval "$work/snn" --device cuda --dense_products library
says 'products of a library' '"device": "CUDA on the host \(a mock\), dense products of its library"' "$work/x.json"
for key in ppl_snn spikes acs; do
    holds "$key with a library" "\"$(value "$work/exact" $key)\" == \"$(value "$work/library" $key)\""
done
holds 'the original with a library' "$(value "$work/exact" ppl_baseline) != $(value "$work/library" ppl_baseline) && \
    ($(value "$work/exact" ppl_baseline) / $(value "$work/library" ppl_baseline) - 1) ^ 2 < 1e-6 ^ 2"
figures rounded stac-eval "$work/snn" --device cuda --dense_products bfloat16
says 'rounded activations' '"device": "CUDA on the host \(a mock\), dense products of its library, in bfloat16"' "$work/x.json"
holds 'the SNN beside rounded activations' "\"$(value "$work/exact" ppl_snn)\" == \"$(value "$work/rounded" ppl_snn)\""
tokens=60
expect 'no library' 2 env CUBLASLT_ON_HOST_ABSENT=1 stac-eval "$work/snn" --device cuda --dense_products library --text "$text" --quiet
says 'no library' '^error: dense_products: library: cuBLASLt cannot be loaded.*use dense_products: exact$' "$work/err"
expect 'a library that fails' 4 env CUBLASLT_ON_HOST_FAIL=1 stac-eval "$work/snn" --device cuda --dense_products library --text "$text" \
    --limit_tokens 60 --quiet
says 'a library that fails' '^error: .*cuBLASLt: cublasLtMatmul fails with 13$' "$work/err"
expect 'a library without a GPU' 2 stac-eval "$work/snn" --dense_products library --text "$text" --quiet
says 'a library without a GPU' '^error: dense_products: library is a matter of GPUs: add device: cuda$' "$work/err"
expect 'bits of a library' 2 stac-eval "$work/snn" --device cuda --dense_products library --test_multi_turn --quiet
says 'bits of a library' '^error: .*compare bits: use --dense_products exact$' "$work/err"

# Conversations: two turns, put away and taken up again on the other.
printf 'ROMEO:\nWhat is thy name?\n/save %s/kept\nWhere dost thou live?\n' "$work" > "$work/talk"
for d in cpu cuda; do
    input=$work/talk expect "a conversation on $d" 0 stac-chat "$work/snn" --quiet --seed 5 --max_new_tokens 8 --device $d
    grep -E '^(SNN|original): ' "$work/out" > "$work/talk.$d"
done
equal 'a conversation on the device' "$work/talk.cpu" "$work/talk.cuda"
holds 'and it is one' "$(wc -l < "$work/talk.cuda") >= 6"
expect 'checks' 0 stac-eval "$work/snn" --device cuda --test_temporal --test_position_boundaries \
    --test_parity_multi_turn --parity_steps 1 --quiet
for check in temporal position_boundaries; do says 'a check' "^passed  $check +0 " "$work/out"; done
says 'time steps on processors, their sum on the device; the kept set' '^passed  parity_multi_turn ' "$work/out"

figures temporal stac-eval "$work/snn" --device cuda --execution temporal
equal 'time steps on the device' "$work/cpu" "$work/temporal"

# Codes that change while the network is there: a sweep.
for d in cpu cuda; do
    expect "a sweep on $d" 0 stac-eval "$work/snn" --device $d --text "$text" --limit_tokens 24 --frontier "$work/frontier.$d.h5" \
        --code ternary,rate --timesteps 4 --spike_budget 0.8,1.2
    grep -o '[a-z_]*, T = .* AC/MAC' "$work/err" > "$work/points.$d"
done
equal 'a sweep on the device' "$work/points.cpu" "$work/points.cuda"
holds 'points that differ' "$(sed 's/.*ratio//' "$work/points.cuda" | sort -u | wc -l) == 3"

# ST-BIF+ neurons: a batch passes all stages once for every time step.
expect 'conversion to ST-BIF+ neurons' 0 stac-convert --from "$work/snn" --output_dir "$work/gradual" --code rate --neuron st_bif \
    --timesteps 4 --quiet
tokens=24
figures steps.cpu stac-eval "$work/gradual" --execution temporal
for execution in count temporal; do
    figures steps.$execution stac-eval "$work/gradual" --device cuda --execution $execution
    equal "ST-BIF+ neurons on the device, $execution" "$work/steps.cpu" "$work/steps.$execution"
done
figures steps.stages ranks 2 stac-eval "$work/gradual" --device cuda --stages 2
equal 'ST-BIF+ neurons on two stages' "$work/steps.cpu" "$work/steps.stages"

# Conversions: texts that the model writes there, passes whose products are there, layer by layer where they have no room. The
# network is that of processors, byte for byte (with the same job, `device: auto`).
how='--verify --mode full --threshold_steps 1'
# converts NAME COMMAND...
converts() {
    name=$1
    shift
    # shellcheck disable=SC2086
    expect "$name" 0 "$@" --model_name "$tiny" --output_dir "$work/by.$name" --device auto $how --num_samples 2 --calibration_length 24
    cat "$work/err" > "$work/$name.log"
}
converts here env STAC_CUDA_MODULE=/bin/sh stac-convert
says 'a conversion without a device' 'cpu, in place of a GPU: device: cuda: /bin/sh: ' "$work/here.log"
converts there stac-convert
says 'the plan of the memory of a conversion' 'device CUDA on the host.*: [0-9]+ of 16384 MiB free; weights take [0-9.]+ MiB$' "$work/there.log"
equal 'a conversion on the device' "$work/by.here/snn_model.h5" "$work/by.there/snn_model.h5"
converts streamed env CUDA_ON_HOST_MEMORY=44000000 stac-convert
says 'a conversion layer by layer' 'weights take [0-9.]+ MiB, layer by layer, for all of them have no room$' "$work/streamed.log"
says 'a conversion layer by layer' '^  2 windows are read together, layer by layer$' "$work/streamed.log"
equal 'a conversion layer by layer' "$work/by.here/snn_model.h5" "$work/by.streamed/snn_model.h5"
# Ranks: what each found is put together by NCCL as well, where all have a device of their own.
converts stages $two stac-convert --stages 2
equal 'a conversion on two stages over NCCL' "$work/by.here/snn_model.h5" "$work/by.stages/snn_model.h5"
how=--simplified
converts simply env STAC_CUDA_MODULE=/bin/sh stac-convert
converts groups $two stac-convert --stages 1
equal 'a conversion of two groups over NCCL' "$work/by.simply/snn_model.h5" "$work/by.groups/snn_model.h5"
converts left_over env CUDA_ON_HOST_DEVICES=3 mpirun -q -n 3 stac-convert --stages 2
equal 'a conversion with a rank that is left over' "$work/by.simply/snn_model.h5" "$work/by.left_over/snn_model.h5"
for name in stages groups left_over; do over_nccl $name; done
converts without_nccl env NCCL_ON_HOST_ABSENT=1 $two stac-convert --stages 1
says 'a conversion without NCCL' '^statistics are put together through the host: NCCL cannot be loaded' "$work/without_nccl.log"
equal 'a conversion without NCCL' "$work/by.simply/snn_model.h5" "$work/by.without_nccl/snn_model.h5"
converts one_gpu ranks 2 stac-convert --stages 1
says 'a conversion of two groups that share a device' '^statistics are put together through the host: 2 ranks share 1 GPU$' "$work/one_gpu.log"
equal 'a conversion of two groups that share a device' "$work/by.simply/snn_model.h5" "$work/by.one_gpu/snn_model.h5"
expect 'a peer that is lost as statistics are put together' 4 env NCCL_ON_HOST_LOSE=2 timeout 60 $two stac-convert --stages 1 \
    --model_name "$tiny" --output_dir "$work/lost" --device cuda --simplified --num_samples 2 --calibration_length 24 --quiet
says 'a peer that is lost as statistics are put together' \
    '^error: rank [01] on .*: cannot put together what the ranks found: NCCL: a peer was lost$' "$work/err"
holds 'it leaves no network' "$(find "$work/lost" -name '*.h5' 2> /dev/null | wc -l) == 0"
expect 'every kind of number, over NCCL' 0 env CUDA_ON_HOST_DEVICES=3 mpirun -q -n 3 "$STAC_BIN/tests/test_merge"
says 'every kind of number, over NCCL' '^rank 2 of 3: .*, over NCCL$' "$work/out"

# What a code of p cannot reach is refused there too.
expect 'a context that is too long' 2 stac-chat "$work/snn" --device cuda --max_context_length 2000 --quiet
says 'a context that is too long' '^error: .*this network was converted for at most [0-9]+: convert it with a larger' "$work/err"

# What runs on processors only.
expect 'sparse' 2 stac-eval "$work/snn" --device cuda --use_sparse --text "$text" --limit_tokens 60 --quiet
says 'sparse' '^error: .*on device: cpu only$' "$work/err"

# Failures: no room, a kernel, no device, a module that is none.
expect 'a kernel that fails in a conversion' 4 env CUDA_ON_HOST_FAIL_LAUNCH=300 stac-convert --model_name "$tiny" \
    --output_dir "$work/failed" --device cuda --simplified --calibration_length 40 --quiet
says 'a kernel that fails in a conversion' '^error: CUDA on the host.*: this launch was to fail$' "$work/err"
holds 'it leaves no network' "$(find "$work/failed" -name '*.h5' 2> /dev/null | wc -l) == 0"
expect 'no room for the weights' 4 env CUDA_ON_HOST_MEMORY=1000000 stac-eval "$work/snn" --device cuda --text "$text" --limit_tokens 60 --quiet
says 'no room for the weights' '^error: CUDA on the host.*: no [0-9]+ bytes for the network \(out of memory\): ' "$work/err"
expect 'no room for conversations' 4 env CUDA_ON_HOST_MEMORY=40000000 stac-eval "$work/snn" --device cuda --text "$text" --limit_tokens 60 --quiet
says 'no room for conversations' 'conversations of [0-9]+ tokens take .* fewer conversations, a shorter max_context_length' "$work/err"
expect 'a kernel that fails' 4 env CUDA_ON_HOST_FAIL_LAUNCH=30 stac-eval "$work/snn" --device cuda --text "$text" --limit_tokens 60 --quiet
says 'a kernel that fails' '^error: CUDA on the host.*: this launch was to fail$' "$work/err"
expect 'a kernel that fails on one of two' 4 ranks 2 sh -c 'exec env CUDA_ON_HOST_FAIL_LAUNCH=$((30 * OMPI_COMM_WORLD_RANK)) \
    stac-eval "$@"' sh "$work/snn" --device cuda --stages 2 --text "$text" --limit_tokens 60 --quiet
says 'a kernel that fails on one of two' '^error: rank 1 on .*: this launch was to fail$' "$work/err"
expect 'no device' 2 env CUDA_ON_HOST_DEVICES=0 stac-eval "$work/snn" --device cuda --text "$text" --limit_tokens 60 --quiet
says 'no device' 'this machine has no GPU; use device: cpu, or auto$' "$work/err"
expect 'no module' 2 env STAC_CUDA_MODULE=/bin/sh stac-eval "$work/snn" --device cuda --text "$text" --limit_tokens 60 --quiet
says 'no module' '^error: device: cuda: /bin/sh: .*; use device: cpu$' "$work/err"
finish
