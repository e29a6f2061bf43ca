// One number in, one number out: the loops of activations.h around one expression on four lanes.

#include "activations.h"
#include "kernels.h"

#define UNARY(name, loop) \
    void op_##name(float *out, const float *x, u32 n) { loop(out, x, n, name##4); }
#define BINARY_LOOP(name, first, second, expression, loop) \
    INLINE f32x4 name##4(f32x4 first, f32x4 second) { return expression; } \
    void op_##name(float *out, const float *first, const float *second, u32 n) { \
        loop(out, first, second, n, name##4); \
    }
#define BINARY(name, first, second, expression) \
    BINARY_LOOP(name, first, second, expression, map2_short)

UNARY(relu, map_short)
UNARY(leaky_relu, map_short)
UNARY(elu, map)
UNARY(silu, map)
UNARY(gelu, map)
UNARY(sigmoid, map)
UNARY(tanh, map)
UNARY(exp, map)
UNARY(log, map)
UNARY(erf, map)

// Gradients: g is the gradient of the output; y the output, x the input, whichever the formula
// wants.
BINARY(relu_gradient, y, g, select(less(ZERO, y), g, ZERO))
BINARY(leaky_relu_gradient, y, g, select(less(y, ZERO), mul(g, splat(0.01f)), g))
BINARY(elu_gradient, y, g, select(less(y, ZERO), mul(g, add(y, ONE)), g))
BINARY(sigmoid_gradient, y, g, mul(g, mul(y, sub(ONE, y))))
BINARY(tanh_gradient, y, g, mul(g, sub(ONE, mul(y, y))))

INLINE f32x4 silu_slope(f32x4 x) {
    f32x4 s = sigmoid4(x);
    return mul(s, add(ONE, mul(x, sub(ONE, s))));
}
BINARY_LOOP(silu_gradient, x, g, mul(g, silu_slope(x)), map2)

INLINE f32x4 gelu_slope(f32x4 x) {
    f32x4 t = tanh4(gelu_inner(x));
    f32x4 inner_slope = mul(splat(0.7978845608f), add(ONE, mul(splat(0.134145f), mul(x, x))));
    f32x4 bend = mul(mul(splat(0.5f), x), mul(sub(ONE, mul(t, t)), inner_slope));
    return add(mul(splat(0.5f), add(ONE, t)), bend);
}
BINARY_LOOP(gelu_gradient, x, g, mul(g, gelu_slope(x)), map2)

void op_copy(float *out, const float *x, u32 n) { map_short(out, x, n, same4); }
void op_sum(float *out, const float *x, const float *y, u32 n) {
    map2_short(out, x, y, n, sum4);
}
BINARY(product, x, y, mul(x, y))
BINARY(quotient, x, y, divide(x, y))

// out (m, n) = x (m, n) + b (n) in every row
void op_bias(float *out, const float *x, const float *b, u32 m, u32 n) {
    for (u32 row = 0; row < m; row++) map2_short(out + row * n, x + row * n, b, n, sum4);
}

// out (n) = the sum of x (m, n) over its rows, in their order
void op_sum_rows(float *out, const float *x, u32 m, u32 n) { sum_rows(out, x, m, n); }

INLINE f32x4 standardise4(f32x4 x, f32x4 mean, f32x4 scale) { return divide(sub(x, mean), scale); }
INLINE f32x4 unstandardise4(f32x4 x, f32x4 mean, f32x4 scale) { return add(mul(x, scale), mean); }

typedef f32x4 (*Ternary)(f32x4, f32x4, f32x4);

INLINE void map3(float *out, const float *x, const float *y, const float *z, u32 n, Ternary f) {
    u32 i = 0, left = n % LANES;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
        for (u32 at = i; at < i + 4 * LANES; at += LANES)
            store(out + at, f(load(x + at), load(y + at), load(z + at)));
    for (; i + LANES <= n; i += LANES) store(out + i, f(load(x + i), load(y + i), load(z + i)));
    if (!left) return;
    f32x4 tail = f(load_tail(x + i, left), load_tail(y + i, left), load_tail(z + i, left));
    store_tail(out + i, tail, left);
}

INLINE void map3_short(float *out, const float *x, const float *y, const float *z, u32 n,
                       Ternary f) {
    u32 whole = n / (ABREAST * LANES) * (ABREAST * LANES);
    for (u32 i = 0; i < whole; i += ABREAST * LANES)
#pragma unroll
        for (u32 v = 0; v < ABREAST * LANES; v += LANES)
            store(out + i + v, f(load(x + i + v), load(y + i + v), load(z + i + v)));
    map3(out + whole, x + whole, y + whole, z + whole, n - whole, f);
}

// Each row of x (m, n) with two numbers of its column. Rows narrower than some vectors are taken
// LANES at a time, for which the numbers are written down as often.
INLINE void map_columns(float *out, const float *x, const float *mean, const float *scale, u32 m,
                        u32 n, Ternary f) {
    enum { NARROW = 16 };
    float means[LANES * NARROW], scales[LANES * NARROW];
    u32 row = 0;
    if (n < NARROW) {
        for (u32 i = 0; i < LANES * n; i++) means[i] = mean[i % n], scales[i] = scale[i % n];
        for (; row + LANES <= m; row += LANES)
            map3_short(out + row * n, x + row * n, means, scales, LANES * n, f);
    }
    for (; row < m; row++) map3_short(out + row * n, x + row * n, mean, scale, n, f);
}

#define COLUMNS(name) \
    void op_##name(float *out, const float *x, const float *mean, const float *scale, u32 m, \
                   u32 n) { \
        map_columns(out, x, mean, scale, m, n, name##4); \
    }

COLUMNS(standardise)    // out (m, n) = (x (m, n) - mean (n)) / scale (n)
COLUMNS(unstandardise)  // out (m, n) = x (m, n) * scale (n) + mean (n)

// out (m, n) = x (m, n) times, or through, the number of its column
void op_column_product(float *out, const float *x, const float *scale, u32 m, u32 n) {
    for (u32 row = 0; row < m; row++) map2_short(out + row * n, x + row * n, scale, n, product4);
}

void op_column_quotient(float *out, const float *x, const float *scale, u32 m, u32 n) {
    for (u32 row = 0; row < m; row++) map2_short(out + row * n, x + row * n, scale, n, quotient4);
}
