/* A network's first convolution with its batch norm, activation and pool, for one member; forward and backward, fp32,
 * one thread.
 *
 * The input has few channels and needs no gradient, so that the convolution costs less than its map takes to be written
 * and read again: the map is made anew where it is needed, a sample at a time, and stays in the second-level cache. Batch
 * norm's statistics, and what its backward pass needs of the map, follow from the products of the patches (`gram`),
 * which members with one input share.
 *
 * Macros: those of maps.h (C a multiple of 4), and CIN IH IW (of the input) KH KW SH SW CH CW (filters, stride, padding).
 * Inputs are [sample][channel][row][column]; filters [place in the patch][channel], a patch as [channel][row][column].
 */
#include "maps.h"

#define VC (C % VL == 0 ? VL : C % 8 == 0 ? 8 : 4) /* lanes along channels */
typedef float L __attribute__((vector_size(4 * VC), aligned(4), may_alias));

enum {
    T = CIN * KH * KW, BLOCK = 3, PATCH = (T + 1 + BLOCK - 1) / BLOCK * BLOCK, /* a one behind each patch: sums, too */
    XH = IH + 2 * CH, XW = IW + 2 * CW, COLUMNS = (W + VL - 1) / VL * VL,
    GROUPS = C / VC, AT_ONCE = GROUPS % 4 == 0 ? 4 : GROUPS % 3 == 0 ? 3 : GROUPS % 2 == 0 ? 2 : 1,
    TILE = MIN(MIN(ACC / AT_ONCE, 8), W), /* places, or numbers of a patch, at once; GCC 12 fails where none is full */
};

typedef struct {
    FLOATS(x, CIN * XH * XW + VL); /* a sample's input; what is around it stays zero */
    FLOATS(apart, CIN * XH * XW);  /* the same less the centre of its channels, around it, too */
    FLOATS(z, N);
    FLOATS(rows, PATCH * COLUMNS);
    FLOATS(total, (T + TILE) * C);
} Own;
static _Thread_local Own of_thread;

/* Where a patch's number is, from the patch's corner. */
INLINE int place(int t) { return (t / (KH * KW) * XH + t / KW % KH) * XW + t % KW; }

static void read_input(Own *restrict own, const float *restrict x) {
    for (int r = 0; r < CIN * IH; r++)
        memcpy(own->x + (r / IH * XH + r % IH + CH) * XW + CW, x + r * IW, IW * sizeof(float));
}

INLINE void conv_tile(const int tile, const float *restrict x, const float *restrict w, float *restrict z) {
    L sums[8][4];
    UNROLL for (int q = 0; q < tile; q++) UNROLL for (int g = 0; g < AT_ONCE; g++) sums[q][g] = (L){0};
    for (int c = 0; c < CIN; c++)
        for (int i = 0; i < KH; i++)
            for (int j = 0; j < KW; j++, w += C)
                UNROLL for (int q = 0; q < tile; q++) {
                    const float value = x[(c * XH + i) * XW + q * SW + j];
                    UNROLL for (int g = 0; g < AT_ONCE; g++) sums[q][g] += value * *(const L *)(w + g * VC);
                }
    UNROLL for (int q = 0; q < tile; q++)
        UNROLL for (int g = 0; g < AT_ONCE; g++) *(L *)(z + q * C + g * VC) = sums[q][g];
}

/* Row r of the map of the sample that was read. */
static void convolve_row(Own *restrict own, int r, const float *restrict w) {
    for (int g = 0; g < C; g += AT_ONCE * VC) {
        const float *restrict x = own->x + r * SH * XW;
        float *restrict z = own->z + r * ROW + g;
        int q = 0;
        for (; q + TILE <= W; q += TILE) conv_tile(TILE, x + q * SW, w + g, z + q * C);
        for (; q < W; q++) conv_tile(1, x + q * SW, w + g, z + q * C);
    }
}

/* total[t][c] += the sum over all places of d[c] * (the patch's number t) */
static void correlate(Own *restrict own, const float *restrict d, double *restrict total) {
    for (int g = 0; g < C; g += AT_ONCE * VC)
        for (int first = 0; first < T; first += TILE) {
            L sums[8][4];
            int at[TILE];
            UNROLL for (int u = 0; u < TILE; u++) {
                at[u] = first + u < T ? place(first + u) : 0;
                UNROLL for (int k = 0; k < AT_ONCE; k++) sums[u][k] = (L){0};
            }
            for (int r = 0; r < H; r++)
                for (int q = 0; q < W; q++) {
                    const float *restrict x = own->x + r * SH * XW + q * SW, *restrict from = d + (r * W + q) * C + g;
                    UNROLL for (int u = 0; u < TILE; u++) {
                        const float value = x[at[u]];
                        UNROLL for (int k = 0; k < AT_ONCE; k++) sums[u][k] += value * *(const L *)(from + k * VC);
                    }
                }
            UNROLL for (int u = 0; u < TILE; u++)
                UNROLL for (int k = 0; k < AT_ONCE; k++) *(L *)(own->total + (first + u) * C + g + k * VC) = sums[u][k];
        }
    for (int i = 0; i < T * C; i++) total[i] += own->total[i];
}

