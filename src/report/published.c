#include "report/published.h"

/* Ratios are perplexities out of the sources named, divided. Estimated spikes: a Gaussian of the width that the method's
 * thresholds imply, through its code (PhaseSNN, SpikingJelly, LAS). */
static const struct stac_published points[] = {
    {"PhaseSNN Llama-3-8B", 6, 1.238, 2.945, false, "njzhenghy/SpikingLLM: 7.60 / 6.14; 11522 G AC of 3912 G MAC"},
    {"PhaseSNN Llama-3-8B", 8, 1.032, 3.6, true, "njzhenghy/SpikingLLM: 6.34 / 6.14"},
    {"PhaseSNN Llama-2-7B", 8, 1.154, 3.6, true, "njzhenghy/SpikingLLM: 6.31 / 5.47"},
    {"PhaseSNN Llama-2-7B", 10, 1.0055, 4.8, true, "njzhenghy/SpikingLLM: 5.50 / 5.47"},
    {"SpikingJelly Qwen2.5-0.5B", 160, 1.082, 3.9, true, "SpikingJelly, Qwen2 recipe: 12.453 / 11.509; 21-29 % of the MACs"},
    {"SpikingJelly Qwen2.5-1.5B", 512, 1.0087, 14, true, "SpikingJelly, Qwen2 recipe: 8.232 / 8.160; 21-29 % of the MACs"},
    {"LAS GPT-2", 16, 1.0157, 6.5, true, "LAS, AAAI 2026: WikiText-103 16.79 / 16.53"},
    {"MBE GPT-2", 16, 1.0157, 0, false, "MBE, AAAI 2026: WikiText-2 22.69 / 22.34"},
};

const struct stac_published *stac_published_points(size_t *n) {
    *n = sizeof points / sizeof *points;
    return points;
}
