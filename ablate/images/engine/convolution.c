/* A convolution of stride 1 for one member, forward and backward, fp32, one thread, channels last.
 *
 * For few channels, of which oneDNN's kernels leave half the machine's speed. A sample is copied with zeros around it;
 * then sums of a few places, or of a few of a filter's numbers, are kept in registers, with a vector of channels each,
 * and what is loaded is used for a whole row of the filter.
 *
 * Macros: CIN COUT (multiples of 8) IH IW (of the input) KH KW (filters) CH CW (padding, less than the filters' sides).
 */
#define ACT 0
#include "activations.h"

#define VC (CIN % VL == 0 && COUT % VL == 0 ? VL : MIN(VL, 8)) /* lanes along channels */
typedef float L __attribute__((vector_size(4 * VC), aligned(4), may_alias));

enum {
    OH = IH + 2 * CH - KH + 1, OW = IW + 2 * CW - KW + 1, TAPS = KH * KW * CIN * COUT,
    XH = IH + 2 * CH, XW = IW + 2 * CW,                                     /* the input with zeros around it */
    DT = KH - 1 - CH, DL = KW - 1 - CW, DH = OH + 2 * DT, DW = OW + 2 * DL, /* the output's gradient with them */
    ROWS = 2, MOST = (ACC - 2) / ROWS, /* places at once: rows, and in a row at most */
    INPUTS = 4,                        /* input channels of a weight gradient at once */
    SEGMENTS = (OW + 13) / 14, SEGMENT = (OW + SEGMENTS - 1) / SEGMENTS, /* places of a row, and */
    BAND = 7, /* rows of which a weight gradient's sums stay in registers: they and the input's stay in the first cache */
};

typedef struct {
    FLOATS(x, XH * XW * CIN);
    FLOATS(d, DH * DW * COUT);
    FLOATS(w, TAPS);     /* [filter row][input channel][filter column][output channel] */
    FLOATS(turned, TAPS); /* the same of the filter turned round, channels exchanged */
    FLOATS(sums, TAPS);  /* as w */
    FLOATS(start, MAX(CIN, COUT));
} Scratch;
static _Thread_local Scratch scratch;

static void pad(int channels, int height, int width, int top, int left, const float *restrict from, float *restrict to) {
    for (int r = 0; r < height; r++)
        memcpy(to + ((r + top) * (width + 2 * left) + left) * channels, from + r * width * channels, width * channels * sizeof(float));
}

/* `rows` by `columns` places of VC output channels */
INLINE void tile(const int rows, const int columns, const int inputs, const int outputs, const int width, const float *restrict x,
                 const float *restrict w, const float *restrict start, float *restrict z) {
    const int row = (width + KW - 1) * inputs;
    L sums[ROWS][16];
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int t = 0; t < columns; t++) sums[r][t] = *(const L *)start;
    for (int i = 0; i < KH; i++, x += row)
        for (int c = 0; c < inputs; c++, w += KW * outputs) {
            L taps[KW];
            UNROLL for (int j = 0; j < KW; j++) taps[j] = *(const L *)(w + j * outputs);
            UNROLL for (int q = 0; q < columns + KW - 1; q++)
                UNROLL for (int r = 0; r < rows; r++) {
                    const float value = x[r * row + q * inputs + c];
                    UNROLL for (int j = 0; j < KW; j++)
                        if (q >= j && q - j < columns) sums[r][q - j] += value * taps[j];
                }
        }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int t = 0; t < columns; t++) *(L *)(z + (r * width + t) * outputs) = sums[r][t];
}

INLINE void rows_of(const int rows, const int inputs, const int outputs, const int width, const float *restrict x,
                    const float *restrict w, const float *restrict start, float *restrict z) {
    const int tiles = (width + MOST - 1) / MOST, columns = (width + tiles - 1) / tiles, rest = width % columns;
    for (int o = 0; o < outputs; o += VC) {
        int v = 0;
        for (; v + columns <= width; v += columns)
            tile(rows, columns, inputs, outputs, width, x + v * inputs, w + o, start + o, z + v * outputs + o);
        if (rest) tile(rows, rest ? rest : 1, inputs, outputs, width, x + v * inputs, w + o, start + o, z + v * outputs + o);
    }
}

