/* A sample's map after its convolution, channels last: batch norm as factors, an added map, activation and pool.
 *
 * A sample's rows go through all of it one after another, while they are in the first-level cache; factors of channels
 * are laid out for a whole row, so that loops run along a row whatever the number of channels.
 *
 * Macros: C H W (of the convolution's output) P S PP (window, stride and padding of the pool; P = S = 1: none)
 *         POOL (0 average 1 max 2 the mean of both) ACT (see activations.h) ADDS (0, 1: another map is added)
 */
#pragma once
#include "activations.h"

enum {
    PH = (H + 2 * PP - P) / S + 1, PW = (W + 2 * PP - P) / S + 1,
    ROW = W * C, N = H * ROW, OUT = PH * PW * C, POOLED = P > 1 || S > 1,
    APART = P == S && PP == 0 && PH * P == H && PW * P == W, /* a pool's windows cover the map, each place once */
};

typedef struct {
    FLOATS(a, N);               /* activations and their gradient */
    FLOATS(da, POOLED ? N : 1);
    FLOATS(z, KEEPS_Z ? N : 1); /* before the activation */
    FLOATS(scale, ROW); /* factors of channels, along a row */
    FLOATS(shift, ROW);
    FLOATS(mean, ROW);
    FLOATS(constant, ROW);
    FLOATS(sums, ROW); /* over a column of places */
    FLOATS(products, ROW);
} Scratch;
static _Thread_local Scratch scratch;

static void along_row(float *restrict row, const float *restrict channels) {
    for (int j = 0; j < W; j++) memcpy(row + j * C, channels, C * sizeof(float));
}

/* Row r normalised, added, activated: z -> a; what the derivative is told from is left in `a` or `scratch.z`. */
static void activate_row(Scratch *restrict mem, int r, const float *restrict z, const float *restrict other, float *restrict a) {
    for (int i = 0; i < ROW; i++) {
        float value = z[r * ROW + i] * mem->scale[i] + mem->shift[i];
        if (ADDS) value += other[r * ROW + i];
        if (KEEPS_Z) mem->z[r * ROW + i] = value;
        a[r * ROW + i] = ACT == 1 ? value : act(value);
    }
    if (ACT != 1) return;
    int i = 0;
    for (; i + VL <= ROW; i += VL) *(U *)(a + r * ROW + i) = sigmoid(*(U *)(a + r * ROW + i));
    if (i < ROW) {
        float rest[VL] __attribute__((aligned(64))) = {0};
        memcpy(rest, a + r * ROW + i, (ROW - i) * sizeof(float));
        *(V *)rest = sigmoid(*(V *)rest);
        memcpy(a + r * ROW + i, rest, (ROW - i) * sizeof(float));
    }
}

/* A pool's loops run along channels, in explicit vectors of LANES: compilers unroll so short a loop before they see it as
 * one of vectors. The rest of the channels are vectors of one. */
#define LANES (C >= VL ? VL : C >= 8 ? 8 : C >= 4 ? 4 : 1)
typedef float M __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t MI __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float M1 __attribute__((vector_size(4), aligned(4), may_alias));
typedef int32_t MI1 __attribute__((vector_size(4), aligned(4), may_alias));

typedef struct { /* a window's part inside the map */
    int first, rows, columns;
} Window;

INLINE Window window(int u, int v) {
    const int top = MAX(0, u * S - PP), left = MAX(0, v * S - PP);
    return (Window){top * W + left, MIN(H, u * S - PP + P) - top, MIN(W, v * S - PP + P) - left};
}

#define SELECT(mask, a, b) (((mask) & (a)) | (~(mask) & (b)))

#define POOL_OF(name, M, MI)                                                                        \
    INLINE void name(const Window w, const float *restrict a, float *restrict y) {                  \
        M best = *(const M *)(a + w.first * C), sum = {0};                                          \
        for (int r = 0; r < w.rows; r++)                                                            \
            for (int k = 0; k < w.columns; k++) {                                                   \
                const M value = *(const M *)(a + (w.first + r * W + k) * C);                        \
                const MI takes = (value > best) | (value != value); /* a NaN stays */               \
                best = (M)SELECT(takes, (MI)value, (MI)best);                                       \
                sum += value;                                                                       \
            }                                                                                       \
        sum *= 1.0f / (P * P);                                                                      \
        if (POOL == 0) best = sum;                                                                  \
        if (POOL == 2) best = 0.5f * (best + sum);                                                  \
        *(M *)y = best;                                                                             \
    }
