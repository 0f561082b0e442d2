#include "spike/leaky.h"

struct stac_word stac_leaky_word(const struct stac_code *code, float magnitude) {
    struct stac_word word = {0, 0};
    float v = 0, input = magnitude * code->neuron.drive, leak = code->neuron.leak;
    for (int t = 0; t < code->timesteps; t++) {
        v = leak * v + input;
        if (!(v >= 0.5f)) continue;
        word.plus |= UINT64_C(1) << t;
        v -= 1.0f;
    }
    return word;
}
