// Losses that are likelihoods: of classes with weights, of shares, of yes and no, of a Gaussian.
//
// With logits x (m, n), peak the largest of a row and total the sum of its exp(x - peak), a class
// costs -log softmax(x)[c] = log(total) - (x[c] - peak). A row is summed in four lanes and then
// over its ragged end, rows in double precision in their order.

#include "kernels.h"
#include "logits.h"

// The sum over classes of shares (n) * cost.
INLINE float cost_of(const float *x, const float *shares, float peak, float log_total, u32 n) {
    f32x4 sums = splat(0.0f);
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        f32x4 cost = sub(splat(log_total), sub(load(x + i), splat(peak)));
        sums = add(sums, mul(load(shares + i), cost));
    }
    float total = sum_lanes(sums);
    for (; i < n; i++) total += shares[i] * (log_total - (x[i] - peak));
    return total;
}

// out (n) = out * grow - shares * shrink
INLINE void pull(float *out, const float *shares, float grow, float shrink, u32 n) {
    u32 i = 0;
    for (; i + LANES <= n; i += LANES)
        store(out + i, sub(mul(load(out + i), splat(grow)), mul(load(shares + i), splat(shrink))));
    for (; i < n; i++) out[i] = out[i] * grow - shares[i] * shrink;
}

INLINE double weight_of(const u32 *labels, const float *weights, u32 m, u32 n) {
    double total = 0.0;
    for (u32 row = 0; row < m; row++) total += weights[checked(labels[row], n)];
    return total;
}

typedef struct { double loss; u32 correct; } Score;

INLINE void weighted_rows(const u32 rows, Score *score, const float *x, const u32 *labels,
                          const float *weights, u32 n, float smoothing) {
    Logits found = logits_of(rows, 0, x, n);
#pragma unroll
    for (u32 r = 0; r < rows; r++, x += n) {
        u32 label = labels[r];
        float peak = found.peak[r], logs = found.log[r];
        float right = weights[label] * (logs - (x[label] - peak));
        float all = cost_of(x, weights, peak, logs, n);
        score->loss += (1.0f - smoothing) * right + smoothing / (float)n * all;
        score->correct += is_first_peak(x, peak, label);
    }
}

// With class weights (n) and the smoothing s a row of label y costs (1 - s) * weights[y] * cost[y]
// + s / n * sum of weights * cost (Szegedy and others, "Rethinking the inception architecture",
// 2016, section 7). out (2) = the sum of rows over the sum of weights[y], as PyTorch takes the
// mean; and how many rows have their largest value at the label.
void op_weighted_cross_entropy(float *out, const float *x, const u32 *labels, const float *weights,
                               u32 m, u32 n, float smoothing) {
    double divisor = weight_of(labels, weights, m, n);
    Score score = {0.0, 0};
    u32 row = 0;
    for (; row + LANES <= m; row += LANES, x += LANES * n)
        weighted_rows(LANES, &score, x, labels + row, weights, n, smoothing);
    for (; row < m; row++, x += n)
        weighted_rows(1, &score, x, labels + row, weights, n, smoothing);
    out[0] = (float)(score.loss / divisor);
    out[1] = (float)score.correct;
}

void op_weighted_cross_entropy_gradient(float *out, const float *x, const u32 *labels,
                                        const float *weights, u32 m, u32 n, float smoothing) {
    double divisor = weight_of(labels, weights, m, n);
    float spread = smoothing / (float)n, every = spread * sum_of(weights, n);
    for (u32 row = 0; row < m; row++, out += n, x += n) {
        u32 label = labels[row];
        float own = (1.0f - smoothing) * weights[label];
        float total = exponentials(out, x, 1.0f, largest(x, n), n);
        pull(out, weights, (float)((own + every) / divisor) / total, (float)(spread / divisor), n);
        out[label] -= (float)(own / divisor);
    }
}

INLINE void soft_rows(const u32 rows, Score *score, const float *x, const float *t, u32 n) {
    Logits found = logits_of(rows, 0, x, n);
#pragma unroll
    for (u32 r = 0; r < rows; r++, x += n, t += n) {
        u32 best = place_of(t, largest(t, n), n);
        score->loss += cost_of(x, t, found.peak[r], found.log[r], n);
        score->correct += best < n && is_first_peak(x, found.peak[r], best);
    }
}

// out (2) = the mean over rows of the sum of shares t (m, n) * cost; and how many rows have their
// largest value where the largest share is
void op_soft_cross_entropy(float *out, const float *x, const float *t, u32 m, u32 n) {
    Score score = {0.0, 0};
    u32 row = 0;
    for (; row + LANES <= m; row += LANES, x += LANES * n, t += LANES * n)
        soft_rows(LANES, &score, x, t, n);
    for (; row < m; row++, x += n, t += n) soft_rows(1, &score, x, t, n);
    out[0] = (float)(score.loss / m);
    out[1] = (float)score.correct;
}

