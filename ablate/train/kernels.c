/* conv2d -> bias -> activation -> pool of K stacked models, forward and backward, fp32, one thread.
 *
 * Compiled once for every shape (see kernels.py): all sizes are macros, so that the compiler unrolls the loops over a
 * filter and keeps the sums in vector registers. Members and samples are processed one after another, so that a
 * sample's intermediate results stay in the first- and second-level cache, and a member's result cannot depend on K.
 *
 * Macros: CIN COUT KH KW H W PAD CS (stride of the convolution) P S (window and stride of the pool, P = S = 1: none)
 *         MAXPOOL (1: max, 0: average) ACT (0 identity 1 sigmoid 2 tanh 3 relu 4 leaky relu 5 gelu)
 *
 * Two layouts of a sample's convolution output z, whichever wastes fewer vector lanes:
 *   LANES_C 0: [COUT][rows][ZP], lanes along the width  (first layers: wide images, few channels)
 *   LANES_C 1: [rows][columns][COP], lanes along channels  (later layers: COUT a multiple of the vector length)
 * The input gradient always has its lanes along the width.
 *
 * Scratch buffers are static and their margins are never written: they stay zero.
 * Compiled without -ffast-math: a NaN or infinity must reach the outputs of its member.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
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

#define UP(n, m) (((n) + (m) - 1) / (m) * (m))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define PICK(n, a, b) (UP(n, a) <= UP(n, b) ? (a) : (b))              /* block size that pads n least, first wins */
#define BLOCK8(n) PICK(n, PICK(n, 8, 7), PICK(n, PICK(n, 6, 5), PICK(n, PICK(n, 4, 3), PICK(n, 2, 1))))
#define BLOCK4(n) PICK(n, PICK(n, 4, 3), PICK(n, 2, 1))
#define UNROLL _Pragma("GCC unroll 64")
#define SCRATCH static _Thread_local __attribute__((aligned(64)))
#define INLINE static inline __attribute__((always_inline))

enum {
    OH = (H + 2 * PAD - KH) / CS + 1, OW = (W + 2 * PAD - KW) / CS + 1, /* convolution */
    PH = (OH - P) / S + 1, PW = (OW - P) / S + 1,                       /* pool */
    UH = (PH - 1) * S + P, UW = (PW - 1) * S + P,                       /* the part of the convolution the pool reads */
    COP = UP(COUT, VL),
    LANES_C = COUT * UP(UW, VL) >= UW * COP,
    /* lanes along channels: tiles of TR rows x TC columns */
    TC = (UW + (UW + 11) / 12 - 1) / ((UW + 11) / 12), NTC = (UW + TC - 1) / TC, VP = NTC * TC,
    TR = 2 * TC <= ACC - 4 ? 2 : 1,
    TAPROWS = (KH + (KH * KW + ACC - 5) / (ACC - 4) - 1) / ((KH * KW + ACC - 5) / (ACC - 4)), /* for weight gradients */
    /* lanes along the width: CB channels x WR rows x NV vectors */
    CB = BLOCK8(COUT), ZP = UP(UW, VL), NV = ZP / VL % 2 ? 1 : 2, COB = UP(COUT, CB),
    WR = MAX(1, MIN(4, ACC / (CB * NV))),
    GB = KW * 4 <= ACC ? BLOCK4(COUT) : KW * 3 <= ACC ? MIN(3, BLOCK4(COUT)) : 1, COG = UP(COUT, GB),
    ZC = MAX(COB, COG), ZR = LANES_C ? UP(UH, TR) : UP(UH, WR),
    ZSIZE = LANES_C ? ZR * VP * COP : ZC * ZR * ZP,
    NLANE = MAX(COP, UP(PW, VL)),
    GSIZE = LANES_C ? PH * PW * COP : ZC * PH * UP(PW, VL),
    /* padded input; for a stride along the width, columns are sorted by their remainder */
    XPH = LANES_C ? 1 : CS, XW = UP((W + 2 * PAD + XPH - 1) / XPH, VL), XR = MAX(H + 2 * PAD, (ZR - 1) * CS + KH),
    XPLANE = XPH * XR * XW, XSIZE = CIN * XPLANE + 4 * VL * MAX(CS, 1) + VP * CS + KW,
    WSIZE = MAX(COP, COB) * CIN * KH * KW,
    /* input gradient: CBI channels x IR rows x NVI vectors, of the output gradient with zeros between and around */
    CBI = BLOCK8(CIN), CIB = UP(CIN, CBI), IWP = UP(W, VL), NVI = IWP / VL % 2 ? 1 : 2,
    IR = MAX(1, MIN(2, ACC / (CBI * NVI))),
    DH = (UH - 1) * CS + 1, DW = (UW - 1) * CS + 1, DTOP = IR - 1 + KH, DP = UP(DW + KW - 1, VL),
    DR = DH + 2 * DTOP, DSIZE = COUT * DR * DP + 4 * VL + IWP + KW
};

