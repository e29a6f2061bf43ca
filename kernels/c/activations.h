// What may follow a sum, on four lanes, and the loops that do it to many numbers: four at a time,
// then the ragged end.
//
// `less` is false for NaN, so each of these hands NaN on instead of hiding it.
#pragma once

#include "elementary.h"

#define ZERO splat(0.0f)
#define ONE splat(1.0f)

INLINE f32x4 same4(f32x4 x) { return x; }
INLINE f32x4 relu4(f32x4 x) { return select(less(x, ZERO), ZERO, x); }
INLINE f32x4 leaky_relu4(f32x4 x) { return select(less(x, ZERO), mul(x, splat(0.01f)), x); }
INLINE f32x4 elu4(f32x4 x) { return select(less(x, ZERO), sub(exp4(x), ONE), x); }
INLINE f32x4 silu4(f32x4 x) { return mul(x, sigmoid4(x)); }

// gelu(x) = x/2 * (1 + tanh(u)), u = sqrt(2/pi) * (x + 0.044715 x^3): Hendrycks and Gimpel's tanh
// form
INLINE f32x4 gelu_inner(f32x4 x) {
    return mul(splat(0.7978845608f), add(x, mul(splat(0.044715f), mul(x, mul(x, x)))));
}
INLINE f32x4 gelu4(f32x4 x) {
    return mul(mul(splat(0.5f), x), add(ONE, tanh4(gelu_inner(x))));
}

INLINE f32x4 sum4(f32x4 x, f32x4 y) { return add(x, y); }

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

// The same with four vectors to a turn of the loop, for expressions so short that the loop itself
// is half of the work; long ones would only make the module larger.
enum { ABREAST = 4 };

INLINE void map_short(float *out, const float *x, u32 n, Unary f) {
    u32 whole = n / (ABREAST * LANES) * (ABREAST * LANES);
    for (u32 i = 0; i < whole; i += ABREAST * LANES)
#pragma unroll
        for (u32 v = 0; v < ABREAST * LANES; v += LANES) store(out + i + v, f(load(x + i + v)));
    map(out + whole, x + whole, n - whole, f);
}

INLINE void map2_short(float *out, const float *x, const float *y, u32 n, Binary f) {
    u32 whole = n / (ABREAST * LANES) * (ABREAST * LANES);
    for (u32 i = 0; i < whole; i += ABREAST * LANES)
#pragma unroll
        for (u32 v = 0; v < ABREAST * LANES; v += LANES)
            store(out + i + v, f(load(x + i + v), load(y + i + v)));
    map2(out + whole, x + whole, y + whole, n - whole, f);
}

// out = the sums of so many vectors of columns of x (m, n), each over its rows in their order
INLINE void sum_columns(const u32 vectors, float *out, const float *x, u32 m, u32 n) {
    f32x4 total[SUM_VECTORS];
#pragma unroll
    for (u32 v = 0; v < vectors; v++) total[v] = ZERO;
    for (u32 row = 0; row < m; row++, x += n)
#pragma unroll
        for (u32 v = 0; v < vectors; v++) total[v] = add(total[v], load(x + v * LANES));
#pragma unroll
    for (u32 v = 0; v < vectors; v++) store(out + v * LANES, total[v]);
}

// out (n) = the sum of x (m, n) over its rows, in their order; whole cache lines of a row where it
// is wide, since one sum waits for the one before
INLINE void sum_rows(float *out, const float *x, u32 m, u32 n) {
    u32 i = 0;
    for (; i + SUM_VECTORS * LANES <= n; i += SUM_VECTORS * LANES)
        sum_columns(SUM_VECTORS, out + i, x + i, m, n);
    for (; SUM_VECTORS > 4 && i + 4 * LANES <= n; i += 4 * LANES)
        sum_columns(4, out + i, x + i, m, n);
    for (; i + LANES <= n; i += LANES) sum_columns(1, out + i, x + i, m, n);
    for (; i < n; i++) {
        float total = 0.0f;
        for (u32 row = 0; row < m; row++) total += x[row * n + i];
        out[i] = total;
    }
}

// x (rows, columns), its rows step apart, = f(x + bias (columns))
INLINE void map_rows(float *x, u32 step, u32 rows, u32 columns, const float *bias, Unary f) {
    for (; rows; rows--, x += step) {
        u32 i = 0;
        for (; i + LANES <= columns; i += LANES) store(x + i, f(add(load(x + i), load(bias + i))));
        u32 left = columns - i;
        f32x4 sum = add(load_tail(x + i, left), load_tail(bias + i, left));
        if (left) store_tail(x + i, f(sum), left);
    }
}
