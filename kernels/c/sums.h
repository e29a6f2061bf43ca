// Reductions of one row, each in one written order.
#pragma once

#include "elementary.h"

INLINE float largest_lane(f32x4 a) {
    f32x4 pairs = larger(a, swap_neighbours(a));
    return first_lane(larger(pairs, swap_halves(pairs)));
}

// The largest of x (n); of numbers that are all NaN, or whose first is, NaN.
INLINE float largest(const float *x, u32 n) {
    f32x4 best0 = splat(x[0]), best1 = best0;
    u32 i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        best0 = larger(best0, load(x + i));
        best1 = larger(best1, load(x + i + LANES));
    }
    float best = largest_lane(larger(best0, best1));
    for (; i < n; i++) best = best < x[i] ? x[i] : best;
    return best;
}

// The sum of x (n): sixteen running sums over whole sixteens, the first four of them over whole
// fours that are left, added up in pairs; then the ragged end.
INLINE float sum_of(const float *x, u32 n) {
    f32x4 sum[4] = {splat(0.0f), splat(0.0f), splat(0.0f), splat(0.0f)};
    u32 i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
        for (u32 v = 0; v < 4; v++) sum[v] = add(sum[v], load(x + i + v * LANES));
    for (; i + LANES <= n; i += LANES) sum[0] = add(sum[0], load(x + i));
    float total = sum_lanes(add(add(sum[0], sum[1]), add(sum[2], sum[3])));
    for (; i < n; i++) total += x[i];
    return total;
}

// The sum of (x - mean)^2, in the order of sum_of.
INLINE float squares_from(const float *x, float mean, u32 n) {
    f32x4 sum[4] = {splat(0.0f), splat(0.0f), splat(0.0f), splat(0.0f)}, middle = splat(mean);
    u32 i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
        for (u32 v = 0; v < 4; v++) {
            f32x4 away = sub(load(x + i + v * LANES), middle);
            sum[v] = add(sum[v], mul(away, away));
        }
    for (; i + LANES <= n; i += LANES) {
        f32x4 away = sub(load(x + i), middle);
        sum[0] = add(sum[0], mul(away, away));
    }
    float total = sum_lanes(add(add(sum[0], sum[1]), add(sum[2], sum[3])));
    for (; i < n; i++) total += (x[i] - mean) * (x[i] - mean);
    return total;
}

// Running sums in double precision; each element has its own by its number modulo SUMS.
enum { SUMS = 8 };

typedef struct { f64x2 pair[SUMS / 2]; } Sums;

INLINE Sums no_sums(void) {
    f64x2 zero = splat_f64(0.0);
    return (Sums){{zero, zero, zero, zero}};
}

// Sums 0 to 3, or 4 to 7, += a; lanes that are zero change nothing
INLINE void gather(Sums *sums, u32 half, f32x4 a) {
    f64x2 *pair = sums->pair + 2 * half;
    pair[0] = add_f64(pair[0], widen_first(a));
    pair[1] = add_f64(pair[1], widen_last(a));
}

// The same of a * b
INLINE void gather_product(Sums *sums, u32 half, f32x4 a, f32x4 b) {
    f64x2 *pair = sums->pair + 2 * half;
    pair[0] = add_f64(pair[0], mul_f64(widen_first(a), widen_first(b)));
    pair[1] = add_f64(pair[1], mul_f64(widen_last(a), widen_last(b)));
}

INLINE double in_pairs(Sums sums) {
    double sum[SUMS];
#pragma unroll
    for (u32 pair = 0; pair < SUMS / 2; pair++) store_f64(sum + 2 * pair, sums.pair[pair]);
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

// A softmax is made of exp((x - peak) * scale) = 2^((x - peak) * octaves), octaves = scale / ln 2.
// The peak is taken off first, so that large numbers lose nothing.
INLINE f32x4 share4(f32x4 x, float peak, float octaves) {
    return power4(mul(sub(x, splat(peak)), splat(octaves)));
}

INLINE float octaves_of(float scale) { return scale * 1.44269504088896341f; }

// out (n) = exp((x - peak) * scale), and their sum: four running sums over whole vectors, added up
// in pairs, then the ragged end.
INLINE float exponentials(float *out, const float *x, float scale, float peak, u32 n) {
    float octaves = octaves_of(scale);
    f32x4 sums = splat(0.0f);
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        f32x4 e = share4(load(x + i), peak, octaves);
        store(out + i, e);
        sums = add(sums, e);
    }
    float total = sum_lanes(sums);
    if (i < n) {
        store_tail(out + i, share4(load_tail(x + i, n - i), peak, octaves), n - i);
        for (; i < n; i++) total += out[i];
    }
    return total;
}

// The sum of exp(x - peak), in the order of exponentials.
INLINE float sum_of_exponentials(const float *x, float peak, u32 n) {
    float octaves = octaves_of(1.0f);
    f32x4 sums = splat(0.0f);
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) sums = add(sums, share4(load(x + i), peak, octaves));
    float total = sum_lanes(sums);
    if (i < n) {
        float rest[LANES];
        store(rest, share4(load_tail(x + i, n - i), peak, octaves));
        for (u32 lane = 0; i + lane < n; lane++) total += rest[lane];
    }
    return total;
}