SCRATCH float xs[XSIZE], zs[ZSIZE + 4 * VL], dz[ZSIZE + 4 * VL], ys[GSIZE + VL], gs[GSIZE + VL], wp[WSIZE], bp[MAX(COP, COB)];
SCRATCH float gwv[LANES_C ? WSIZE : COG * CIN * KH * KW * VL], gbv[LANES_C ? COP : COG * VL];
SCRATCH float dzp[DSIZE], wt[COUT * KH * KW * CIB], dx[CIB * UP(H, IR) * IWP];

/* ---- activations: scalar code that the compiler vectorises ---- */

INLINE float expo(float x) { /* Cephes expf, 1 ulp; x is kept where the result is a normal number, NaN passes through */
    x = x > 88.0f ? 88.0f : x;
    x = x < -87.0f ? -87.0f : x;
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

INLINE float act(float z) {
    switch (ACT) {
    case 1: return 1.0f / (1.0f + expo(-z));
    case 2: return tanh_(z);
    case 3: return z < 0.0f ? 0.0f : z;
    case 4: return z < 0.0f ? 0.01f * z : z;
    case 5: return 0.5f * z * (1.0f + erf_(0.70710678f * z));
    default: return z;
    }
}

INLINE float gelu_slope(float z) {
    float c = z > 13.0f ? 13.0f : z < -13.0f ? -13.0f : z; /* beyond, the second term vanishes, but expo does not */
    return 0.5f * (1.0f + erf_(0.70710678f * z)) + c * 0.39894228f * expo(-0.5f * c * c);
}

INLINE float slope(float a) { /* derivative, from what z holds after the forward pass: act(z), for gelu z itself */
    switch (ACT) {
    case 1: return a * (1.0f - a);
    case 2: return 1.0f - a * a;
    case 3: return a <= 0.0f ? 0.0f : 1.0f;
    case 4: return a <= 0.0f ? 0.01f : 1.0f;
    case 5: return gelu_slope(a);
    default: return 1.0f;
    }
}

/* ---- packing ---- */

static void load_input(const float *restrict x) {
    for (int c = 0; c < CIN; c++)
        for (int i = 0; i < H; i++) {
            float *restrict row = xs + c * XPLANE + (i + PAD) * XW;
            const float *restrict from = x + (c * H + i) * W;
            if (XPH == 1)
                memcpy(row + PAD, from, W * sizeof(float));
            else
                for (int j = 0; j < W; j++) row[(j + PAD) % XPH * XR * XW + (j + PAD) / XPH] = from[j];
        }
}

static void pack_weights(const float *restrict w, const float *restrict b) {
    const int n = LANES_C ? COP : COB; /* lanes C: [tap][channel]; lanes W: the same, read one channel at a time */
    for (int o = 0; o < COUT; o++) {
        for (int t = 0; t < CIN * KH * KW; t++) wp[t * n + o] = w[o * CIN * KH * KW + t];
        bp[o] = b ? b[o] : 0.0f;
    }
}

/* ---- convolution of one sample: xs -> z ---- */

static void conv_c(float *restrict z) {
    for (int cb = 0; cb < COP; cb += VL)
        for (int u = 0; u < ZR; u += TR)
            for (int v = 0; v < VP; v += TC) {
                V acc[TR][TC];
                UNROLL for (int r = 0; r < TR; r++)
                    UNROLL for (int t = 0; t < TC; t++) acc[r][t] = *(V *)(bp + cb);
                for (int ch = 0; ch < CIN * KH; ch++) { /* an input channel and a filter row */
                    const float *row = xs + ch / KH * XPLANE + (u * CS + ch % KH) * XW + v * CS;
                    V wv[KW];
                    UNROLL for (int k = 0; k < KW; k++) wv[k] = *(V *)(wp + (ch * KW + k) * COP + cb);
                    /* every input is loaded once and meets all filter columns that it is under */
                    UNROLL for (int r = 0; r < TR; r++)
                        UNROLL for (int c = 0; c < (TC - 1) * CS + KW; c++)
                            UNROLL for (int k = 0; k < KW; k++)
                                if (c >= k && (c - k) % CS == 0 && (c - k) / CS < TC)
                                    acc[r][(c - k) / CS] += row[r * CS * XW + c] * wv[k];
                }
                UNROLL for (int r = 0; r < TR; r++)
                    UNROLL for (int t = 0; t < TC; t++) *(V *)(z + ((u + r) * VP + v + t) * COP + cb) = acc[r][t];
            }
}

static void conv_w(float *restrict z) {
    for (int cb = 0; cb < COB; cb += CB)
        for (int u = 0; u < ZR; u += WR)
            for (int v = 0; v < ZP; v += NV * VL) {
                V acc[CB][WR][NV];
                UNROLL for (int o = 0; o < CB; o++)
                    UNROLL for (int r = 0; r < WR; r++)
                        UNROLL for (int n = 0; n < NV; n++) acc[o][r][n] = bp[cb + o] - (V){0};
                for (int ch = 0; ch < CIN * KH; ch++) {
                    const float *row = xs + ch / KH * XPLANE + (u * CS + ch % KH) * XW + v;
                    for (int k = 0; k < KW; k++) {
                        const float *w = wp + (ch * KW + k) * COB + cb;
                        V xv[WR][NV];
                        UNROLL for (int r = 0; r < WR; r++)
                            UNROLL for (int n = 0; n < NV; n++)
                                xv[r][n] = *(U *)(row + k % XPH * XR * XW + r * CS * XW + k / XPH + n * VL);
                        UNROLL for (int o = 0; o < CB; o++)
                            UNROLL for (int r = 0; r < WR; r++)
                                UNROLL for (int n = 0; n < NV; n++) acc[o][r][n] += xv[r][n] * w[o];
                    }
                }
                UNROLL for (int o = 0; o < CB; o++)
                    UNROLL for (int r = 0; r < WR; r++)
                        UNROLL for (int n = 0; n < NV; n++)
                            *(V *)(z + ((cb + o) * ZR + u + r) * ZP + v + n * VL) = acc[o][r][n];
            }
}

static void conv_act(float *restrict z) {
    if (LANES_C)
        conv_c(z);
    else
        conv_w(z);
    if (ACT != 0 && ACT != 5)
        for (int i = 0; i < ZSIZE; i++) z[i] = act(z[i]);
}

/* ---- pool: the same loops for both layouts, the innermost always along the lanes ---- */

enum { /* strides of z and of the pooled arrays: outermost loop, middle loop, lanes */
    N1 = LANES_C ? PH : COUT, N2 = LANES_C ? PW : PH,
    PWP = UP(PW, VL), NL = LANES_C ? COP : (PWP - 1) * S + P <= ZP ? PWP : PW,
    Z1 = LANES_C ? S * VP * COP : ZR * ZP, Z2 = LANES_C ? S * COP : S * ZP, ZL = LANES_C ? 1 : S,
    ZROW = LANES_C ? VP * COP : ZP, ZCOL = LANES_C ? COP : 1, /* to the next row and column in a window */
    G1 = LANES_C ? PW * COP : PH * PWP, G2 = LANES_C ? COP : PWP
};

static void pool_forward(const float *restrict z, float *restrict y) {
    for (int i = 0; i < N1; i++)
        for (int j = 0; j < N2; j++) {
            const float *restrict from = z + i * Z1 + j * Z2;
            float *restrict to = ys + i * G1 + j * G2;
            for (int l = 0; l < NL; l++) {
                float m = from[l * ZL];
                if (ACT == 5) m = act(m);
                UNROLL for (int t = 1; t < P * P; t++) {
                    float a = from[l * ZL + t / P * ZROW + t % P * ZCOL];
                    if (ACT == 5) a = act(a);
                    if (MAXPOOL)
                        m = (a > m) | (a != a) ? a : m; /* NaN wins, as in torch */
                    else
                        m += a;
                }
                to[l] = MAXPOOL ? m : m * (1.0f / (P * P));
            }
        }
    for (int c = 0; c < COUT; c++)
        for (int i = 0; i < PH; i++)
            for (int j = 0; j < PW; j++)
                y[(c * PH + i) * PW + j] = LANES_C ? ys[(i * PW + j) * COP + c] : ys[(c * PH + i) * PWP + j];
}

static void pool_backward(const float *restrict z, const float *restrict gy) { /* gy -> dz */
    for (int c = 0; c < COUT; c++)
        for (int i = 0; i < PH; i++)
            for (int j = 0; j < PW; j++)
                gs[LANES_C ? (i * PW + j) * COP + c : (c * PH + i) * PWP + j] = gy[(c * PH + i) * PW + j];
    if (P > S) memset(dz, 0, sizeof dz); /* windows overlap: add up */
    for (int i = 0; i < N1; i++)
        for (int j = 0; j < N2; j++) {
            const float *restrict a = z + i * Z1 + j * Z2, *restrict g = gs + i * G1 + j * G2;
            float *restrict d = dz + i * Z1 + j * Z2;
            for (int l = 0; l < NL; l++) {
                float best = 0.0f, from[P * P];
                int where = 0;
                UNROLL for (int t = 0; t < P * P; t++) from[t] = a[l * ZL + t / P * ZROW + t % P * ZCOL];
                if (MAXPOOL) {
                    best = ACT == 5 ? act(from[0]) : from[0];
                    UNROLL for (int t = 1; t < P * P; t++) {
                        float v = ACT == 5 ? act(from[t]) : from[t];
                        int wins = (v > best) | (v != v);
                        best = wins ? v : best;
                        where = wins ? t : where;
                    }
                }
                UNROLL for (int t = 0; t < P * P; t++) {
                    float grad = MAXPOOL ? (where == t ? g[l] * slope(from[t]) : 0.0f)
                                         : g[l] * (1.0f / (P * P)) * slope(from[t]);
                    float *to = d + l * ZL + t / P * ZROW + t % P * ZCOL;
                    *to = P > S ? *to + grad : grad;
                }
            }
        }
}

/* ---- weight and bias gradients of one sample: xs, dz -> added to gwv, gbv ---- */

INLINE void wgrad_c_rows(const int rows, int cb, int ci, int kh) { /* `rows` rows of the filter from kh on */
    V acc[rows][KW];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int k = 0; k < KW; k++) acc[r][k] = (V){0};
    for (int u = 0; u < UH; u++)
        for (int v = 0; v < VP; v += TC) {
            const float *row = xs + ci * XPLANE + (u * CS + kh) * XW + v * CS;
            V d[TC];
            UNROLL for (int t = 0; t < TC; t++) d[t] = *(V *)(dz + (u * VP + v + t) * COP + cb);
            UNROLL for (int r = 0; r < rows; r++)
                UNROLL for (int c = 0; c < (TC - 1) * CS + KW; c++)
                    UNROLL for (int k = 0; k < KW; k++)
                        if (c >= k && (c - k) % CS == 0 && (c - k) / CS < TC)
                            acc[r][k] += row[r * XW + c] * d[(c - k) / CS];
        }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int k = 0; k < KW; k++) *(V *)(gwv + (((ci * KH) + kh + r) * KW + k) * COP + cb) += acc[r][k];
}

