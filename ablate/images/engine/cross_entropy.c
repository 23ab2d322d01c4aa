/* Cross-entropy of K members' outputs, its gradient and how many answers are right, in one pass; fp32, one thread. */
#define ACT 0
#include "activations.h"

/* out [K][B][classes], labels [K / share][B], each for as many members that follow one another; smoothing [K], or null. Of
 * every member: its mean loss, the number of right answers, and the gradient of its loss, as out. A NaN is the largest
 * number, as in torch's argmax. Returns 0 if a label is none. */
int cross_entropy(long K, long B, long classes, long share, const float *restrict out, const int64_t *restrict labels,
                   const float *restrict smoothing, float *restrict losses, int64_t *restrict right, float *restrict grad) {
    for (long k = 0; k < K; k++) {
        double total = 0.0;
        const float even = smoothing ? smoothing[k] / classes : 0.0f, own = smoothing ? 1.0f - smoothing[k] : 1.0f;
        right[k] = 0;
        for (long s = 0; s < B; s++, out += classes, grad += classes) {
            const long label = labels[k / share * B + s];
            if (label < 0 || label >= classes) return 0;
            long best = 0;
            for (long c = 1; c < classes; c++)
                if (out[c] > out[best] || (out[c] != out[c] && out[best] == out[best])) best = c;
            right[k] += best == label;
            float sum = 0.0f, all = 0.0f;
            for (long c = 0; c < classes; c++) grad[c] = expo(out[c] - out[best]);
            for (long c = 0; c < classes; c++) sum += grad[c], all += out[c] - out[best];
            const float log_sum = logf(sum), share = 1.0f / (sum * B);
            total += log_sum - own * (out[label] - out[best]);
            if (smoothing) total -= even * all;
            for (long c = 0; c < classes; c++) grad[c] = grad[c] * share - even / B;
            grad[label] -= own / B;
        }
        losses[k] = total / B;
    }
    return 1;
}
