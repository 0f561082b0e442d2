#!/bin/sh
# Hours of conversations, and what they leave behind: memory and open files of a stac-chat that talks without a pause, with long
# conversations, new ones, and such as are put away and taken up again.
#
#   sh jobs/soak.sh [--tiny] [MINUTES=120]     with out/smollm2 or out/tiny, as jobs/quickstart.sh leaves them
#
# Leaves out/soak/samples.csv (seconds,resident bytes,open files,answers) and samples.png; ends with 1 if memory or files grow:
# the median of the last quarter against that of the second.
set -eu
cd "$(dirname "$0")/.."
. jobs/setup.sh

folder=out/smollm2 MINUTES=120
for arg in "$@"; do
    case $arg in
    --tiny) folder=out/tiny ;;
    MINUTES=*) MINUTES=${arg#*=} ;;
    *) die "unknown argument $arg; see the head of this script" ;;
    esac
done
PATH=$PATH:$PWD/build/release
command -v stac-chat > /dev/null && [ -e $folder/snn_model.h5 ] || die "run jobs/quickstart.sh first"
out=out/soak
rm -rf $out
mkdir -p $out
csv=$out/samples.csv
end=$(($(date +%s) + MINUTES * 60))

# What is said: questions; now and then figures, a new conversation, one that is kept, one that is taken up again.
talk() {
    n=0
    while [ "$(date +%s)" -lt $end ]; do
        n=$((n + 1))
        echo "Tell me about thing number $n, and how it differs from number $((n * 7 % 1000))."
        case $((n % 50)) in
        10) echo /stats ;;
        20) echo "/save $out/kept" ;;
        30) echo /reset ;;
        40) echo "/load $out/kept" ;;
        esac
    done
}
talk | stac-chat $folder --quiet --threads 1 --max_new_tokens 24 > $out/answers.txt 2> $out/errors.txt &
pid=$!
sleep 1
began=$(date +%s)
say "$folder, $MINUTES minutes: memory and open files in $csv"
while [ "$(date +%s)" -lt $end ]; do
    resident=$(awk '/VmRSS/ { print $2 * 1024 }' /proc/"$pid"/status 2> /dev/null) || true
    [ -n "$resident" ] || die "stac-chat ended: $(tail -1 $out/errors.txt)"
    echo "$(($(date +%s) - began)),$resident,$(ls /proc/"$pid"/fd 2> /dev/null | wc -l),$(grep -c '^SNN: ' $out/answers.txt)" >> $csv
    sleep 5
done
kill "$pid" # with many questions still in its pipe
wait || true
gnuplot << EOD || echo "no picture: gnuplot is missing"
set terminal pngcairo size 900,360 font 'sans,10'
set output '$out/samples.png'
set datafile separator ','
set grid
set xlabel 'minutes'
set ylabel 'MiB'
set yrange [0:]
set y2label 'open files'
set y2range [0:]
set y2tics
plot '$csv' using (\$1 / 60):(\$2 / 1048576) with lines title 'memory', '' using (\$1 / 60):3 axes x1y2 with lines title 'open files'
EOD

# median COLUMN FROM TO: of the lines between two shares of all
median() {
    lines=$(wc -l < $csv)
    sed -n "$((lines * $2 / 100 + 1)),$((lines * $3 / 100))p" $csv | cut -d, -f"$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
early=$(median 2 25 50) late=$(median 2 75 100) files_early=$(median 3 25 50) files_late=$(median 3 75 100)
printf '%s answers; memory %.1f MiB in the second quarter, %.1f in the last; open files %s and %s\n' "$(tail -1 $csv | cut -d, -f4)" \
    "$(echo "$early" | awk '{ print $1 / 1048576 }')" "$(echo "$late" | awk '{ print $1 / 1048576 }')" "$files_early" "$files_late"
awk "BEGIN { exit !($late <= $early * 1.01 && $files_late <= $files_early) }" || die "they grow"
