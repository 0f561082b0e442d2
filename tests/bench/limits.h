/* What this machine can do at most: what measured figures are held against. */
#ifndef STAC_TESTS_BENCH_LIMITS_H
#define STAC_TESTS_BENCH_LIMITS_H

struct limits {
    double read_bandwidth; /* bytes a second out of memory */
    double float_peak;     /* float operations a second, multiply-adds counted twice */
    double int16_peak;     /* the same of 16-bit products summed in 32 bits */
    double int8_peak;      /* of 8-bit products (vpdpbusd); 0: this processor has no such instruction */
};

/* By all threads of OpenMP together; each the best of some tries, all of it about two seconds. */
struct limits limits_measure(void);

#endif