/* ---- entry points ---- */

/* Products of the patches' numbers, less the centre of their channel, and of a one behind each, with each other, over all
 * places: [T + 1][T + 1]. */
void gram(long samples, const float *restrict x, const float *restrict centre, double *restrict products) {
    memset(products, 0, (T + 1) * (T + 1) * sizeof(double));
    Own *restrict own = OWN(of_thread);
    for (int i = 0; i < CIN * XH * XW; i++) own->apart[i] = 0.0f - centre[i / (XH * XW)];
    for (long s = 0; s < samples; s++) {
        for (int r = 0; r < CIN * IH; r++)
            for (int i = 0; i < IW; i++)
                own->apart[(r / IH * XH + r % IH + CH) * XW + CW + i] = x[(s * CIN * IH + r) * IW + i] - centre[r / IH];
        V sums[PATCH][PATCH];
        memset(sums, 0, sizeof sums);
        for (int r = 0; r < H; r++) {
            for (int t = 0; t < T; t++)
                for (int q = 0; q < W; q++) own->rows[t * COLUMNS + q] = own->apart[r * SH * XW + q * SW + place(t)];
            for (int q = 0; q < W; q++) own->rows[T * COLUMNS + q] = 1.0f; /* the rest is never written: zero */
            for (int t = 0; t < PATCH; t += BLOCK)
                for (int u = 0; u <= t; u += BLOCK) {
                    V block[BLOCK][BLOCK];
                    UNROLL for (int i = 0; i < BLOCK; i++)
                        UNROLL for (int j = 0; j < BLOCK; j++) block[i][j] = sums[t + i][u + j];
                    for (int q = 0; q < COLUMNS; q += VL)
                        UNROLL for (int i = 0; i < BLOCK; i++)
                            UNROLL for (int j = 0; j < BLOCK; j++)
                                block[i][j] += *(V *)(own->rows + (t + i) * COLUMNS + q) * *(V *)(own->rows + (u + j) * COLUMNS + q);
                    UNROLL for (int i = 0; i < BLOCK; i++)
                        UNROLL for (int j = 0; j < BLOCK; j++) sums[t + i][u + j] = block[i][j];
                }
        }
        for (int t = 0; t <= T; t++)
            for (int u = 0; u <= t; u++)
                for (int lane = 0; lane < VL; lane++) products[t * (T + 1) + u] += sums[t][u][lane];
    }
    for (int t = 0; t <= T; t++)
        for (int u = 0; u < t; u++) products[u * (T + 1) + t] = products[t * (T + 1) + u];
}

void forward(long samples, const float *restrict x, const float *restrict w, const float *restrict factor,
             const float *restrict offset, float *restrict y) {
    Scratch *restrict mem = OWN(scratch);
    Own *restrict own = OWN(of_thread);
    start(mem, factor, offset, 0);
    for (long s = 0; s < samples; s++) {
        float *a = POOLED ? mem->a : y + s * OUT;
        read_input(own, x + s * CIN * IH * IW);
        for (int r = 0, u = 0; r < H; r++) {
            convolve_row(own, r, w);
            activate_row(mem, r, own->z, 0, a);
            if (POOLED) u = pool(u, r + 1, a, y + s * OUT);
        }
    }
}

/* Of the gradient d before the activation: its sums over all places (that of the shift), those of d * (z - mean) *
 * inverse (that of the scale), and those of d and each of a patch's numbers: [T][C]. */
void backward(long samples, const float *restrict x, const float *restrict w, const float *restrict factor,
              const float *restrict offset, const float *restrict mean, const float *restrict inverse,
              const float *restrict grad, double *restrict sums, double *restrict products, double *restrict patches) {
    Scratch *restrict mem = OWN(scratch);
    Own *restrict own = OWN(of_thread);
    start(mem, factor, offset, mean);
    memset(sums, 0, C * sizeof(double));
    memset(products, 0, C * sizeof(double));
    memset(patches, 0, T * C * sizeof(double));
    for (long s = 0; s < samples; s++) {
        read_input(own, x + s * CIN * IH * IW);
        const float *from = grad + s * OUT, *da = POOLED ? mem->da : from;
        for (int r = 0, u = 0, done = 0; r < H; r++) {
            convolve_row(own, r, w);
            activate_row(mem, r, own->z, 0, mem->a);
            if (POOLED && !APART) memset(mem->da + r * ROW, 0, ROW * sizeof(float));
            if (POOLED) u = pool_backward(u, r + 1, mem->a, from, mem->da);
            for (; done < (POOLED ? MIN(next_row(u), r + 1) : r + 1); done++)
                gradient_row(mem, done, own->z, da, mem->a, mem->a);
        }
        take_sums(mem, inverse, sums, products);
        correlate(own, mem->a, patches);
    }
}
