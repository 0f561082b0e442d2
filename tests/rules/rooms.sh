#!/bin/sh
# The order of the rooms: a file includes headers of its own room and of those below it, never above.
cd "$(dirname "$0")/../.." || exit 1
# room: what it may include, besides itself
rules='
base:
job: base
spool: base
dist: base job kernels
model: base
text: base model
spike: base kernels
net: base dist model spike kernels
convert: base job dist model text spike net kernels
store: base dist model spike net convert
eval: base job dist model text spike net convert store kernels
energy: base dist spike net eval
result: base job spike net store eval energy
report: base spike net store eval energy result
'
status=0
looked=0
for room in src/*/; do
    room=$(basename "$room")
    allowed=$(echo "$rules" | sed -n "s/^$room://p")
    echo "$rules" | grep -q "^$room:" || { echo "room $room has no rule"; status=1; }
    for file in src/"$room"/*.[ch]; do
        for header in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
            looked=$((looked + 1))
            from=${header%%/*}
            [ "$from" = "$header" ] && { echo "$file includes $header without its room"; status=1; }
            case " $room $allowed " in
            *" $from "*) ;;
            *) echo "$file includes $header: $room may not look into $from"; status=1 ;;
            esac
        done
    done
done
for file in kernels/*.[ch] kernels/*/*.[ch] kernels/cuda/*; do
    for header in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
        looked=$((looked + 1))
        case $header in
        kernels/* | base/*) ;;
        *) echo "$file includes $header: kernels may look into base only"; status=1 ;;
        esac
    done
done
echo "$looked includes looked at"
[ "$looked" -gt 100 ] || status=1
exit $status
