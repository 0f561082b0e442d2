"""Compare logits written by stac-eval (raw float32 out of h5dump) with the second sequence of a golden file: 1e-4 relative."""
import array
import json
import sys

golden = json.load(open(sys.argv[1]))
rows = sum(golden["mask"][0])
wanted = [v for row in golden["logits"][rows : rows + len(golden["ids"][1])] for v in row]
found = array.array("f", open(sys.argv[2], "rb").read())
if len(found) != len(wanted):
    sys.exit(f"{len(found)} logits instead of {len(wanted)}")
worst = max(abs(a - b) for a, b in zip(wanted, found)) / max(map(abs, wanted))
print(f"relative error {worst:.2e}")
sys.exit(0 if worst < 1e-4 else f"relative error {worst}")