static void wgrad_c(void) {
    for (int cb = 0; cb < COP; cb += VL) {
        for (int ci = 0; ci < CIN; ci++) {
            int kh = 0;
            for (; kh + TAPROWS <= KH; kh += TAPROWS) wgrad_c_rows(TAPROWS, cb, ci, kh);
            if (KH % TAPROWS) wgrad_c_rows(KH % TAPROWS ? KH % TAPROWS : 1, cb, ci, kh);
        }
        V sum = {0};
        for (int p = 0; p < UH * VP; p++) sum += *(V *)(dz + p * COP + cb);
        *(V *)(gbv + cb) += sum;
    }
}

static void wgrad_w(void) {
    for (int cb = 0; cb < COG; cb += GB) {
        for (int ch = 0; ch < CIN * KH; ch++) {
            V acc[GB][KW];
            UNROLL for (int o = 0; o < GB; o++)
                UNROLL for (int k = 0; k < KW; k++) acc[o][k] = (V){0};
            for (int u = 0; u < UH; u++)
                for (int v = 0; v < ZP; v += VL) {
                    const float *row = xs + ch / KH * XPLANE + (u * CS + ch % KH) * XW + v;
                    V d[GB];
                    UNROLL for (int o = 0; o < GB; o++) d[o] = *(V *)(dz + ((cb + o) * ZR + u) * ZP + v);
                    UNROLL for (int k = 0; k < KW; k++) {
                        V xv = *(U *)(row + k % XPH * XR * XW + k / XPH);
                        UNROLL for (int o = 0; o < GB; o++) acc[o][k] += xv * d[o];
                    }
                }
            UNROLL for (int o = 0; o < GB; o++)
                UNROLL for (int k = 0; k < KW; k++)
                    *(V *)(gwv + (((cb + o) * CIN * KH + ch) * KW + k) * VL) += acc[o][k];
        }
        for (int o = cb; o < cb + GB; o++) {
            V sum = {0};
            for (int p = 0; p < UH * ZP; p += VL) sum += *(V *)(dz + o * ZR * ZP + p);
            *(V *)(gbv + o * VL) += sum;
        }
    }
}

