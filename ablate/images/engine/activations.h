/* Vectors and activations, for all kernels. Macro ACT: 0 identity 1 sigmoid 2 tanh 3 relu 4 leaky relu 5 gelu 6 silu;
 * from 5 on the derivative is told from z itself, as it cannot be told from the activation. */
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define VL 16
#define ACC 24 /* vector registers spent on sums; the rest hold operands */
#elif defined(__AVX__)
#define VL 8
#define ACC 12
#else
#define VL 4
#define ACC 12
#endif
typedef float V __attribute__((vector_size(4 * VL), may_alias));
typedef float U __attribute__((vector_size(4 * VL), aligned(4), may_alias)); /* the same, unaligned */

typedef int32_t I __attribute__((vector_size(4 * VL)));

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define UNROLL _Pragma("GCC unroll 64")
#define KEEPS_Z (ACT >= 5)
#define FLOATS(name, n) float name[n] __attribute__((aligned(64)))
#define INLINE static inline __attribute__((always_inline))
/* A pointer to a thread's own memory: hides where it came from, or the compiler looks it up in the innermost loops again. */
#define OWN(memory) __extension__({ __typeof__(&(memory)) own_ = &(memory); __asm__("" : "+r"(own_)); own_; })

/* ---- transposition of VL x VL numbers: inside of groups of four, which is an instruction each, then of the groups ---- */

#if VL == 16
#define LANES_OF(f) (I){f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15)}
#elif VL == 8
#define LANES_OF(f) (I){f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)}
#else
#define LANES_OF(f) (I){f(0), f(1), f(2), f(3)}
#endif
#define SINGLES(l) (((l) & ~3) + ((l) & 3) / 2 + ((l) & 1) * VL)
#define SINGLES_UP(l) (SINGLES(l) + 2)
#define PAIRS(l) (((l) & ~3) + ((l) & 1) + ((l) & 2) / 2 * VL)
#define PAIRS_UP(l) (PAIRS(l) + 2)
#define FOURS(l) ((l) & 4 ? VL + (l)-4 : (l))
#define FOURS_UP(l) ((l) & 4 ? VL + (l) : (l) + 4)
#define EIGHTS(l) ((l) & 8 ? VL + (l)-8 : (l))
#define EIGHTS_UP(l) ((l) & 8 ? VL + (l) : (l) + 8)
#define EXCHANGE(to_low, to_high, a, b, low, high)                                                  \
    do {                                                                                            \
        const V a_ = (a), b_ = (b);                                                                 \
        to_low = __builtin_shuffle(a_, b_, LANES_OF(low));                                          \
        to_high = __builtin_shuffle(a_, b_, LANES_OF(high));                                        \
    } while (0)

INLINE void transpose(V *t) {
    UNROLL for (int i = 0; i < VL; i += 4) {
        V low, high, low2, high2;
        EXCHANGE(low, high, t[i], t[i + 1], SINGLES, SINGLES_UP);
        EXCHANGE(low2, high2, t[i + 2], t[i + 3], SINGLES, SINGLES_UP);
        EXCHANGE(t[i], t[i + 1], low, low2, PAIRS, PAIRS_UP);
        EXCHANGE(t[i + 2], t[i + 3], high, high2, PAIRS, PAIRS_UP);
    }
#if VL > 4
    UNROLL for (int i = 0; i < VL; i++)
        if (!(i & 4)) EXCHANGE(t[i], t[i + 4], t[i], t[i + 4], FOURS, FOURS_UP);
#endif
#if VL > 8
    UNROLL for (int i = 0; i < 8; i++) EXCHANGE(t[i], t[i + 8], t[i], t[i + 8], EIGHTS, EIGHTS_UP);
#endif
}

/* ---- activations: scalar code that the compiler vectorises, but for the sigmoid, where it left half the speed ---- */

