/* What the fake libnvidia-ml.so answers; a test sets it through the symbol fake_nvml. */
#ifndef STAC_TESTS_FAKE_NVML_H
#define STAC_TESTS_FAKE_NVML_H

enum { FAKE_GPUS = 2 };

struct fake_nvml {
    int init, count_code; /* return codes */
    unsigned int count;
    int energy_code[FAKE_GPUS], power_code[FAKE_GPUS];
    unsigned long long millijoules[FAKE_GPUS];
    unsigned int milliwatts[FAKE_GPUS];
    unsigned int mig;
    int shut_down; /* calls of nvmlShutdown */
};

#endif
