// Smaller networks: weights as bytes, and weights that stay zero.

#include "kernels.h"

enum { BLOCK_ROWS = 4, BYTES = 2 * LANES, STRIPS = 4 };

// One row of x (k) as whole numbers from -127 to 127, in pairs, an odd k filled up with zero.
// Answers what one of them stands for: the largest magnitude / 127. The row's numbers are
// multiplied by 127 / largest and rounded to the nearest, ties to even; where the largest is below
// 1e-30 all are zero. A number that is not finite makes the answer NaN, so it is not hidden: x - x
// is zero for all others.
static float quantise_row(i16 *out, const float *x, u32 k) {
    f32x4 largest = splat(0.0f), nothing = splat(0.0f);
    for (u32 i = 0; i < k; i += LANES) {
        f32x4 part = i + LANES <= k ? load(x + i) : load_tail(x + i, k - i);
        largest = larger(largest, absolute(part));
        nothing = add(nothing, sub(part, part));
    }
    float lanes[LANES], peak = 0.0f;
    store(lanes, largest);
    for (u32 i = 0; i < LANES; i++) peak = lanes[i] > peak ? lanes[i] : peak;
    f32x4 factor = splat(peak < 1e-30f ? 0.0f : 127.0f / peak);
    for (u32 i = 0; i < k; i += LANES) {
        u32 n = smaller(LANES, k - i);
        f32x4 part = n == LANES ? load(x + i) : load_tail(x + i, n);
        i32 values[LANES];
        store_whole(values, whole(nearest(mul(part, factor))));
        for (u32 lane = 0; lane < n; lane++) out[i + lane] = (i16)values[lane];
    }
    if (k & 1) out[k] = 0;
    return peak / 127.0f + sum_lanes(nothing);
}

// Eight columns of two rows of w, as pairs that lie side by side: columns 0 to 3, then 4 to 7.
typedef struct { i16x8 low, high; } Pairs;

INLINE Pairs pairs_at(const i8 *w, u32 n, u32 width, int is_last_alone) {
    i8 ragged[2][BYTES] = {{0}};
    const i8 *first = w, *second = w + n;
    if (width < BYTES || is_last_alone) {
        for (u32 i = 0; i < width; i++) ragged[0][i] = w[i];
        if (!is_last_alone)
            for (u32 i = 0; i < width; i++) ragged[1][i] = w[n + i];
        first = ragged[0], second = ragged[1];
    }
    i16x8 a = load_bytes(first), b = load_bytes(second);
    return (Pairs){zip_low(a, b), zip_high(a, b)};
}

// out = sum * (row's scale * column's scale) + bias, four columns from `column` on
INLINE void put_scaled(float *out, i32x4 sum, float row_scale, const float *scales,
                       const float *bias, u32 width) {
    if (width >= LANES) {
        f32x4 scale = mul(splat(row_scale), load(scales));
        store(out, add(mul(convert(sum), scale), load(bias)));
    } else {
        f32x4 scale = mul(splat(row_scale), load_tail(scales, width));
        store_tail(out, add(mul(convert(sum), scale), load_tail(bias, width)), width);
    }
}

// `rows` rows of x against `strips` strips of 8 columns, of which the last has `width`. rows and
// strips are constants wherever this is inlined, so that `sum` lives in registers.
INLINE void byte_tile(const u32 rows, const u32 strips, float *out, const i16 *x, u32 stride,
                      const float *row_scales, const i8 *w, const float *scales,
                      const float *bias, u32 k, u32 n, u32 width) {
    i32x4 sum[BLOCK_ROWS][2 * STRIPS];
#pragma unroll
    for (u32 row = 0; row < rows; row++)
#pragma unroll
        for (u32 v = 0; v < 2 * strips; v++) sum[row][v] = splat_i32(0);
    for (u32 at = 0; at < k; at += 2) {
#pragma unroll
        for (u32 s = 0; s < strips; s++) {
            Pairs pairs = pairs_at(w + at * n + s * BYTES, n, width, at + 1 == k);
#pragma unroll
            for (u32 row = 0; row < rows; row++) {
                i16x8 factor = splat_pair(x + row * stride + at);
                sum[row][2 * s] = add_i32(sum[row][2 * s], dot(factor, pairs.low));
                sum[row][2 * s + 1] = add_i32(sum[row][2 * s + 1], dot(factor, pairs.high));
            }
        }
    }
#pragma unroll
    for (u32 row = 0; row < rows; row++)
#pragma unroll
        for (u32 v = 0; v < 2 * strips; v++)
            if (strips > 1 || v * LANES < width)
                put_scaled(out + row * n + v * LANES, sum[row][v], row_scales[row],
                           scales + v * LANES, bias + v * LANES,
                           strips > 1 ? LANES : width - v * LANES);
}