INLINE V sigmoid(V z) { /* 1 / (1 + e^-z), 2 ulp for |z| < 80; NaN passes through */
    const V zero = {0}, magic = zero + (12582912.0f + 127.0f); /* 1.5 * 2^23: adding it rounds; 127: exponent bias */
#if VL == 16
    V x = (V)_mm512_max_ps((__m512)(zero - 80.0f), _mm512_min_ps((__m512)(zero + 80.0f), (__m512)-z));
#else
    V x = -z;
    x = (V)(((I)x & ~(x > 80.0f)) | ((I)(zero + 80.0f) & (x > 80.0f)));
    x = (V)(((I)x & ~(x < -80.0f)) | ((I)(zero - 80.0f) & (x < -80.0f)));
#endif
    V shifted = x * 1.44269504f + magic, n = shifted - magic;
    V r = (x - n * 0.693359375f) + n * 2.12194440e-4f; /* |r| <= ln(2) / 2; e^r by Chebyshev interpolation */
    V p = zero + 1.3941163250e-3f;
    p = p * r + 8.3691868789e-3f;
    p = p * r + 4.1666352231e-2f;
    p = p * r + 1.6666504907e-1f;
    p = p * r + 5.0000000473e-1f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    V d = p * (V)((I)shifted << 23) + 1.0f;
#if VL == 16
    V y = (V)_mm512_rcp14_ps((__m512)d); /* and a step of Newton's method: a division costs more than all else here */
    return y + y * (1.0f - d * y);
#else
    return 1.0f / d;
#endif
}

INLINE float expo(float x) { /* Cephes expf, 1 ulp, up to |x| = 80; NaN passes through */
    x = x > 80.0f ? 80.0f : x;
    x = x < -80.0f ? -80.0f : x;
    float shifted = x * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f; /* 1.5 * 2^23: rounds to an integer */
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits;
    memcpy(&bits, &shifted, 4);
    bits = (int32_t)((uint32_t)bits << 23) + 0x3f800000;
    float scale;
    memcpy(&scale, &bits, 4);
    return p * scale;
}

INLINE float tanh_(float x) {
    float s = x * x; /* Cephes tanhf: polynomial near zero, where 1 - 2 / (e^2x + 1) cancels */
    float p = -5.70498872745e-3f;
    p = p * s + 2.06390887954e-2f;
    p = p * s - 5.37397155531e-2f;
    p = p * s + 1.33314422036e-1f;
    p = p * s - 3.33332819422e-1f;
    float near = p * s * x + x, far = 1.0f - 2.0f / (expo(2.0f * x) + 1.0f);
    return s < 0.390625f ? near : far;
}

INLINE float erf_(float x) { /* Abramowitz and Stegun 7.1.26, absolute error 1.5e-7 */
    float a = fabsf(x), t = 1.0f / (1.0f + 0.3275911f * a);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    float r = 1.0f - p * t * expo(-a * a);
    return x < 0.0f ? -r : r;
}

INLINE float silu(float z) {
    float c = z < -80.0f ? -80.0f : z; /* beyond, expo grows no more and the quotient would */
    return c / (1.0f + expo(-c)) + (z - z); /* an infinity must not get lost */
}

INLINE float act(float z) {
    switch (ACT) {
    case 2: return tanh_(z);
    case 3: return z < 0.0f ? 0.0f : z;
    case 4: return z < 0.0f ? 0.01f * z : z;
    case 5: return 0.5f * z * (1.0f + erf_(0.70710678f * z));
    case 6: return silu(z);
    default: return z;
    }
}

INLINE float gelu_slope(float z) {
    float c = z > 13.0f ? 13.0f : z < -13.0f ? -13.0f : z; /* beyond, the second term vanishes, but expo does not */
    return 0.5f * (1.0f + erf_(0.70710678f * z)) + c * 0.39894228f * expo(-0.5f * c * c);
}

INLINE float silu_slope(float z) {
    float c = z < -80.0f ? -80.0f : z, s = 1.0f / (1.0f + expo(-c));
    return s * (1.0f + c * (1.0f - s)) + (z - z);
}

INLINE float slope(float a) { /* derivative, from what z holds after the forward pass: act(z), or z itself */
    switch (ACT) {
    case 1: return a * (1.0f - a);
    case 2: return 1.0f - a * a;
    case 3: return a <= 0.0f ? 0.0f : 1.0f;
    case 4: return a <= 0.0f ? 0.01f : 1.0f;
    case 5: return gelu_slope(a);
    case 6: return silu_slope(a);
    default: return 1.0f;
    }
}
