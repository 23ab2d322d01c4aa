/* conv2d -> bias -> activation -> pool of K stacked models, forward and backward, fp32, one thread.
 *
 * Compiled once for every shape (see kernels.py): all sizes are macros, so that the compiler unrolls the loops over a
 * filter and keeps the sums in vector registers. Members and samples are processed one after another, so that a
 * sample's intermediate results stay in the first- and second-level cache, and a member's result cannot depend on K.
 *
 * Macros: CIN COUT KH KW H W PAD CS (stride of the convolution) P S (window and stride of the pool, P = S = 1: none)
 *         POOL (0 average 1 max 2 the mean of both) ACT (0 identity 1 sigmoid 2 tanh 3 relu 4 leaky relu 5 gelu
 *         6 silu; from 5 on z itself is kept, as the derivative cannot be told from the activation)
 *
 * Two layouts of a sample's convolution output z, whichever wastes fewer vector lanes:
 *   LANES_C 0: [COUT][rows][ZP], lanes along the width  (first layers: wide images, few channels)
 *   LANES_C 1: [rows][columns][COP], lanes along channels  (later layers: COUT a multiple of the vector length)
 * The input gradient has its lanes along the width, or along filter column and input channel, whichever is less work.
 *
 * Scratch buffers are static and their margins are never written: they stay zero.
 * Compiled without -ffast-math: a NaN or infinity must reach the outputs of its member.
 */
#include "activations.h"

#define UP(n, m) (((n) + (m) - 1) / (m) * (m))
#define PICK(n, a, b) (UP(n, a) <= UP(n, b) ? (a) : (b))              /* block size that pads n least, first wins */
#define BLOCK8(n) PICK(n, PICK(n, 8, 7), PICK(n, PICK(n, 6, 5), PICK(n, PICK(n, 4, 3), PICK(n, 2, 1))))
#define BLOCK4(n) PICK(n, PICK(n, 4, 3), PICK(n, 2, 1))

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
    IR = CBI * NVI * 2 + KW * NVI <= ACC + 2 ? 2 : 1,
    DH = (UH - 1) * CS + 1, DW = (UW - 1) * CS + 1, DTOP = IR - 1 + KH, DP = UP(DW + KW - 1, VL),
    DR = DH + 2 * DTOP, DSIZE = COUT * DR * DP + 4 * VL + IWP + KW,
    /* the same with lanes along filter column and input channel: TS places x NS vectors; gathers FL channels at once */
    NF = UP(KW * CIN, VL) / VL, NS = NF % 2 ? 1 : 2, NTS = (UW * NS + ACC - 1) / ACC, TS = (UW + NTS - 1) / NTS,
    FL = CIN <= 4 ? 4 : CIN <= 8 ? MIN(8, VL) : VL, CIF = UP(CIN, FL),
    FLEFT = (KW - 1) / CS + 1, FRIGHT = MAX(0, (W - 1 + PAD) / CS - UW + 1), /* zeros on both sides of a row */
    FSIZE = (FLEFT + UW + FRIGHT) * NF * VL + VL,
    /* 1 where the second way takes fewer vector operations */
    SPREAD = (long long)COUT * NTS * TS * NF * UH * KH + (long long)H * W * (KW * CIF / FL + CIN) <
             (long long)COUT * (DH + IR - 1) * KH * KW * CIB * (IWP / VL)
};

/* One for each thread, passed around by its address: looking it up anew would spill every register around the call. */
typedef struct {
    FLOATS(xs, XSIZE); /* padded input */
    FLOATS(zs, ZSIZE + 4 * VL); /* convolution output and its gradient */
    FLOATS(dz, ZSIZE + 4 * VL);
    FLOATS(ys, GSIZE + VL); /* pooled output and its gradient, lanes as in z */
    FLOATS(gs, GSIZE + VL);
    FLOATS(wp, WSIZE); /* packed weights and bias, sums of their gradients */
    FLOATS(bp, MAX(COP, COB));
    FLOATS(gwv, LANES_C ? WSIZE : COG * CIN * KH * KW * VL);
    FLOATS(gbv, LANES_C ? COP : COG * VL);
    FLOATS(dzp, SPREAD ? 1 : DSIZE); /* for the input gradient: output gradient with its margins, weights, result */
    FLOATS(wt, SPREAD ? 1 : COUT * KH * KW * CIB);
    FLOATS(dx, SPREAD ? 1 : CIB * UP(H, IR) * IWP);
    FLOATS(wf, SPREAD ? KH * COUT * NF * VL : 1); /* for the other way to compute it: weights, two rows */
    FLOATS(spread, SPREAD ? 2 * FSIZE : 1);
    const float *next[3]; /* the next sample's arrays, to be prefetched */
    int next_floats[3];
} Scratch;
static _Thread_local Scratch scratch;

