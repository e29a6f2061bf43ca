// Softmax, and its cross-entropy with the right class.

#include "elementary.h"
#include "kernels.h"
#include "logits.h"

// out (m, n): each row of x as probabilities
void op_softmax(float *out, const float *x, u32 m, u32 n) {
    for (u32 row = 0; row < m; row++, out += n, x += n) {
        float total = exponentials(out, x, 1.0f, largest(x, n), n);
        u32 i = 0;
        for (; i + LANES <= n; i += LANES) store(out + i, divide(load(out + i), splat(total)));
        for (; i < n; i++) out[i] /= total;
    }
}

INLINE void cross_rows(const u32 rows, float *out, float *logs, const float *x, const u32 *labels,
                       u32 n) {
    Logits found = logits_of(rows, 0, x, n);
#pragma unroll
    for (u32 r = 0; r < rows; r++, x += n) {
        u32 label = checked(labels[r], n);
        float peak = found.peak[r];
        logs[r] = peak + found.log[r];
        out[0] += found.log[r] - (x[label] - peak);
        out[1] += is_first_peak(x, peak, label) ? 1.0f : 0.0f;
    }
}

// out (2) = mean over the rows of -log softmax(x)[label], and how many rows have their largest
// value at the label (the first of equals counts). logs (m, 1) = the logarithm of the sum of
// exponentials of each row, which is all that the gradient has to know of them. Four rows at a time
// take their logarithms, and are added up in their order.
void op_cross_entropy(float *out, float *logs, const float *x, const u32 *labels, u32 m, u32 n) {
    float sums[2] = {0.0f, 0.0f};
    u32 row = 0;
    for (; row + LANES <= m; row += LANES)
        cross_rows(LANES, sums, logs + row, x + row * n, labels + row, n);
    for (; row < m; row++) cross_rows(1, sums, logs + row, x + row * n, labels + row, n);
    out[0] = sums[0] / (float)m;
    out[1] = sums[1];
}

// out (m, n) = (softmax(x) - 1 at the label) / m, where softmax(x) = exp(x - log)
void op_cross_entropy_gradient(float *out, const float *x, const u32 *labels, const float *logs,
                               u32 m, u32 n) {
    const float share = 1.0f / (float)m, octaves = octaves_of(1.0f);
    for (u32 row = 0; row < m; row++, out += n, x += n) {
        float log = logs[row];
        u32 i = 0;
        for (; i + LANES <= n; i += LANES)
            store(out + i, mul(share4(load(x + i), log, octaves), splat(share)));
        if (i < n) {
            f32x4 last = share4(load_tail(x + i, n - i), log, octaves);
            store_tail(out + i, mul(last, splat(share)), n - i);
        }
        out[checked(labels[row], n)] -= share;
    }
}

// losses (p) and corrects (p) at step modulo p = statistics (2); answers whether the loss is a
// number.
u32 op_record(float *statistics, float *losses, float *corrects, u32 p, u32 step) {
    losses[step % p] = statistics[0];
    corrects[step % p] = statistics[1];
    return __builtin_fabsf(statistics[0]) < __builtin_inff();
}