static void store_weight_grads(float *restrict gw, float *restrict gb) {
    for (int o = 0; o < COUT; o++)
        for (int t = -1; t < CIN * KH * KW; t++) { /* -1: the bias */
            float sum = 0.0f;
            const float *lanes = t < 0 ? gbv + o * VL : gwv + (o * CIN * KH * KW + t) * VL;
            if (LANES_C)
                sum = t < 0 ? gbv[o] : gwv[t * COP + o];
            else
                for (int l = 0; l < VL; l++) sum += lanes[l];
            if (t >= 0)
                gw[o * CIN * KH * KW + t] = sum;
            else if (gb)
                gb[o] = sum;
        }
}

/* ---- input gradient of one sample: dz -> gx ---- */

static void pack_transposed(const float *restrict w) { /* [output channel][tap][input channel] */
    for (int o = 0; o < COUT; o++)
        for (int c = 0; c < CIN; c++)
            for (int t = 0; t < KH * KW; t++) wt[(o * KH * KW + t) * CIB + c] = w[(o * CIN + c) * KH * KW + t];
}

static void input_grad(float *restrict gx) {
    for (int o = 0; o < COUT; o++) /* zeros around (and, for a stride, between) the output gradient */
        for (int u = 0; u < UH; u++)
            for (int v = 0; v < UW; v++)
                dzp[(o * DR + DTOP + u * CS) * DP + KW - 1 + v * CS] =
                    LANES_C ? dz[(u * VP + v) * COP + o] : dz[(o * ZR + u) * ZP + v];
    for (int cb = 0; cb < CIB; cb += CBI)
        for (int i = 0; i < H; i += IR)
            for (int j = 0; j < IWP; j += NVI * VL) {
                V acc[CBI][IR][NVI];
                UNROLL for (int c = 0; c < CBI; c++)
                    UNROLL for (int r = 0; r < IR; r++)
                        UNROLL for (int n = 0; n < NVI; n++) acc[c][r][n] = (V){0};
                /* filter rows that meet a row of the output gradient */
                const int first = MAX(0, i + PAD - (DH - 1)), last = MIN(KH - 1, i + IR - 1 + PAD);
                for (int o = 0; o < COUT; o++)
                    for (int kh = first; kh <= last; kh++) {
                        const float *row = dzp + (o * DR + DTOP + i + PAD - kh) * DP + j + PAD + KW - 1;
                        const float *w = wt + (o * KH + kh) * KW * CIB + cb;
                        UNROLL for (int k = 0; k < KW; k++) {
                            V d[IR][NVI];
                            UNROLL for (int r = 0; r < IR; r++)
                                UNROLL for (int n = 0; n < NVI; n++) d[r][n] = *(U *)(row - k + r * DP + n * VL);
                            UNROLL for (int c = 0; c < CBI; c++)
                                UNROLL for (int r = 0; r < IR; r++)
                                    UNROLL for (int n = 0; n < NVI; n++) acc[c][r][n] += d[r][n] * w[k * CIB + c];
                        }
                    }
                UNROLL for (int c = 0; c < CBI; c++)
                    UNROLL for (int r = 0; r < IR; r++)
                        UNROLL for (int n = 0; n < NVI; n++)
                            *(V *)(dx + ((cb + c) * UP(H, IR) + i + r) * IWP + j + n * VL) = acc[c][r][n];
            }
    for (int c = 0; c < CIN; c++)
        for (int i = 0; i < H; i++) memcpy(gx + (c * H + i) * W, dx + (c * UP(H, IR) + i) * IWP, W * sizeof(float));
}