/* [height + KH - 1][width + KW - 1][inputs] -> [height][width][outputs] */
INLINE void convolve(const int inputs, const int outputs, const int height, const int width, const float *restrict x,
                     const float *restrict w, const float *restrict start, float *restrict z) {
    int r = 0;
    for (; r + ROWS <= height; r += ROWS)
        rows_of(ROWS, inputs, outputs, width, x + r * (width + KW - 1) * inputs, w, start, z + r * width * outputs);
    for (; r < height; r++)
        rows_of(1, inputs, outputs, width, x + r * (width + KW - 1) * inputs, w, start, z + r * width * outputs);
}

INLINE void segment(const int places, const float *restrict x, const float *restrict d, L sums[INPUTS][KW]) {
    L last[KW];
    UNROLL for (int v = 0; v < places + KW - 1; v++) {
        if (v < places) last[v % KW] = *(const L *)(d + v * COUT);
        UNROLL for (int c = 0; c < INPUTS; c++) {
            const float value = x[v * CIN + c];
            UNROLL for (int j = 0; j < KW; j++)
                if (v >= j && v - j < places) sums[c][j] += value * last[(v - j) % KW];
        }
    }
}

static void weight_gradient(Scratch *restrict mem) {
    for (int first = 0; first < OH; first += BAND)
        for (int o = 0; o < COUT; o += VC)
            for (int t = 0; t < KH * CIN; t += INPUTS) {
                L sums[INPUTS][KW];
                float *restrict to = mem->sums + t * KW * COUT + o;
                UNROLL for (int c = 0; c < INPUTS; c++)
                    UNROLL for (int j = 0; j < KW; j++) sums[c][j] = *(L *)(to + (c * KW + j) * COUT);
                for (int r = first; r < MIN(OH, first + BAND); r++) {
                    const float *restrict x = mem->x + (r + t / CIN) * XW * CIN + t % CIN;
                    const float *restrict d = mem->d + ((r + DT) * DW + DL) * COUT + o;
                    int v = 0;
                    for (; v + SEGMENT <= OW; v += SEGMENT) segment(SEGMENT, x + v * CIN, d + v * COUT, sums);
                    if (OW % SEGMENT) segment(OW % SEGMENT ? OW % SEGMENT : 1, x + v * CIN, d + v * COUT, sums);
                }
                UNROLL for (int c = 0; c < INPUTS; c++)
                    UNROLL for (int j = 0; j < KW; j++) *(L *)(to + (c * KW + j) * COUT) = sums[c][j];
            }
}

/* ---- entry points; filters as torch has them, [output channel][input channel][row][column] ---- */

void forward(long samples, const float *restrict x, const float *restrict w, const float *restrict bias, float *restrict z) {
    Scratch *restrict mem = OWN(scratch);
    for (int o = 0; o < COUT; o++) {
        mem->start[o] = bias ? bias[o] : 0.0f;
        for (int c = 0; c < CIN; c++)
            for (int t = 0; t < KH * KW; t++)
                mem->w[((t / KW * CIN + c) * KW + t % KW) * COUT + o] = w[(o * CIN + c) * KH * KW + t];
    }
    for (long s = 0; s < samples; s++) {
        pad(CIN, IH, IW, CH, CW, x + s * IH * IW * CIN, mem->x);
        convolve(CIN, COUT, OH, OW, mem->x, mem->w, mem->start, z + s * OH * OW * COUT);
    }
}

/* Of the output's gradient d: that of the input, unless dx is null, and that of the filters. */
void backward(long samples, const float *restrict x, const float *restrict w, const float *restrict d, float *restrict dx,
              float *restrict dw) {
    Scratch *restrict mem = OWN(scratch);
    for (int o = 0; o < COUT; o++)
        for (int c = 0; c < CIN; c++)
            for (int t = 0; t < KH * KW; t++)
                mem->turned[(((KH - 1 - t / KW) * COUT + o) * KW + KW - 1 - t % KW) * CIN + c] = w[(o * CIN + c) * KH * KW + t];
    memset(mem->sums, 0, sizeof mem->sums);
    memset(mem->start, 0, sizeof mem->start);
    for (long s = 0; s < samples; s++) {
        pad(CIN, IH, IW, CH, CW, x + s * IH * IW * CIN, mem->x);
        pad(COUT, OH, OW, DT, DL, d + s * OH * OW * COUT, mem->d);
        weight_gradient(mem);
        if (dx) convolve(COUT, CIN, IH, IW, mem->d, mem->turned, mem->start, dx + s * IH * IW * CIN);
    }
    for (int o = 0; o < COUT; o++)
        for (int c = 0; c < CIN; c++)
            for (int t = 0; t < KH * KW; t++)
                dw[(o * CIN + c) * KH * KW + t] = mem->sums[((t / KW * CIN + c) * KW + t % KW) * COUT + o];
}