/* ---- packing ---- */

/* say what `prefetch` is to load */
INLINE void prefetch_next(Scratch *restrict mem, int array, const float *p, int floats) {
    mem->next[array] = p;
    mem->next_floats[array] = floats;
}

/* A part of the next sample, while this one is computed. All of it at once would fill the queue of cache misses and
 * hold up the loads of this one. */
INLINE void prefetch(const Scratch *restrict mem, int part, int parts) {
    for (int a = 0; a < 3; a++) {
        const long lines = (mem->next_floats[a] + 15) / 16, to = lines * (part + 1) / parts;
        for (long i = lines * part / parts; i < to; i++) __builtin_prefetch(mem->next[a] + i * 16, 0, 2);
    }
}

static void load_input(Scratch *restrict mem, const float *restrict x) {
    for (int c = 0; c < CIN; c++)
        for (int i = 0; i < H; i++) {
            float *restrict row = mem->xs + c * XPLANE + (i + PAD) * XW;
            const float *restrict from = x + (c * H + i) * W;
            if (XPH == 1)
                memcpy(row + PAD, from, W * sizeof(float));
            else
                for (int j = 0; j < W; j++) row[(j + PAD) % XPH * XR * XW + (j + PAD) / XPH] = from[j];
        }
}

static void pack_weights(Scratch *restrict mem, const float *restrict w, const float *restrict b) {
    const int n = LANES_C ? COP : COB; /* lanes C: [tap][channel]; lanes W: the same, read one channel at a time */
    for (int o = 0; o < COUT; o++) {
        for (int t = 0; t < CIN * KH * KW; t++) mem->wp[t * n + o] = w[o * CIN * KH * KW + t];
        mem->bp[o] = b ? b[o] : 0.0f;
    }
}

/* ---- convolution of one sample: xs -> z ---- */

static void conv_c(Scratch *restrict mem, float *restrict z) {
    for (int cb = 0; cb < COP; cb += VL)
        for (int u = 0; u < ZR; u += TR) {
            prefetch(mem, (cb / VL * ZR + u) / TR, COP / VL * ZR / TR);
            for (int v = 0; v < VP; v += TC) {
                V acc[TR][TC];
                UNROLL for (int r = 0; r < TR; r++)
                    UNROLL for (int t = 0; t < TC; t++) acc[r][t] = *(V *)(mem->bp + cb);
                for (int ch = 0; ch < CIN * KH; ch++) { /* an input channel and a filter row */
                    const float *row = mem->xs + ch / KH * XPLANE + (u * CS + ch % KH) * XW + v * CS;
                    V wv[KW];
                    UNROLL for (int k = 0; k < KW; k++) wv[k] = *(V *)(mem->wp + (ch * KW + k) * COP + cb);
                    /* every input is loaded once and meets all filter columns that it is under */
                    UNROLL for (int c = 0; c < (TC - 1) * CS + KW; c++)
                        UNROLL for (int r = 0; r < TR; r++)
                            UNROLL for (int k = 0; k < KW; k++)
                                if (c >= k && (c - k) % CS == 0 && (c - k) / CS < TC)
                                    acc[r][(c - k) / CS] += row[r * CS * XW + c] * wv[k];
                }
                UNROLL for (int r = 0; r < TR; r++)
                    UNROLL for (int t = 0; t < TC; t++) *(V *)(z + ((u + r) * VP + v + t) * COP + cb) = acc[r][t];
            }
        }
}

