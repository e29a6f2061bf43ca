// One number in, one number out. An op is one expression on four lanes; map and map2 are the loops
// around it, four numbers at a time and then the ragged end.

#include "elementary.h"
#include "kernels.h"

typedef f32x4 (*Unary)(f32x4);
typedef f32x4 (*Binary)(f32x4, f32x4);

INLINE void map(float *out, const float *x, u32 n, Unary f) {
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) store(out + i, f(load(x + i)));
    if (i < n) store_tail(out + i, f(load_tail(x + i, n - i)), n - i);
}

INLINE void map2(float *out, const float *x, const float *y, u32 n, Binary f) {
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) store(out + i, f(load(x + i), load(y + i)));
    if (i < n) store_tail(out + i, f(load_tail(x + i, n - i), load_tail(y + i, n - i)), n - i);
}

#define UNARY(name, expression) \
    INLINE f32x4 name##4(f32x4 x) { return expression; } \
    void op_##name(float *out, const float *x, u32 n) { map(out, x, n, name##4); }
#define BINARY(name, first, second, expression) \
    INLINE f32x4 name##4(f32x4 first, f32x4 second) { return expression; } \
    void op_##name(float *out, const float *first, const float *second, u32 n) { \
        map2(out, first, second, n, name##4); \
    }

#define ZERO splat(0.0f)
#define ONE splat(1.0f)

// `less` is false for NaN, so each of these hands NaN on instead of hiding it.
UNARY(relu, select(less(x, ZERO), ZERO, x))
UNARY(leaky_relu, select(less(x, ZERO), mul(x, splat(0.01f)), x))
UNARY(elu, select(less(x, ZERO), sub(exp4(x), ONE), x))
UNARY(silu, mul(x, sigmoid4(x)))

// gelu(x) = x/2 * (1 + tanh(u)), u = sqrt(2/pi) * (x + 0.044715 x^3): Hendrycks and Gimpel's tanh
// form
INLINE f32x4 gelu_inner(f32x4 x) {
    return mul(splat(0.7978845608f), add(x, mul(splat(0.044715f), mul(x, mul(x, x)))));
}
UNARY(gelu, mul(mul(splat(0.5f), x), add(ONE, tanh4(gelu_inner(x)))))

void op_exp(float *out, const float *x, u32 n) { map(out, x, n, exp4); }
void op_log(float *out, const float *x, u32 n) { map(out, x, n, log4); }
void op_tanh(float *out, const float *x, u32 n) { map(out, x, n, tanh4); }
void op_sigmoid(float *out, const float *x, u32 n) { map(out, x, n, sigmoid4); }

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
BINARY(silu_gradient, x, g, mul(g, silu_slope(x)))

INLINE f32x4 gelu_slope(f32x4 x) {
    f32x4 t = tanh4(gelu_inner(x));
    f32x4 inner_slope = mul(splat(0.7978845608f), add(ONE, mul(splat(0.134145f), mul(x, x))));
    f32x4 bend = mul(mul(splat(0.5f), x), mul(sub(ONE, mul(t, t)), inner_slope));
    return add(mul(splat(0.5f), add(ONE, t)), bend);
}
BINARY(gelu_gradient, x, g, mul(g, gelu_slope(x)))

UNARY(copy, x)
BINARY(sum, x, y, add(x, y))
BINARY(product, x, y, mul(x, y))
BINARY(quotient, x, y, divide(x, y))

// out (m, n) = x (m, n) + b (n) in every row
void op_bias(float *out, const float *x, const float *b, u32 m, u32 n) {
    for (u32 row = 0; row < m; row++) map2(out + row * n, x + row * n, b, n, sum4);
}

// out (n) = the sum of x (m, n) over its rows, in their order
void op_sum_rows(float *out, const float *x, u32 m, u32 n) {
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        f32x4 total = ZERO;
        for (u32 row = 0; row < m; row++) total = add(total, load(x + row * n + i));
        store(out + i, total);
    }
    for (; i < n; i++) {
        float total = 0.0f;
        for (u32 row = 0; row < m; row++) total += x[row * n + i];
        out[i] = total;
    }
}

// out (m, n) = (x (m, n) - mean (n)) / scale (n)
void op_standardise(float *out, const float *x, const float *mean, const float *scale, u32 m, u32 n) {
    for (u32 row = 0; row < m; row++, out += n, x += n) {
        u32 i = 0;
        for (; i + LANES <= n; i += LANES)
            store(out + i, divide(sub(load(x + i), load(mean + i)), load(scale + i)));
        for (; i < n; i++) out[i] = (x[i] - mean[i]) / scale[i];
    }
}
