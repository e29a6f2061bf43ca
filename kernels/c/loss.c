// Softmax, and its cross-entropy with the right class.

#include "elementary.h"
#include "kernels.h"
#include "sums.h"

// out (m, n): each row of x as probabilities
void op_softmax(float *out, const float *x, u32 m, u32 n) {
    for (u32 row = 0; row < m; row++, out += n, x += n) {
        float total = exponentials(out, x, 1.0f, largest(x, n), n);
        for (u32 i = 0; i < n; i++) out[i] /= total;
    }
}

// out (2) = mean over the rows of -log softmax(x)[label], and how many rows have their largest
// value at the label (the first of equals counts). scratch (n).
void op_cross_entropy(float *out, const float *x, const u32 *labels, float *scratch, u32 m, u32 n) {
    float loss = 0.0f, correct = 0.0f;
    for (u32 row = 0; row < m; row++, x += n) {
        u32 label = labels[row];
        if (label >= n) __builtin_trap();
        float peak = largest(x, n);
        float total = exponentials(scratch, x, 1.0f, peak, n);
        float logs[LANES];
        store(logs, log4(splat(total)));
        loss += logs[0] - (x[label] - peak);
        u32 first = 0;
        while (first < n && x[first] != peak) first++;
        correct += first == label ? 1.0f : 0.0f;
    }
    out[0] = loss / (float)m;
    out[1] = correct;
}

// out (m, n) = (softmax(x) - 1 at the label) / m
void op_cross_entropy_gradient(float *out, const float *x, const u32 *labels, u32 m, u32 n) {
    op_softmax(out, x, m, n);
    for (u32 row = 0; row < m; row++, out += n) {
        if (labels[row] >= n) __builtin_trap();
        out[labels[row]] -= 1.0f;
        for (u32 i = 0; i < n; i++) out[i] /= (float)m;
    }
}

// losses (p) and corrects (p) at step modulo p = statistics (2); answers whether the loss is a
// number.
u32 op_record(float *statistics, float *losses, float *corrects, u32 p, u32 step) {
    losses[step % p] = statistics[0];
    corrects[step % p] = statistics[1];
    return __builtin_fabsf(statistics[0]) < __builtin_inff();
}