// out (m, n) = x (m, k) times w (k, n) times scales (n), plus bias (n). Each row of x becomes whole
// numbers on the way (quantise_row), so the products and sums are of whole numbers and exact: below
// 2^31 as long as k <= 131,072. scratch: the row's numbers in pairs, then what one stands for.
void op_dense_int8(float *out, const float *x, const i8 *w, const float *scales,
                   const float *bias, float *scratch, u32 m, u32 k, u32 n) {
    u32 stride = (k + 1) / 2 * 2;
    i16 *whole_x = (i16 *)scratch;
    float *row_scales = scratch + BLOCK_ROWS * (stride / 2);
    for (u32 row = 0; row < m; row += BLOCK_ROWS, out += BLOCK_ROWS * n) {
        u32 rows = smaller(BLOCK_ROWS, m - row), column = 0;
        for (u32 r = 0; r < rows; r++)
            row_scales[r] = quantise_row(whole_x + r * stride, x + (u64)(row + r) * k, k);
        if (rows < BLOCK_ROWS)  // what few rows want: wide strips, so that w streams
            for (; column + STRIPS * BYTES <= n; column += STRIPS * BYTES)
                for (u32 r = 0; r < rows; r++)
                    byte_tile(1, STRIPS, out + r * n + column, whole_x + r * stride, stride,
                              row_scales + r, w + column, scales + column, bias + column, k, n,
                              BYTES);
        for (; column < n; column += BYTES) {
            u32 width = smaller(BYTES, n - column);
            if (rows == BLOCK_ROWS && width == BYTES)
                byte_tile(BLOCK_ROWS, 1, out + column, whole_x, stride, row_scales, w + column,
                          scales + column, bias + column, k, n, BYTES);
            else
                for (u32 r = 0; r < rows; r++)
                    byte_tile(1, 1, out + r * n + column, whole_x + r * stride, stride,
                              row_scales + r, w + column, scales + column, bias + column, k, n,
                              width);
        }
    }
}

// out (b, t, d) = for each of the tokens (b, t) its row of the table (v, d) times the row's scale,
// scales (v)
void op_embedding_int8(float *out, const u32 *tokens, const i8 *table, const float *scales, u32 b,
                       u32 t, u32 v, u32 d) {
    for (u32 at = 0; at < b * t; at++, out += d) {
        u32 token = checked(tokens[at], v), i = 0;
        const i8 *row = table + token * d;
        f32x4 scale = splat(scales[token]);
        for (; i + BYTES <= d; i += BYTES) {
            i16x8 whole = load_bytes(row + i);
            store(out + i, mul(convert(widen_low(whole)), scale));
            store(out + i + LANES, mul(convert(widen_high(whole)), scale));
        }
        for (; i < d; i++) out[i] = (float)row[i] * scales[token];
    }
}

// p (n) = 0 wherever mask (n) is 0
void op_mask(float *p, float *mask, u32 n) {
    f32x4 zero = splat(0.0f);
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        i32x4 is_kept = less(zero, absolute(load(mask + i)));
        store(p + i, select(is_kept, load(p + i), zero));
    }
    for (; i < n; i++) p[i] = mask[i] != 0.0f ? p[i] : 0.0f;
}