POOL_OF(pool_lanes, M, MI)
POOL_OF(pool_one, M1, MI1)

/* The pool's first row that needs a row of the map below r, if there are `u` rows of it. */
INLINE int next_row(int u) { return u < PH ? MAX(0, u * S - PP) : H; }
INLINE int is_complete(int u, int r) { return u < PH && MIN(H, u * S - PP + P) <= r; }

/* The rows of the pool from `u` on that the first r rows of the map suffice for; returns how many there are then. */
static int pool(int u, int r, const float *restrict a, float *restrict y) {
    for (; is_complete(u, r); u++)
        for (int v = 0; v < PW; v++) {
            const Window w = window(u, v);
            float *restrict to = y + (u * PW + v) * C;
            int c = 0;
            for (; c + LANES <= C; c += LANES) pool_lanes(w, a + c, to + c);
            for (; c < C; c++) pool_one(w, a + c, to + c);
        }
    return u;
}

#define GRADIENT_OF(name, M, MI)                                                                    \
    INLINE void name(const Window w, const float *restrict a, const float *restrict grad, float *restrict da) { \
        const M share = *(const M *)grad * (POOL == 2 ? 0.5f : 1.0f), even = share * (1.0f / (P * P)); \
        M best = *(const M *)(a + w.first * C);                                                     \
        MI place = {0};                                                                             \
        if (POOL != 0)                                                                              \
            for (int r = 0; r < w.rows; r++)                                                        \
                for (int k = 0; k < w.columns; k++) {                                               \
                    const M value = *(const M *)(a + (w.first + r * W + k) * C);                    \
                    const MI takes = (value > best) | (value != value);                             \
                    best = (M)SELECT(takes, (MI)value, (MI)best);                                   \
                    place = SELECT(takes, (MI){0} + (r * P + k), place);                            \
                }                                                                                   \
        for (int r = 0; r < w.rows; r++)                                                            \
            for (int k = 0; k < w.columns; k++) {                                                   \
                M *to = (M *)(da + (w.first + r * W + k) * C);                                      \
                M gain = {0};                                                                       \
                if (POOL != 0) gain += (M)((place == r * P + k) & (MI)share);                       \
                if (POOL != 1) gain += even;                                                        \
                if (!APART) gain += *to;                                                                    \
                *to = gain;                                                                                 \
            }                                                                                       \
    }
GRADIENT_OF(gradient_lanes, M, MI)
GRADIENT_OF(gradient_one, M1, MI1)

/* The same for the gradient of the map, whose rows are zero before where windows meet or leave gaps. */
static int pool_backward(int u, int r, const float *restrict a, const float *restrict grad, float *restrict da) {
    for (; is_complete(u, r); u++)
        for (int v = 0; v < PW; v++) {
            const Window w = window(u, v);
            const float *restrict from = grad + (u * PW + v) * C;
            int c = 0;
            for (; c + LANES <= C; c += LANES) gradient_lanes(w, a + c, from + c, da + c);
            for (; c < C; c++) gradient_one(w, a + c, from + c, da + c);
        }
    return u;
}

/* The gradient of what row r's activations `a` were made of, and its sums along rows; d may be a. */
INLINE void gradient_row(Scratch *restrict mem, int r, const float *restrict z, const float *restrict da, const float *a, float *d) {
    const float *told = KEEPS_Z ? mem->z : a;
    for (int i = 0; i < ROW; i++) {
        const float value = da[r * ROW + i] * slope(told[r * ROW + i]);
        d[r * ROW + i] = value;
        mem->sums[i] += value;
        mem->products[i] += value * (z[r * ROW + i] - mem->mean[i]);
    }
}

/* Take the sums of a sample's rows. */
static void take_sums(Scratch *restrict mem, const float *restrict inverse, double *restrict total, double *restrict product) {
    for (int c = 0; c < C; c++)
        for (int j = 0; j < W; j++) total[c] += mem->sums[j * C + c], product[c] += mem->products[j * C + c] * inverse[c];
    memset(mem->sums, 0, sizeof mem->sums);
    memset(mem->products, 0, sizeof mem->products);
}

static void start(Scratch *restrict mem, const float *factor, const float *offset, const float *mean) {
    along_row(mem->scale, factor);
    along_row(mem->shift, offset);
    if (mean) along_row(mem->mean, mean);
    memset(mem->sums, 0, sizeof mem->sums);
    memset(mem->products, 0, sizeof mem->products);
}
