/* Linear layers of K members with bias and activation, forward and backward, fp32, one thread.
 *
 * Matrix products of the sizes of small networks, in which sums of a few rows by two vectors are kept in registers. What
 * is read in vectors is copied before into panels of as many columns, one row after another, with zeros where a matrix
 * ends; the other factor is read a number at a time, where it is.
 *
 * Macros: INPUTS OUTPUTS ACT (see activations.h; none that is told from z).
 * Matrices are by rows: x [sample][input], w [output][input], y [sample][output].
 */
#include "activations.h"

enum { ROWS = (ACC - ACC / 8) / 2 + (VL == 8), COLUMNS = 2 * VL };
#define PANELS(columns) (((columns) + COLUMNS - 1) / COLUMNS)

/* sums[r][:] += the sum over t of a[r * row + t * step] * panel[t][:] */
INLINE void product(const int rows, long terms, const float *restrict a, long row, long step, const float *restrict panel, V sums[ROWS][2]) {
    for (long t = 0; t < terms; t++, panel += COLUMNS, a += step) {
        const V left = *(const V *)panel, right = *(const V *)(panel + VL);
        UNROLL for (int r = 0; r < rows; r++) {
            const float value = a[r * row];
            sums[r][0] += value * left;
            sums[r][1] += value * right;
        }
    }
}

static void __attribute__((noinline)) part(float *restrict to, V left, V right, long columns) {
    const V both[2] = {left, right};
    memcpy(to, both, columns * sizeof(float));
}

/* y[r][c] = the sum over t of a[r * row + t * step] * panel[t][c], for `rows` rows, at most ROWS, and `columns` of a panel */
static void products(long rows, long terms, const float *restrict a, long row, long step, const float *restrict panel, long columns,
                     float *restrict y, long y_row) {
#define CASE(n)                                                                                     \
    case MIN(n, ROWS) + (n > ROWS ? n : 0): {                                                       \
        V sums[ROWS][2];                                                                            \
        UNROLL for (int i = 0; i < MIN(n, ROWS); i++) sums[i][0] = sums[i][1] = (V){0};             \
        product(MIN(n, ROWS), terms, a, row, step, panel, sums);                                    \
        UNROLL for (int i = 0; i < MIN(n, ROWS); i++)                                               \
            if (columns == COLUMNS) {                                                               \
                *(U *)(y + i * y_row) = sums[i][0];                                                 \
                *(U *)(y + i * y_row + VL) = sums[i][1];                                            \
            } else                                                                                  \
                part(y + i * y_row, sums[i][0], sums[i][1], columns);                               \
        break;                                                                                      \
    }
    switch (rows) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) }
#undef CASE
}

/* How many of the rows that are left to take at once: about as many each time. */
INLINE long some(long rows) { return (rows + (rows + ROWS - 1) / ROWS - 1) / ((rows + ROWS - 1) / ROWS); }

/* Columns from `first` on of a matrix with so many rows and columns, as a panel. */
static void gather(long rows, long columns, long first, const float *restrict from, float *restrict panel) {
    const long some = MIN(COLUMNS, columns - first);
    for (long r = 0; r < rows; r++, panel += COLUMNS)
        if (some == COLUMNS)
            for (int c = 0; c < COLUMNS; c++) panel[c] = from[r * columns + first + c];
        else {
            memset(panel, 0, COLUMNS * sizeof(float));
            memcpy(panel, from + r * columns + first, some * sizeof(float));
        }
}

/* to[c * to_row + r] = from[r * from_row + c]; with `pads`, zeros for the rows that lack for whole vectors */
static void turn(long rows, long columns, const float *restrict from, long from_row, float *restrict to, long to_row, int pads) {
    for (long r = 0; r < rows; r += VL)
        for (long c = 0; c < columns; c += VL) {
            V t[VL];
            const long across = MIN(VL, columns - c), down = MIN(VL, rows - r);
            if (across == VL && down == VL) {
                UNROLL for (int l = 0; l < VL; l++) t[l] = *(const U *)(from + (r + l) * from_row + c);
                transpose(t);
                UNROLL for (int l = 0; l < VL; l++) *(U *)(to + (c + l) * to_row + r) = t[l];
                continue;
            }
            for (long l = 0; l < across; l++)
                for (long i = 0; i < (pads ? VL : down); i++)
                    to[(c + l) * to_row + r + i] = i < down ? from[(r + i) * from_row + c + l] : 0.0f;
        }
}

