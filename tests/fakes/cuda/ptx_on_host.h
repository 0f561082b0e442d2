/* What the instructions mean that ptx_to_cpp.py writes out. Addresses are checked as compute-sanitizer would: within what is
 * reserved, whole multiples of what is read or written there, and bytes of shared memory that one thread writes and another
 * reads or writes are kept apart by a barrier. */
#ifndef STAC_PTX_ON_HOST_H
#define STAC_PTX_ON_HOST_H

#include <initializer_list>
#include <type_traits>

#include "on_host.h"

typedef void (*ptx_kernel)(const unsigned char *const *param);
struct ptx_entry {
    const char *symbol;
    ptx_kernel kernel;
    size_t static_shared; /* bytes */
};
bool ptx_know(std::initializer_list<ptx_entry> kernels);

/* ---- registers ------------------------------------------------------------------------------------------------------ */

/* The low bytes of a register, or of a number, as a type. */
template <typename T, typename R> static inline T as(R r) {
    T t = 0;
    memcpy(&t, &r, sizeof t < sizeof r ? sizeof t : sizeof r);
    return t;
}

/* A result into a register, which may be wider: integers keep their value. */
template <typename R, typename T> static inline void to(R &r, T t) {
    if (std::is_integral<R>::value && std::is_integral<T>::value)
        r = (R)t;
    else
        r = as<R>(t);
}

/* Two registers side by side in one of twice the size, the first one low; and the other way. */
template <typename T, typename R> static inline T ptx_pack(R low, R high) {
    static_assert(2 * sizeof(R) == sizeof(T), "halves");
    const R both[2] = {low, high};
    T t;
    memcpy(&t, both, sizeof t);
    return t;
}
template <typename T, typename R> static inline void ptx_unpack(T t, R &low, R &high) {
    static_assert(2 * sizeof(R) == sizeof(T), "halves");
    memcpy(&low, &t, sizeof low);
    memcpy(&high, (const char *)&t + sizeof low, sizeof high);
}

static inline float ptx_float(uint32_t bits) {
    return as<float>(bits);
}

static inline double ptx_double(uint64_t bits) {
    return as<double>(bits);
}

/* ---- arithmetic ----------------------------------------------------------------------------------------------------- */

static inline float ptx_fma(float a, float b, float c) {
    return fmaf(a, b, c);
}
static inline double ptx_fma(double a, double b, double c) {
    return fma(a, b, c);
}
template <typename T> static inline T ptx_max(T a, T b) {
    return a != a ? b : b != b ? a : a > b ? a : b; /* a number, where one is none */
}
template <typename T> static inline T ptx_min(T a, T b) {
    return a != a ? b : b != b ? a : a < b ? a : b;
}
static inline float ptx_abs(float a) {
    return fabsf(a);
}
static inline double ptx_abs(double a) {
    return fabs(a);
}
static inline int32_t ptx_abs(int32_t a) {
    return a < 0 ? (int32_t)(0u - (uint32_t)a) : a;
}
static inline float ptx_sqrt(float a) {
    return sqrtf(a);
}
template <typename T> static inline T ptx_rcp(T a) {
    return 1 / a;
}
template <typename T> static inline T ptx_divide(T a, T b) {
    return b == 0 ? (T)-1 : a / b;
}
template <typename T> static inline T ptx_shl(T a, uint32_t by) {
    return by >= 8 * sizeof a ? 0 : (T)(a << by);
}
template <typename T> static inline T ptx_shr(T a, uint32_t by) {
    return by >= 8 * sizeof a ? (a < 0 ? (T)-1 : 0) : (T)(a >> by);
}

/* Bits in the other order. */
static inline uint32_t ptx_brev(uint32_t a) {
    uint32_t out = 0;
    for (int i = 0; i < 32; i++) out |= (a >> i & 1) << (31 - i);
    return out;
}
/* How far the highest bit is from the left; all bits, where there is none. */
static inline uint32_t ptx_bfind(uint32_t a) {
    return a == 0 ? UINT32_MAX : (uint32_t)__builtin_clz(a);
}

/* ---- conversions ---------------------------------------------------------------------------------------------------- */

enum ptx_rounding { ptx_keep, ptx_round_rn, ptx_round_rni, ptx_round_rzi };

