#!/usr/bin/env python3
"""Draw the frontier: python3 jobs/plot_frontier.py out/frontier.h5 frontier.png   (needs h5py, matplotlib)"""
import sys
import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

points = h5py.File(sys.argv[1])["points"]
rows = points[:]
rows = rows[rows["timesteps"] > 0]  # T = 0 is the original
for code, t in sorted({(r["code"], r["timesteps"]) for r in rows}):
    line = rows[(rows["code"] == code) & (rows["timesteps"] == t)]
    line.sort(order="ac_per_mac")
    plt.plot(line["ac_per_mac"], line["ppl_ratio"], "o-", label="%s, T = %d" % (code.decode(), t))
plt.xlabel(points.attrs["ac_per_mac_unit"].decode())
plt.ylabel("perplexity, SNN over original")
plt.legend()
plt.savefig(sys.argv[2], dpi=150)