static void activate(long n, float bias, float *restrict y) {
    if (ACT == 1)
        for (long i = 0; i < n; i += VL) *(V *)(y + i) = sigmoid(*(V *)(y + i) + bias);
    else
        for (long i = 0; i < n; i++) y[i] = act(y[i] + bias);
}

/* ---- entry points; x_step: members that share an input; memory: scratch, aligned (see linears.py) ---- */

void forward(long K, long B, long share, const float *x, const float *w, const float *bias, float *y, float *memory) {
    const long samples = PANELS(B) * COLUMNS;
    float *panels = memory, *turned = memory + samples * INPUTS; /* [panel][input][COLUMNS], [output][samples] */
    for (long k = 0; k < K; k++) {
        if (k % share == 0)
            for (long s = 0; s < samples; s += COLUMNS) {
                float *to = panels + s * INPUTS;
                if (B - s < COLUMNS) memset(to, 0, INPUTS * COLUMNS * sizeof(float));
                turn(MIN(COLUMNS, B - s), INPUTS, x + (k / share * B + s) * INPUTS, INPUTS, to, COLUMNS, 1);
            }
        const float *own = w + k * OUTPUTS * INPUTS;
        for (long o = 0, n; o < OUTPUTS; o += n)
            for (long s = (n = some(OUTPUTS - o), 0); s < samples; s += COLUMNS)
                products(n, INPUTS, own + o * INPUTS, INPUTS, 1, panels + s * INPUTS, COLUMNS, turned + o * samples + s, samples);
        for (long o = 0; o < OUTPUTS; o++) activate(samples, bias ? bias[k * OUTPUTS + o] : 0.0f, turned + o * samples);
        turn(OUTPUTS, B, turned, samples, y + k * B * OUTPUTS, OUTPUTS, 0);
    }
}

/* gx and gb may be null. */
void backward(long K, long B, long share, const float *x, const float *w, const float *y, const float *gy, float *gx, float *gw, float *gb, float *memory) {
    float *panels = memory, *panel = panels + PANELS(INPUTS) * B * COLUMNS, *d = panel + OUTPUTS * COLUMNS;
    for (long k = 0; k < K; k++) {
        const float *own_w = w + k * OUTPUTS * INPUTS;
        if (k % share == 0)
            for (long i = 0; i < INPUTS; i += COLUMNS) gather(B, INPUTS, i, x + k / share * B * INPUTS, panels + i * B);
        for (long i = 0; i < B * OUTPUTS; i++) d[i] = gy[k * B * OUTPUTS + i] * slope(y[k * B * OUTPUTS + i]);
        for (long o = 0, n; o < OUTPUTS; o += n)
            for (long i = (n = some(OUTPUTS - o), 0); i < INPUTS; i += COLUMNS)
                products(n, B, d + o, 1, OUTPUTS, panels + i * B, MIN(COLUMNS, INPUTS - i), gw + (k * OUTPUTS + o) * INPUTS + i, INPUTS);
        for (long i = 0; gx && i < INPUTS; i += COLUMNS) {
            gather(OUTPUTS, INPUTS, i, own_w, panel);
            for (long s = 0, n; s < B; s += n)
                products(n = some(B - s), OUTPUTS, d + s * OUTPUTS, OUTPUTS, 1, panel, MIN(COLUMNS, INPUTS - i), gx + (k * B + s) * INPUTS + i, INPUTS);
        }
        if (!gb) continue;
        memset(gb + k * OUTPUTS, 0, OUTPUTS * sizeof(float));
        for (long s = 0; s < B; s++)
            for (int o = 0; o < OUTPUTS; o++) gb[k * OUTPUTS + o] += d[s * OUTPUTS + o];
    }
}
