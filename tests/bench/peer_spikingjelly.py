"""The products of a Llama-shaped model as SpikingJelly and torch run them on this machine: lines of CSV (name,value,unit).

    python peer_spikingjelly.py EMBED FF Q KV LAYERS T TOKENS
    python peer_spikingjelly.py neurons DEVICE VALUES T        its leaky neurons, by the kernel that it has for the device

Activations become signed spikes over T steps by SpikingJelly's QCFS encoder, a layer multiplies every step, and its outputs add
up; no attention, no norms. One block is timed, the best of some tries, and counts LAYERS times. Speed does not depend on values:
weights and activations are random.
"""
import sys
import time

import torch
from spikingjelly.activation_based.ann2snn import SignedQCFSSequenceEncoder
from spikingjelly.activation_based.neuron import LIFNode

TRIES = 3


def best_of(tries, run):
    seconds = []
    for _ in range(tries):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def neurons(device, values, steps):
    node = LIFNode(tau=10.0, decay_input=False, v_reset=None, step_mode="m").to(device)
    x = torch.randn(steps, values, device=device)

    def run():
        node.reset()
        node(x)
        if device != "cpu":
            torch.cuda.synchronize()

    with torch.inference_mode():
        run()  # compiles
        print(f"spikingjelly_lif_neurons,{values * steps / best_of(TRIES, run):.5g},steps/s")


def main():
    if sys.argv[1] == "neurons":
        neurons(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return
    embed, ff, q, kv, n_layers, steps, tokens = map(int, sys.argv[1:8])
    shapes = [(embed, q + 2 * kv), (q, embed), (embed, 2 * ff), (ff, embed)]
    layers = [torch.nn.Linear(n_in, n_out, bias=False) for n_in, n_out in shapes]
    inputs = [torch.randn(tokens, n_in) for n_in, _ in shapes]
    encoders = [SignedQCFSSequenceEncoder(x.abs().amax(0) / steps, steps, collect_statistics=False) for x in inputs]

    def spiking():
        for layer, encoder, x in zip(layers, encoders, inputs):
            layer(encoder.encode(x)).sum(0)

    def dense():
        for layer, x in zip(layers, inputs):
            layer(x)

    with torch.inference_mode():
        for name, run in ("spikingjelly", spiking), ("torch", dense):
            print(f"{name}_products,{tokens / (n_layers * best_of(TRIES, run)):.5g},tokens/s")


main()
