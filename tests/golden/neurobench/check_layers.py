#!/usr/bin/env python3
"""NeuroBench's metrics of the layers that export_layers wrote, by the package neurobench, against what STAC counted.

    python3 check_layers.py LAYERS.h5                     # exit code 1: not the same; 77: a package is missing
    python3 check_layers.py LAYERS.h5 --expected FILE     # and write the package's figures

A layer is a torch.nn.Linear behind a layer of neurons that plays the recorded spikes; each time step is one call. The membranes
are those of causal neurons: spikes take step weights off them.
"""
import importlib.metadata, json, sys

try:
    import h5py, numpy as np, snntorch, torch
    from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
    from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
    from neurobench.models import SNNTorchModel, TorchModel
except ImportError as e:
    print("skipped: %s" % e)
    sys.exit(77)


class Player(snntorch.SpikingNeuron):
    """Neurons that send what they are given."""

    def __init__(self, step_weight):
        super().__init__(init_hidden=False)
        self.step_weight = step_weight

    def start(self, shape):
        self.mem, self.t = torch.zeros(shape, dtype=torch.float64), 0

    def forward(self, spikes):
        self.mem = self.mem - self.step_weight[self.t] * spikes
        self.t += 1
        return spikes, self.mem


class Layers(torch.nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.sizes = [w.shape[0] for w, _, _ in layers]
        self.neurons = torch.nn.ModuleList(Player(sw) for _, _, sw in layers)
        self.linears = torch.nn.ModuleList()
        for w, bias, _ in layers:
            linear = torch.nn.Linear(*w.shape, bias=bias).double()
            linear.weight.data = torch.from_numpy(w.T.astype(np.float64))
            self.linears.append(linear)

    def reset(self):
        for n, size in zip(self.neurons, self.sizes):
            n.start((self.rows, size))

    def forward(self, step):
        out = [linear(neurons(s)[0]) for neurons, linear, s in zip(self.neurons, self.linears, step.split(self.sizes, -1))]
        return out[-1], None


class Stored(torch.nn.Module):
    """The same layers as they lie in memory: int8 weights, float32 biases, and as buffers scales, means and the code's tables."""

    def __init__(self, groups, steps):
        super().__init__()
        for i, g in enumerate(groups):
            w, n_in = g["weight"][:], g["weight"].shape[0]
            linear = torch.nn.Linear(*w.shape, bias=bool(g.attrs["has_bias"]))
            linear.weight = torch.nn.Parameter(torch.from_numpy(w.T.copy()), requires_grad=False)
            self.add_module("linear%d" % i, linear)
            linear.register_buffer("scale", torch.zeros(w.shape[1]))
            if g.attrs["has_mean"]:
                linear.register_buffer("mean", torch.zeros(n_in))
            linear.register_buffer("unit", torch.zeros(1))
            linear.register_buffer("step_weight", torch.zeros(steps, dtype=torch.int32))
            linear.register_buffer("threshold", torch.zeros(steps, 4))


def measure(path):
    with h5py.File(path) as f:
        groups = [f[str(i)] for i in range(2)]
        own, steps, rows = dict(f.attrs), int(f.attrs["timesteps"]), int(f.attrs["samples"])
        layers = [(g["weight"][:], bool(g.attrs["has_bias"]), g["step_weight"][:].tolist()) for g in groups]
        data = np.concatenate([g["spikes"][:].reshape(rows, steps, -1) for g in groups], axis=-1)
        stored = TorchModel(Stored(groups, steps))
    net = Layers(layers)
    net.rows = rows
    model, batch = SNNTorchModel(net), torch.from_numpy(data.astype(np.float64))
    model.register_hooks()
    preds = model(batch)
    got = {"Footprint": Footprint()(stored), "ConnectionSparsity": ConnectionSparsity()(stored),
           "ParameterCount": ParameterCount()(stored)}
    for metric in (ActivationSparsity(), SynapticOperations(), MembraneUpdates()):
        got[type(metric).__name__] = metric(model, preds, (batch, None))
    want = {"Footprint": own["footprint"], "ConnectionSparsity": round(own["zeros"] / own["weights"], 4),
            "ParameterCount": own["parameters"], "ActivationSparsity": (own["activations"] - own["spikes"]) / own["activations"],
            "SynapticOperations": {"Effective_MACs": 0.0, "Effective_ACs": own["acs"] / rows, "Dense": own["dense"] / rows},
            "MembraneUpdates": own["updates"] / rows}
    return got, want


def flat(d):
    return {k + s: float(v) for k, x in d.items() for s, v in (x.items() if isinstance(x, dict) else [("", x)])}


def main():
    got, want = measure(sys.argv[1])
    a, b = flat(got), flat(want)
    for k in a:
        print("%-30s neurobench %.12g, STAC %.12g%s" % (k, a[k], b[k], "" if abs(a[k] - b[k]) <= 1e-12 * abs(a[k]) else "  NOT THE SAME"))
    if "--expected" in sys.argv:
        got["Made"] = "neurobench %s, snntorch %s" % tuple(map(importlib.metadata.version, ("neurobench", "snntorch")))
        with open(sys.argv[sys.argv.index("--expected") + 1], "w") as f:
            json.dump(got, f, indent=4)
            f.write("\n")
    return any(abs(a[k] - b[k]) > 1e-12 * abs(a[k]) for k in a)


if __name__ == "__main__":
    sys.exit(main())