static void conv_w(Scratch *restrict mem, float *restrict z) {
    for (int cb = 0; cb < COB; cb += CB)
        for (int u = 0; u < ZR; u += WR)
            for (int v = 0; v < ZP; v += NV * VL) {
                V acc[CB][WR][NV];
                UNROLL for (int o = 0; o < CB; o++)
                    UNROLL for (int r = 0; r < WR; r++)
                        UNROLL for (int n = 0; n < NV; n++) acc[o][r][n] = mem->bp[cb + o] - (V){0};
                for (int ch = 0; ch < CIN * KH; ch++) {
                    const float *row = mem->xs + ch / KH * XPLANE + (u * CS + ch % KH) * XW + v;
                    for (int k = 0; k < KW; k++) {
                        const float *w = mem->wp + (ch * KW + k) * COB + cb;
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

static void conv_act(Scratch *restrict mem, float *restrict z) {
    if (LANES_C)
        conv_c(mem, z);
    else
        conv_w(mem, z);
    if (ACT == 1)
        for (int i = 0; i < ZSIZE; i += VL) *(V *)(z + i) = sigmoid(*(V *)(z + i));
    else if (ACT != 0 && !KEEPS_Z)
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

#define AT(p, t) p[l * ZL + (t) / P * ZROW + (t) % P * ZCOL] /* place t of a window */

static void pool_forward(Scratch *restrict mem, const float *restrict z, float *restrict y) {
    for (int i = 0; i < N1; i++)
        for (int j = 0; j < N2; j++) {
            const float *restrict from = z + i * Z1 + j * Z2;
            float *restrict to = mem->ys + i * G1 + j * G2;
            for (int l = 0; l < NL; l++) {
                float a = KEEPS_Z ? act(AT(from, 0)) : AT(from, 0), most = a, sum = a;
                UNROLL for (int t = 1; t < P * P; t++) {
                    a = KEEPS_Z ? act(AT(from, t)) : AT(from, t);
                    most = (a > most) | (a != a) ? a : most; /* NaN wins, as in torch */
                    sum += a;
                }
                const float mean = sum * (1.0f / (P * P));
                to[l] = POOL == 0 ? mean : POOL == 1 ? most : 0.5f * (most + mean);
            }
        }
    for (int c = 0; c < COUT; c++)
        for (int i = 0; i < PH; i++)
            for (int j = 0; j < PW; j++)
                y[(c * PH + i) * PW + j] = LANES_C ? mem->ys[(i * PW + j) * COP + c] : mem->ys[(c * PH + i) * PWP + j];
}

static void pool_backward(Scratch *restrict mem, const float *restrict z, const float *restrict gy) { /* gy -> dz */
    for (int c = 0; c < COUT; c++)
        for (int i = 0; i < PH; i++)
            if (LANES_C)
                for (int j = 0; j < PW; j++) mem->gs[(i * PW + j) * COP + c] = gy[(c * PH + i) * PW + j];
            else /* not a loop: the compiler would collect short rows float by float */
                memcpy(mem->gs + (c * PH + i) * PWP, gy + (c * PH + i) * PW, PW * sizeof(float));
    if (P > S) memset(mem->dz, 0, sizeof mem->dz); /* windows overlap: add up */
    for (int i = 0; i < N1; i++)
        for (int j = 0; j < N2; j++) {
            const float *restrict a = z + i * Z1 + j * Z2, *restrict g = mem->gs + i * G1 + j * G2;
            float *restrict d = mem->dz + i * Z1 + j * Z2;
            for (int l = 0; l < NL; l++) {
                float best = 0.0f;
                int32_t winner = 1; /* one bit for each place in the window: branches would not vectorise */
                if (POOL != 0) {
                    best = KEEPS_Z ? act(AT(a, 0)) : AT(a, 0);
                    UNROLL for (int t = 1; t < P * P; t++) {
                        float v = KEEPS_Z ? act(AT(a, t)) : AT(a, t);
                        winner = (v > best) | (v != v) ? 1 << t : winner;
                        best = (v > best) | (v != v) ? v : best;
                    }
                }
                UNROLL for (int t = 0; t < P * P; t++) {
                    const float won = (float)(winner >> t & 1), even = 1.0f / (P * P);
                    float share = POOL == 0 ? even : POOL == 1 ? won : 0.5f * (won + even);
                    float grad = g[l] * share * slope(AT(a, t));
                    AT(d, t) = P > S ? AT(d, t) + grad : grad;
                }
            }
        }
}

/* ---- weight and bias gradients of one sample: xs, dz -> added to gwv, gbv ---- */

/* `rows` rows of the filter from kh on */
INLINE void wgrad_c_rows(Scratch *restrict mem, const int rows, int cb, int ci, int kh) {
    V acc[TAPROWS][KW];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int k = 0; k < KW; k++) acc[r][k] = (V){0};
    for (int u = 0; u < UH; u++)
        for (int v = 0; v < VP; v += TC) {
            const float *row = mem->xs + ci * XPLANE + (u * CS + kh) * XW + v * CS;
            V d[TC];
            UNROLL for (int t = 0; t < TC; t++) d[t] = *(V *)(mem->dz + (u * VP + v + t) * COP + cb);
            UNROLL for (int c = 0; c < (TC - 1) * CS + KW; c++)
                UNROLL for (int r = 0; r < rows; r++)
                    UNROLL for (int k = 0; k < KW; k++)
                        if (c >= k && (c - k) % CS == 0 && (c - k) / CS < TC)
                            acc[r][k] += row[r * XW + c] * d[(c - k) / CS];
        }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int k = 0; k < KW; k++) *(V *)(mem->gwv + (((ci * KH) + kh + r) * KW + k) * COP + cb) += acc[r][k];
}

static void wgrad_c(Scratch *restrict mem) {
    for (int cb = 0; cb < COP; cb += VL) {
        for (int ci = 0; ci < CIN; ci++) {
            prefetch(mem, cb / VL * CIN + ci, COP / VL * CIN);
            int kh = 0;
            for (; kh + TAPROWS <= KH; kh += TAPROWS) wgrad_c_rows(mem, TAPROWS, cb, ci, kh);
            if (KH % TAPROWS) wgrad_c_rows(mem, KH % TAPROWS ? KH % TAPROWS : 1, cb, ci, kh);
        }
        V sum[TC]; /* one sum would wait for itself */
        UNROLL for (int t = 0; t < TC; t++) sum[t] = (V){0};
        for (int p = 0; p < UH * VP; p += TC)
            UNROLL for (int t = 0; t < TC; t++) sum[t] += *(V *)(mem->dz + (p + t) * COP + cb);
        for (int t = 1; t < TC; t++) sum[0] += sum[t];
        *(V *)(mem->gbv + cb) += sum[0];
    }
}

static void wgrad_w(Scratch *restrict mem) {
    for (int cb = 0; cb < COG; cb += GB) {
        for (int ch = 0; ch < CIN * KH; ch++) {
            prefetch(mem, cb / GB * CIN * KH + ch, COG / GB * CIN * KH);
            V acc[GB][KW];
            UNROLL for (int o = 0; o < GB; o++)
                UNROLL for (int k = 0; k < KW; k++) acc[o][k] = (V){0};
            for (int u = 0; u < UH; u++)
                for (int v = 0; v < ZP; v += VL) {
                    const float *row = mem->xs + ch / KH * XPLANE + (u * CS + ch % KH) * XW + v;
                    V d[GB];
                    UNROLL for (int o = 0; o < GB; o++) d[o] = *(V *)(mem->dz + ((cb + o) * ZR + u) * ZP + v);
                    UNROLL for (int k = 0; k < KW; k++) {
                        V xv = *(U *)(row + k % XPH * XR * XW + k / XPH);
                        UNROLL for (int o = 0; o < GB; o++) acc[o][k] += xv * d[o];
                    }
                }
            UNROLL for (int o = 0; o < GB; o++)
                UNROLL for (int k = 0; k < KW; k++)
                    *(V *)(mem->gwv + (((cb + o) * CIN * KH + ch) * KW + k) * VL) += acc[o][k];
        }
        V sum[GB];
        UNROLL for (int o = 0; o < GB; o++) sum[o] = (V){0};
        for (int p = 0; p < UH * ZP; p += VL)
            UNROLL for (int o = 0; o < GB; o++) sum[o] += *(V *)(mem->dz + (cb + o) * ZR * ZP + p);
        UNROLL for (int o = 0; o < GB; o++) *(V *)(mem->gbv + (cb + o) * VL) += sum[o];
    }
}

static void store_weight_grads(Scratch *restrict mem, float *restrict gw, float *restrict gb) {
    for (int o = 0; o < COUT; o++)
        for (int t = -1; t < CIN * KH * KW; t++) { /* -1: the bias */
            float sum = 0.0f;
            const float *lanes = t < 0 ? mem->gbv + o * VL : mem->gwv + (o * CIN * KH * KW + t) * VL;
            if (LANES_C)
                sum = t < 0 ? mem->gbv[o] : mem->gwv[t * COP + o];
            else
                for (int l = 0; l < VL; l++) sum += lanes[l];
            if (t >= 0)
                gw[o * CIN * KH * KW + t] = sum;
            else if (gb)
                gb[o] = sum;
        }
}

/* ---- input gradient of one sample: dz -> gx ---- */

static void pack_transposed(Scratch *restrict mem, const float *restrict w) { /* [output channel][tap][input channel] */
    for (int o = 0; o < COUT; o++)
        for (int c = 0; c < CIN; c++)
            for (int t = 0; t < KH * KW; t++) mem->wt[(o * KH * KW + t) * CIB + c] = w[(o * CIN + c) * KH * KW + t];
}

static void input_grad(Scratch *restrict mem, float *restrict gx) {
    /* zeros around (and, for a stride, between) the output gradient */
    if (LANES_C && CS == 1)
        for (int cb = 0; cb < COP; cb += VL)
            for (int u = 0; u < UH; u++)
                for (int v = 0; v < UW; v += VL) {
                    V t[VL]; /* what it writes too far right is zero, and the next row is written later */
                    UNROLL for (int l = 0; l < VL; l++)
                        t[l] = v + l < UW ? *(V *)(mem->dz + (u * VP + v + l) * COP + cb) : (V){0};
                    transpose(t);
                    UNROLL for (int l = 0; l < VL; l++)
                        if (cb + l < COUT)
                            *(U *)(mem->dzp + ((cb + l) * DR + DTOP + u) * DP + KW - 1 + v) = t[l];
                }
    else
        for (int o = 0; o < COUT; o++)
            for (int u = 0; u < UH; u++)
                for (int v = 0; v < UW; v++)
                    mem->dzp[(o * DR + DTOP + u * CS) * DP + KW - 1 + v * CS] =
                        LANES_C ? mem->dz[(u * VP + v) * COP + o] : mem->dz[(o * ZR + u) * ZP + v];
    for (int cb = 0; cb < CIB; cb += CBI)
        for (int i = 0; i < H; i += IR)
            for (int j = 0; j < IWP; j += NVI * VL) {
                V acc[CBI][IR][NVI];
                UNROLL for (int c = 0; c < CBI; c++)
                    UNROLL for (int r = 0; r < IR; r++)
                        UNROLL for (int n = 0; n < NVI; n++) acc[c][r][n] = (V){0};
                /* filter rows that meet a row of the output gradient */
                const int first = MAX(0, i + PAD - (DH - 1)), last = MIN(KH - 1, i + IR - 1 + PAD);
                for (int o = 0; o < COUT; o++) {
                    const float *row = mem->dzp + (o * DR + DTOP + i + PAD - first) * DP + j + PAD + KW - 1;
                    V d[IR][NVI][KW]; /* the next filter row meets the same rows, one further down: load only one */
                    UNROLL for (int r = 1; r < IR; r++)
                        UNROLL for (int n = 0; n < NVI; n++)
                            UNROLL for (int k = 0; k < KW; k++) d[r][n][k] = *(U *)(row + r * DP + n * VL - k);
                    for (int kh = first; kh <= last; kh++, row -= DP) {
                        const float *w = mem->wt + (o * KH + kh) * KW * CIB + cb;
                        UNROLL for (int k = 0; k < KW; k++) {
                            UNROLL for (int n = 0; n < NVI; n++) d[0][n][k] = *(U *)(row + n * VL - k);
                            UNROLL for (int c = 0; c < CBI; c++)
                                UNROLL for (int r = 0; r < IR; r++)
                                    UNROLL for (int n = 0; n < NVI; n++) acc[c][r][n] += d[r][n][k] * w[k * CIB + c];
                            UNROLL for (int r = IR - 1; r > 0; r--)
                                UNROLL for (int n = 0; n < NVI; n++) d[r][n][k] = d[r - 1][n][k];
                        }
                    }
                }
                UNROLL for (int c = 0; c < CBI; c++)
                    UNROLL for (int r = 0; r < IR; r++)
                        UNROLL for (int n = 0; n < NVI; n++)
                            *(V *)(mem->dx + ((cb + c) * UP(H, IR) + i + r) * IWP + j + n * VL) = acc[c][r][n];
            }
    for (int c = 0; c < CIN; c++)
        for (int i = 0; i < H; i++)
            memcpy(gx + (c * H + i) * W, mem->dx + (c * UP(H, IR) + i) * IWP, W * sizeof(float));
}

/* The other way, for small images: lanes along the width would be half empty. Each place of the output gradient is
 * spread over the KW x CIN inputs that a filter row covers there: full vectors, which are summed over filter rows and
 * output channels in registers. Then every input gathers its share from the places that cover it. */
typedef float F __attribute__((vector_size(4 * FL), aligned(4), may_alias));

static void pack_spread(Scratch *restrict mem, const float *restrict w) { /* [filter row][output channel][lane] */
    for (int o = 0; o < COUT; o++)
        for (int c = 0; c < CIN; c++)
            for (int t = 0; t < KH * KW; t++)
                mem->wf[(t / KW * COUT + o) * NF * VL + t % KW * CIN + c] = w[(o * CIN + c) * KH * KW + t];
}

/* row i of the input gradient: [place in the output's row][filter column][input channel] */
INLINE void spread_row(Scratch *restrict mem, int i, float *restrict to) {
    /* filter rows that meet a row of the output gradient: from `first` on, every CS-th */
    const int low = MAX(0, i + PAD - (UH - 1) * CS), first = low + (i + PAD - low) % CS, last = MIN(KH - 1, i + PAD);
    for (int f = 0; f < NF; f += NS)
        for (int t = 0; t < UW; t += TS) {
            const int v = MIN(t, UW - TS); /* the last tile may overlap the one before */
            V acc[TS][NS];
            UNROLL for (int p = 0; p < TS; p++)
                UNROLL for (int n = 0; n < NS; n++) acc[p][n] = (V){0};
            for (int kh = first; kh <= last; kh += CS) {
                const int u = (i + PAD - kh) / CS;
                const float *d = mem->dz + (LANES_C ? (u * VP + v) * COP : u * ZP + v);
                const float *w = mem->wf + kh * COUT * NF * VL + f * VL;
                for (int o = 0; o < COUT; o++, w += NF * VL, d += LANES_C ? 1 : ZR * ZP) {
                    V wv[NS];
                    UNROLL for (int n = 0; n < NS; n++) wv[n] = *(V *)(w + n * VL);
                    UNROLL for (int p = 0; p < TS; p++)
                        UNROLL for (int n = 0; n < NS; n++) acc[p][n] += d[p * (LANES_C ? COP : 1)] * wv[n];
                }
            }
            UNROLL for (int p = 0; p < TS; p++)
                UNROLL for (int n = 0; n < NS; n++) *(V *)(to + ((v + p) * NF + f + n) * VL) = acc[p][n];
        }
}

INLINE void gather_row(const float *restrict spread, float *restrict gx) {
    for (int j = 0; j < W; j++) {
        F sum[CIF / FL];
        UNROLL for (int n = 0; n < CIF / FL; n++) sum[n] = (F){0};
        const float *from = spread + (j + PAD) / CS * NF * VL + (j + PAD) % CS * CIN;
        UNROLL for (int k = 0; k < (KW + CS - 1) / CS; k++)
            if (CS == 1 || (j + PAD) % CS + k * CS < KW)
                UNROLL for (int n = 0; n < CIF / FL; n++) sum[n] += *(F *)(from + k * (CS * CIN - NF * VL) + n * FL);
        UNROLL for (int c = 0; c < CIN; c++) gx[c * H * W + j] = sum[c / FL][c % FL];
    }
}

static void input_grad_spread(Scratch *restrict mem, float *restrict gx) {
    for (int i = 0; i <= H; i++) { /* a row behind: what was just stored at one offset loads slowly at another */
        if (i < H) spread_row(mem, i, mem->spread + i % 2 * FSIZE + FLEFT * NF * VL);
        if (i > 0) gather_row(mem->spread + (i - 1) % 2 * FSIZE + FLEFT * NF * VL, gx + (i - 1) * W);
    }
}

/* ---- entry points; x_step: floats from a member's input to the next one's, 0 if they share it ---- */

int saved_floats(void) { return ZSIZE; } /* what `saved` holds for each member and sample */

void forward(long K, long B, long x_step, const float *x, const float *w, const float *b, float *y, float *saved) {
    Scratch *mem = OWN(scratch);
    for (long k = 0; k < K; k++) {
        pack_weights(mem, w + k * COUT * CIN * KH * KW, b ? b + k * COUT : 0);
        for (long s = 0; s < B; s++) {
            float *z = saved ? saved + (k * B + s) * ZSIZE : mem->zs;
            load_input(mem, x + k * x_step + s * CIN * H * W);
            prefetch_next(mem, 0, x + k * x_step + (s + 1) * CIN * H * W, s + 1 < B ? CIN * H * W : 0);
            if (!LANES_C) prefetch(mem, 0, 1); /* conv_c does it as it goes; conv_w has no registers to spare */
            conv_act(mem, z);
            pool_forward(mem, z, y + (k * B + s) * COUT * PH * PW);
        }
    }
}

/* Without `saved` the convolution is computed again: for a first layer cheaper than memory. gx and gb may be null. */
void backward(long K, long B, long x_step, const float *x, const float *w, const float *b, const float *gy,
              const float *saved, float *gx, float *gw, float *gb) {
    Scratch *mem = OWN(scratch);
    for (long k = 0; k < K; k++) {
        if (!saved) pack_weights(mem, w + k * COUT * CIN * KH * KW, b ? b + k * COUT : 0);
        if (gx) (SPREAD ? pack_spread : pack_transposed)(mem, w + k * COUT * CIN * KH * KW);
        memset(mem->gwv, 0, sizeof mem->gwv);
        memset(mem->gbv, 0, sizeof mem->gbv);
        for (long s = 0; s < B; s++) {
            const float *z = saved ? saved + (k * B + s) * ZSIZE : mem->zs;
            load_input(mem, x + k * x_step + s * CIN * H * W);
            if (!saved) conv_act(mem, mem->zs);
            prefetch_next(mem, 0, x + k * x_step + (s + 1) * CIN * H * W, s + 1 < B ? CIN * H * W : 0);
            prefetch_next(mem, 1, gy + (k * B + s + 1) * COUT * PH * PW, s + 1 < B ? COUT * PH * PW : 0);
            prefetch_next(mem, 2, saved ? z + ZSIZE : 0, saved && s + 1 < B ? ZSIZE : 0);
            pool_backward(mem, z, gy + (k * B + s) * COUT * PH * PW);
            if (LANES_C)
                wgrad_c(mem);
            else
                wgrad_w(mem);
            if (gx) (SPREAD ? input_grad_spread : input_grad)(mem, gx + (k * B + s) * CIN * H * W);
        }
        store_weight_grads(mem, gw + k * COUT * CIN * KH * KW, gb ? gb + k * COUT : 0);
    }
}