/* ---- entry points; x_step: floats from a member's input to the next one's, 0 if they share it ---- */

int saved_floats(void) { return ZSIZE; } /* what `saved` holds for each member and sample */

void forward(long K, long B, long x_step, const float *x, const float *w, const float *b, float *y, float *saved) {
    for (long k = 0; k < K; k++) {
        pack_weights(w + k * COUT * CIN * KH * KW, b ? b + k * COUT : 0);
        for (long s = 0; s < B; s++) {
            float *z = saved ? saved + (k * B + s) * ZSIZE : zs;
            load_input(x + k * x_step + s * CIN * H * W);
            conv_act(z);
            pool_forward(z, y + (k * B + s) * COUT * PH * PW);
        }
    }
}

/* Without `saved` the convolution is computed again: for a first layer cheaper than memory. gx and gb may be null. */
void backward(long K, long B, long x_step, const float *x, const float *w, const float *b, const float *gy,
              const float *saved, float *gx, float *gw, float *gb) {
    for (long k = 0; k < K; k++) {
        if (!saved) pack_weights(w + k * COUT * CIN * KH * KW, b ? b + k * COUT : 0);
        if (gx) pack_transposed(w + k * COUT * CIN * KH * KW);
        memset(gwv, 0, sizeof gwv);
        memset(gbv, 0, sizeof gbv);
        for (long s = 0; s < B; s++) {
            const float *z = saved ? saved + (k * B + s) * ZSIZE : zs;
            load_input(x + k * x_step + s * CIN * H * W);
            if (!saved) conv_act(zs);
            pool_backward(z, gy + (k * B + s) * COUT * PH * PW);
            if (LANES_C)
                wgrad_c();
            else
                wgrad_w();
            if (gx) input_grad(gx + (k * B + s) * CIN * H * W);
        }
        store_weight_grads(gw + k * COUT * CIN * KH * KW, gb ? gb + k * COUT : 0);
    }
}
