// Losses of numbers: how far predictions x (m, n) are from targets t (m, n).
//
// Each answers out (2) = the mean loss over all m * n, and the sum over rows of the mean absolute
// error of a row. A row is summed in four lanes and then over its ragged end, rows in double
// precision in their order. The gradients are exact step by step.

#include "kernels.h"

typedef f32x4 (*Pointwise)(f32x4 difference, float shape);

typedef struct { double loss, error; } Totals;

INLINE Totals row_totals(const float *x, const float *t, u32 n, float shape, Pointwise loss) {
    f32x4 losses = splat(0.0f), errors = splat(0.0f);
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        f32x4 difference = sub(load(x + i), load(t + i));
        losses = add(losses, loss(difference, shape));
        errors = add(errors, absolute(difference));
    }
    float loss_sum = sum_lanes(losses), error_sum = sum_lanes(errors), lanes[LANES];
    if (i < n) {
        f32x4 difference = sub(load_tail(x + i, n - i), load_tail(t + i, n - i));
        store(lanes, loss(difference, shape));
        for (u32 lane = 0; lane < n - i; lane++) loss_sum += lanes[lane];
        store(lanes, absolute(difference));
        for (u32 lane = 0; lane < n - i; lane++) error_sum += lanes[lane];
    }
    return (Totals){loss_sum, error_sum};
}

INLINE void measure(float *out, const float *x, const float *t, u32 m, u32 n, float shape,
                    Pointwise loss) {
    double losses = 0.0, errors = 0.0;
    for (u32 row = 0; row < m; row++, x += n, t += n) {
        Totals totals = row_totals(x, t, n, shape, loss);
        losses += totals.loss;
        errors += totals.error;
    }
    out[0] = (float)(losses / m / n);
    out[1] = (float)(errors / n);
}

// out (m, n) = slope of the loss in x, times 1 / (m * n)
INLINE void slopes(float *out, const float *x, const float *t, u32 m, u32 n, float shape,
                   Pointwise slope) {
    f32x4 share = splat((float)(1.0 / m / n));
    u32 count = m * n, i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES)
#pragma unroll
        for (u32 v = 0; v < 4 * LANES; v += LANES)
            store(out + i + v, mul(slope(sub(load(x + i + v), load(t + i + v)), shape), share));
    for (; i + LANES <= count; i += LANES)
        store(out + i, mul(slope(sub(load(x + i), load(t + i)), shape), share));
    if (i == count) return;
    f32x4 difference = sub(load_tail(x + i, count - i), load_tail(t + i, count - i));
    store_tail(out + i, mul(slope(difference, shape), share), count - i);
}

// 1 where d > 0, -1 where d < 0, and d itself where it is zero or not a number
INLINE f32x4 sign(f32x4 d) {
    f32x4 zero = splat(0.0f);
    return select(less(zero, d), splat(1.0f), select(less(d, zero), splat(-1.0f), d));
}

INLINE f32x4 square(f32x4 d, float shape) { (void)shape; return mul(d, d); }
INLINE f32x4 square_slope(f32x4 d, float shape) { (void)shape; return add(d, d); }
INLINE f32x4 size(f32x4 d, float shape) { (void)shape; return absolute(d); }
INLINE f32x4 size_slope(f32x4 d, float shape) { (void)shape; return sign(d); }

// d^2 / 2 up to delta, from there on the tangent: delta * (|d| - delta / 2)
INLINE f32x4 huber(f32x4 d, float delta) {
    f32x4 limit = splat(delta), error = absolute(d);
    f32x4 beyond = mul(limit, sub(error, splat(0.5f * delta)));
    return select(less(limit, error), beyond, mul(splat(0.5f), mul(d, d)));
}

INLINE f32x4 huber_slope(f32x4 d, float delta) {
    f32x4 most = splat(delta), least = splat(-delta);
    return larger(lesser(d, most), least);
}

// (1 - tau) * d above the target, tau * -d below it
INLINE f32x4 quantile(f32x4 d, float tau) {
    return select(less(d, splat(0.0f)), mul(splat(-tau), d), mul(splat(1.0f - tau), d));
}

INLINE f32x4 quantile_slope(f32x4 d, float tau) {
    f32x4 zero = splat(0.0f);
    f32x4 above = select(less(zero, d), splat(1.0f - tau), d);
    return select(less(d, zero), splat(-tau), above);
}

void op_squared_error(float *out, const float *x, const float *t, u32 m, u32 n) {
    measure(out, x, t, m, n, 0.0f, square);
}

void op_squared_error_gradient(float *out, const float *x, const float *t, u32 m, u32 n) {
    slopes(out, x, t, m, n, 0.0f, square_slope);
}

void op_absolute_error(float *out, const float *x, const float *t, u32 m, u32 n) {
    measure(out, x, t, m, n, 0.0f, size);
}

void op_absolute_error_gradient(float *out, const float *x, const float *t, u32 m, u32 n) {
    slopes(out, x, t, m, n, 0.0f, size_slope);
}

void op_huber(float *out, const float *x, const float *t, u32 m, u32 n, float delta) {
    measure(out, x, t, m, n, delta, huber);
}

void op_huber_gradient(float *out, const float *x, const float *t, u32 m, u32 n, float delta) {
    slopes(out, x, t, m, n, delta, huber_slope);
}

void op_quantile(float *out, const float *x, const float *t, u32 m, u32 n, float tau) {
    measure(out, x, t, m, n, tau, quantile);
}

void op_quantile_gradient(float *out, const float *x, const float *t, u32 m, u32 n, float tau) {
    slopes(out, x, t, m, n, tau, quantile_slope);
}
