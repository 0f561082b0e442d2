/* A libnvidia-ml.so without a driver: it answers what a test says. */
#include "nvml.h"

#include <stdint.h>

struct fake_nvml fake_nvml;

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned int *n);
int nvmlDeviceGetHandleByIndex_v2(unsigned int i, void **handle);
int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules);
int nvmlDeviceGetPowerUsage(void *handle, unsigned int *milliwatts);
int nvmlDeviceGetMigMode(void *handle, unsigned int *now, unsigned int *pending);
const char *nvmlErrorString(int code);

int nvmlInit_v2(void) {
    return fake_nvml.init;
}

int nvmlShutdown(void) {
    fake_nvml.shut_down++;
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned int *n) {
    *n = fake_nvml.count;
    return fake_nvml.count_code;
}

/* Handles are indices, from 1. */
int nvmlDeviceGetHandleByIndex_v2(unsigned int i, void **handle) {
    *handle = (void *)(uintptr_t)(i + 1);
    return 0;
}

int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules) {
    uintptr_t i = (uintptr_t)handle - 1;
    *millijoules = fake_nvml.millijoules[i];
    return fake_nvml.energy_code[i];
}

int nvmlDeviceGetPowerUsage(void *handle, unsigned int *milliwatts) {
    uintptr_t i = (uintptr_t)handle - 1;
    *milliwatts = fake_nvml.milliwatts[i];
    return fake_nvml.power_code[i];
}

int nvmlDeviceGetMigMode(void *handle, unsigned int *now, unsigned int *pending) {
    (void)handle;
    *now = *pending = fake_nvml.mig;
    return 0;
}

const char *nvmlErrorString(int code) {
    return code == 3 ? "Not Supported" : code == 15 ? "GPU is lost" : code == 9 ? "Driver Not Loaded" : "Unknown Error";
}
