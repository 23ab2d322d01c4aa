/* What follows a convolution, for one member: batch norm or nothing, another map added or nothing, activation, pool;
 * forward and backward, fp32, one thread.
 *
 * Maps are [sample][row][column][channel]: channels last, as oneDNN's convolutions want them. Compiled once for every
 * shape (see tails.py), with the macros of maps.h.
 *
 * Compiled without -ffast-math: a NaN or infinity must reach the outputs of its member.
 */
#include "maps.h"

enum { /* the gradient before a cheap activation is computed twice instead of stored */
    TWICE = !POOLED && !ADDS && (ACT == 0 || ACT == 3 || ACT == 4),
};

/* Mean and variance of every channel over samples and places; within a sample in two passes, samples by Chan's rule. */
static void moments(Scratch *restrict mem, long samples, const float *restrict z, double *mean, double *variance) {
    for (int c = 0; c < C; c++) mean[c] = variance[c] = 0.0;
    for (long s = 0; s < samples; s++, z += N) {
        float own[C];
        memset(mem->sums, 0, sizeof mem->sums);
        memset(mem->products, 0, sizeof mem->products);
        for (int r = 0; r < H; r++)
            for (int i = 0; i < ROW; i++) mem->sums[i] += z[r * ROW + i];
        for (int c = 0; c < C; c++) {
            double sum = 0.0;
            for (int j = 0; j < W; j++) sum += mem->sums[j * C + c];
            own[c] = (float)(sum / (H * W));
        }
        along_row(mem->mean, own);
        for (int r = 0; r < H; r++)
            for (int i = 0; i < ROW; i++) {
                const float apart = z[r * ROW + i] - mem->mean[i];
                mem->products[i] += apart * apart;
            }
        for (int c = 0; c < C; c++) {
            double squares = 0.0, apart = own[c] - mean[c];
            for (int j = 0; j < W; j++) squares += mem->products[j * C + c];
            mean[c] += apart / (s + 1);
            variance[c] += squares + apart * apart * (H * W) * s / (s + 1);
        }
    }
    for (int c = 0; c < C; c++) variance[c] /= (double)samples * H * W;
}

/* A batch norm as factors of channels: y = z * factor + offset, and mean and 1 / deviation, which backward needs.
 * Running statistics may be null; `of_batch`: the batch's own are used, `moves`: the running ones follow them. */
void normalise(long samples, const float *z, const float *scale, const float *shift, float *running_mean,
               float *running_variance, long of_batch, long moves, double momentum, double eps, float *mean,
               float *inverse, float *factor, float *offset) {
    double centre[C], variance[C];
    if (of_batch) {
        moments(OWN(scratch), samples, z, centre, variance);
        const double places = (double)samples * H * W, unbiased = places / (places > 1.0 ? places - 1.0 : 1.0);
        if (moves)
            for (int c = 0; c < C; c++) {
                running_mean[c] += momentum * (centre[c] - running_mean[c]);
                running_variance[c] += momentum * (variance[c] * unbiased - running_variance[c]);
            }
    } else
        for (int c = 0; c < C; c++) centre[c] = running_mean[c], variance[c] = running_variance[c];
    for (int c = 0; c < C; c++) {
        mean[c] = centre[c];
        inverse[c] = 1.0 / sqrt(variance[c] + eps);
        factor[c] = scale ? inverse[c] * scale[c] : inverse[c];
        offset[c] = (shift ? shift[c] : 0.0f) - mean[c] * factor[c];
    }
}

void forward(long samples, const float *restrict z, const float *restrict factor, const float *restrict offset,
             const float *restrict other, float *restrict y) {
    Scratch *restrict mem = OWN(scratch);
    start(mem, factor, offset, 0);
    for (long s = 0; s < samples; s++) {
        float *a = POOLED ? mem->a : y + s * OUT;
        for (int r = 0, u = 0; r < H; r++) {
            activate_row(mem, r, z + s * N, ADDS ? other + s * N : 0, a);
            if (POOLED) u = pool(u, r + 1, a, y + s * OUT);
        }
    }
}

/* Of one member: the gradient `d` before the activation (that of what was added), that of the batch norm's input `dz`
 * (which may be `d`; null: there is no batch norm), and the sums over all places of d and of d * (z - mean) * inverse:
 * the gradients of shift and scale. */
void backward(long samples, const float *restrict z, const float *restrict factor, const float *restrict offset,
              const float *restrict other, const float *restrict grad, const float *restrict mean,
              const float *restrict inverse, long of_batch, float *d, float *dz, float *restrict sums,
              float *restrict products) {
    Scratch *restrict mem = OWN(scratch);
    start(mem, factor, offset, mean);
    double total[C], product[C];
    for (int c = 0; c < C; c++) total[c] = product[c] = 0.0;
    for (long s = 0; s < samples; s++) {
        const float *from = grad + s * OUT, *da = POOLED ? mem->da : from;
        for (int r = 0, u = 0, done = 0; r < H; r++) {
            activate_row(mem, r, z + s * N, ADDS ? other + s * N : 0, mem->a);
            if (POOLED && !APART) memset(mem->da + r * ROW, 0, ROW * sizeof(float));
            if (POOLED) u = pool_backward(u, r + 1, mem->a, from, mem->da);
            for (; done < (POOLED ? MIN(next_row(u), r + 1) : r + 1); done++)
                gradient_row(mem, done, z + s * N, da, mem->a, TWICE && dz ? mem->a : d + s * N);
        }
        take_sums(mem, inverse, total, product);
    }
    for (int c = 0; c < C; c++) sums[c] = total[c], products[c] = product[c];
    if (!dz) return;
    float by_z[C], constant[C];
    const double places = of_batch ? (double)samples * H * W : 1.0 / 0.0; /* fixed statistics do not move with z */
    for (int c = 0; c < C; c++) {
        by_z[c] = -factor[c] * inverse[c] * (product[c] / places);
        constant[c] = -factor[c] * (total[c] / places) - by_z[c] * mean[c];
    }
    if (!TWICE) {
        along_row(mem->mean, by_z);
        along_row(mem->shift, constant);
        for (long r = 0; r < samples * H; r++)
            for (int i = 0; i < ROW; i++)
                dz[r * ROW + i] = d[r * ROW + i] * mem->scale[i] + (z[r * ROW + i] * mem->mean[i] + mem->shift[i]);
        return;
    }
    along_row(mem->mean, by_z);
    along_row(mem->constant, constant);
    for (long r = 0; r < samples * H; r++)
        for (int i = 0; i < ROW; i++) {
            const float value = z[r * ROW + i], slope_there = slope(act(value * mem->scale[i] + mem->shift[i]));
            dz[r * ROW + i] = grad[r * ROW + i] * slope_there * mem->scale[i] + (value * mem->mean[i] + mem->constant[i]);
        }
}
