/* NeuroBench's metrics of a spiking network, by the rules of the package neurobench 2.3 (Yik et al., Nature Communications 16
 * (2025) 1545), from what was counted while a text was read:
 *
 *   Footprint            bytes of parameters and buffers, zeros included
 *   ParameterCount       parameters: weights, biases, embeddings, gains
 *   ConnectionSparsity   zeros / weights of all linear layers, to 4 decimals
 *   ActivationSparsity   1 - spikes / (neurons * time steps), over all neurons of all samples
 *   SynapticOperations   of linear layers, a sample: Dense = inputs * outputs at every time step; effective are those of a
 * non-zero input and a non-zero weight, and they are ACs, since every input of every step is -1, 0 or +1 MembraneUpdates
 * membranes that a step changes, a sample; the first step counts every neuron
 *
 * A sample is a token that is read. Each time step is a call of a layer, with the spikes of that step as its input. Biases,
 * norms and the two products of attention count for nothing in NeuroBench; those of attention are told beside it, as our own
 * figure. */
#ifndef STAC_EVAL_NEUROBENCH_H
#define STAC_EVAL_NEUROBENCH_H

#include "eval/subject.h"
#include "net/channels.h"

/* All sums are over the whole network and text. */
struct stac_neurobench {
    int64_t samples, timesteps;
    int64_t parameters, footprint; /* bytes */
    int64_t weights, zeros;        /* of linear layers */
    int64_t activations, spikes;   /* neurons * time steps; of them with a spike */
    int64_t acs, dense;            /* effective operations, all operations */
    int64_t updates;               /* of membranes; 0: not counted */
    int64_t attention_acs, attention_dense;
    int64_t multiplies; /* of outputs by step weights, all products */
};

/* Add a linear layer: what it and its neurons are made of, and the effective operations and membrane updates that were counted
 * at them. */
void stac_neurobench_layer(struct stac_neurobench *b, const struct stac_site *site, const struct stac_linear *l,
                           const struct stac_channels *counted);

/* Add the counts of a site: activations, spikes, all operations. b->timesteps is set. */
void stac_neurobench_count(struct stac_neurobench *b, enum stac_site_kind kind, const struct stac_counts *counts);

/* The sums of a text that was read: of a subject's SNN, counts[sites] and the channels (net/channels.h) of the whole network,
 * the same on every rank. Collective over all ranks. */
int stac_neurobench_gather(struct stac_subject *s, const struct stac_network *net, const struct stac_counts *counts,
                           int64_t *channels, struct stac_neurobench *out, struct stac_error *err);

/* Write NeuroBench's flat JSON object, with our own figures under the key STAC. */
int stac_neurobench_write(const struct stac_neurobench *b, const char *path, struct stac_error *err);

#endif
