#!/usr/bin/env python3
"""Draw spikes per activation by layer and site: python3 jobs/plot_metrics.py out/snn/metrics.h5 metrics.png   (needs h5py, matplotlib)"""
import sys
import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

file = h5py.File(sys.argv[1])
sites = file["sites"][:]
for site in dict.fromkeys(sites["site"]):
    of_site = sites[sites["site"] == site]
    plt.plot(of_site["layer"], of_site["spikes_per_activation"], "o-", label=site.decode())
plt.title("perplexity ratio %.4f, AC/MAC %.3f" % (file["result"].attrs["ppl_ratio"], file["result"].attrs["ac_per_mac"]))
plt.xlabel("layer")
plt.ylabel(file["sites"].attrs["spikes_per_activation_unit"].decode())
plt.legend()
plt.savefig(sys.argv[2], dpi=150)