// out (m, n) = (softmax(x) * sum of shares - t) / m
void op_soft_cross_entropy_gradient(float *out, const float *x, const float *t, u32 m, u32 n) {
    for (u32 row = 0; row < m; row++, out += n, x += n, t += n) {
        float total = exponentials(out, x, 1.0f, largest(x, n), n);
        pull(out, t, sum_of(t, n) / total / (float)m, 1.0f / (float)m, n);
    }
}

typedef struct { f32x4 cost, right; } Answer;

// max(x, 0) - x * t + log(1 + exp(-|x|)): the cost of logit x where yes has the share t; and 1
// where both lean the same way
INLINE Answer binary4(f32x4 x, f32x4 t) {
    f32x4 zero = splat(0.0f), one = splat(1.0f);
    f32x4 least = select(less(x, zero), zero, x);
    f32x4 rest = log4(add(one, exp4(negative(absolute(x)))));
    i32x4 says = less(zero, x), is = less(splat(0.5f), t);
    f32x4 right = select(says, select(is, one, zero), select(is, zero, one));
    return (Answer){add(sub(least, mul(x, t)), rest), right};
}

// out (2) = the mean cost over all m * n; and the sum over rows of the share of right answers
void op_binary_cross_entropy(float *out, const float *x, const float *t, u32 m, u32 n) {
    double loss = 0.0, correct = 0.0;
    for (u32 row = 0; row < m; row++, x += n, t += n) {
        f32x4 costs = splat(0.0f), rights = splat(0.0f);
        u32 i = 0;
        for (; i + LANES <= n; i += LANES) {
            Answer answer = binary4(load(x + i), load(t + i));
            costs = add(costs, answer.cost);
            rights = add(rights, answer.right);
        }
        float cost = sum_lanes(costs), right = sum_lanes(rights), lanes[LANES];
        if (i < n) {
            Answer answer = binary4(load_tail(x + i, n - i), load_tail(t + i, n - i));
            store(lanes, answer.cost);
            for (u32 lane = 0; lane < n - i; lane++) cost += lanes[lane];
            store(lanes, answer.right);
            for (u32 lane = 0; lane < n - i; lane++) right += lanes[lane];
        }
        loss += cost;
        correct += right;
    }
    out[0] = (float)(loss / m / n);
    out[1] = (float)(correct / n);
}

// out (m, n) = (sigmoid(x) - t) / (m * n)
void op_binary_cross_entropy_gradient(float *out, const float *x, const float *t, u32 m, u32 n) {
    f32x4 share = splat((float)(1.0 / m / n));
    u32 count = m * n, i = 0;
    for (; i + LANES <= count; i += LANES)
        store(out + i, mul(sub(sigmoid4(load(x + i)), load(t + i)), share));
    if (i == count) return;
    f32x4 away = sub(sigmoid4(load_tail(x + i, count - i)), load_tail(t + i, count - i));
    store_tail(out + i, mul(away, share), count - i);
}

// (mean^2 + exp(spread) - 1 - spread) / 2
INLINE f32x4 divergence4(f32x4 mean, f32x4 spread) {
    f32x4 away = sub(sub(exp4(spread), splat(1.0f)), spread);
    return mul(splat(0.5f), add(mul(mean, mean), away));
}

// The divergence of Gaussians with this mean (m, n) and the logarithm of the variance `spread` (m,
// n) from the standard one (Kingma and Welling, "Auto-encoding variational Bayes", 2014, appendix
// B). out (2) = the mean over rows of the sum of a row; and the sum over rows.
void op_divergence(float *out, const float *mean, const float *spread, u32 m, u32 n) {
    double total = 0.0;
    for (u32 row = 0; row < m; row++, mean += n, spread += n) {
        f32x4 sums = splat(0.0f);
        u32 i = 0;
        for (; i + LANES <= n; i += LANES)
            sums = add(sums, divergence4(load(mean + i), load(spread + i)));
        float sum = sum_lanes(sums), lanes[LANES];
        if (i < n)
            store(lanes, divergence4(load_tail(mean + i, n - i), load_tail(spread + i, n - i)));
        for (u32 lane = 0; lane < n - i; lane++) sum += lanes[lane];
        total += sum;
    }
    out[0] = (float)(total / m);
    out[1] = (float)total;
}

// out (m, n) = mean / m
void op_divergence_mean_gradient(float *out, const float *mean, u32 m, u32 n) {
    op_scale(out, mean, m * n, (float)(1.0 / m));
}

// out (m, n) = (exp(spread) - 1) / (2 * m)
void op_divergence_spread_gradient(float *out, const float *spread, u32 m, u32 n) {
    f32x4 share = splat((float)(0.5 / m));
    u32 count = m * n, i = 0;
    for (; i + LANES <= count; i += LANES)
        store(out + i, mul(sub(exp4(load(spread + i)), splat(1.0f)), share));
    if (i == count) return;
    f32x4 away = sub(exp4(load_tail(spread + i, count - i)), splat(1.0f));
    store_tail(out + i, mul(away, share), count - i);
}