/* Floats to integers stop at the ends of the type; what is not a number becomes 0, in 64 bits the lowest. */
template <typename T, typename F> static inline T ptx_saturated(F x) {
    const F low = std::is_signed<T>::value ? -ldexp((F)1, 8 * sizeof(T) - 1) : 0;
    const F high = ldexp((F)1, (int)(8 * sizeof(T)) - (std::is_signed<T>::value ? 1 : 0));
    const T lowest = std::is_signed<T>::value ? (T)((T)1 << (8 * sizeof(T) - 1)) : 0;
    if (x != x) return sizeof(T) == 8 ? lowest : 0;
    if (x < low) return lowest;
    return x >= high ? (T)~lowest : (T)x;
}

template <typename T, typename F, ptx_rounding how> static inline T ptx_convert(F x) {
    if constexpr (std::is_floating_point<F>::value && std::is_integral<T>::value) {
        static_assert(how == ptx_round_rzi || how == ptx_round_rni, "which way to round");
        return ptx_saturated<T, F>(how == ptx_round_rni ? (F)rint(x) : (F)trunc(x));
    } else if constexpr (std::is_floating_point<F>::value && how == ptx_round_rni) {
        return (T)rint(x);
    } else {
        static_assert(how == ptx_keep || how == ptx_round_rn, "which way to round");
        return (T)x;
    }
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

struct ptx_param {};
struct ptx_local {};
struct ptx_shared {};
struct ptx_global {};
struct ptx_generic {};

enum ptx_access { PTX_READ, PTX_WRITE, PTX_ATOMIC };
void *ptx_shared_at(uint64_t offset, size_t bytes, ptx_access how);
void *ptx_global_at(uint64_t address, size_t bytes);
void *ptx_generic_at(uint64_t address, size_t bytes, ptx_access how);
void ptx_misaligned(void);

template <typename space, typename T> static inline T *ptx_place(uint64_t address, size_t bytes, ptx_access how) {
    if (address % bytes) ptx_misaligned();
    if (std::is_same<space, ptx_shared>::value) return (T *)ptx_shared_at(address, bytes, how);
    if (std::is_same<space, ptx_global>::value) return (T *)ptx_global_at(address, bytes);
    if (std::is_same<space, ptx_generic>::value) return (T *)ptx_generic_at(address, bytes, how);
    return (T *)(uintptr_t)address;
}
template <typename space, typename T, int n> static inline T *ptx_at(uint64_t address, bool write) {
    return ptx_place<space, T>(address, n * sizeof(T), write ? PTX_WRITE : PTX_READ);
}
template <typename space, typename T> static inline T *ptx_at_atomic(uint64_t address) {
    return ptx_place<space, T>(address, sizeof(T), PTX_ATOMIC);
}

/* A shared address as one that any instruction takes. */
static inline uint64_t ptx_to_generic(uint64_t offset) {
    return (uint64_t)(uintptr_t)cuda_on_host_shared() + offset;
}

static inline void ptx_copy_later(uint64_t shared, uint64_t global) {
    cuda_on_host_copy_later(ptx_shared_at(shared, 16, PTX_WRITE), ptx_global_at(global, 16));
}

/* ---- warps ---------------------------------------------------------------------------------------------------------- */

static inline uint32_t ptx_shuffle_bfly(uint32_t mine, int mask) {
    return cuda_on_host_shuffle(mine, cuda_on_host_lane() ^ mask);
}

static inline uint32_t ptx_shuffle_idx(uint32_t mine, int lane) {
    return cuda_on_host_shuffle(mine, lane);
}

static inline void ptx_mma(uint32_t &c0, uint32_t &c1, uint32_t &c2, uint32_t &c3, uint32_t a0, uint32_t a1, uint32_t a2,
                           uint32_t a3, uint32_t b0, uint32_t b1, bool is_signed) {
    int c[4] = {(int)c0, (int)c1, (int)c2, (int)c3};
    const unsigned a[4] = {a0, a1, a2, a3}, b[2] = {b0, b1};
    cuda_on_host_mma(c, a, b, is_signed);
    c0 = (uint32_t)c[0], c1 = (uint32_t)c[1], c2 = (uint32_t)c[2], c3 = (uint32_t)c[3];
}

#endif
