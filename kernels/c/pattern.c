// Divergent patterns: seeded exploration on top of gradient descent.

#include "elementary.h"
#include "kernels.h"

enum { SUMS = 8 };

INLINE double in_pairs(const double *sum) {
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

// noise (n), each the sum of four uniform numbers less its mean (Irwin and Hall: near normal, and
// exact everywhere)
INLINE void bells(float *noise, u32 n, Stream stream, u32 step) {
    for (u32 i = 0; i < n; i += LANES) {
        Blocks found = draw4(stream, step, i);
        i32x4 total = splat_i32(-(1 << 25));
        for (u32 word = 0; word < 4; word++)
            total = add_i32(total, drop_bits(found.word[word], 8));
        store_some(noise + i, mul(convert(total), splat(0x1p-24f)), n - i);
    }
}

// The divergent pattern "lateral": g (n) += strength * |g| * d, where d is a random direction of
// length 1 orthogonal to g, and strength = factor * (1 - step / steps_total) fades out. noise (n)
// is scratch. Sums are in double precision: element i goes to running sum i modulo 8, and the eight
// are added in pairs.
void op_lateral(float *g, float *noise, u32 n, float factor, u32 steps_total, Stream stream,
                u32 step) {
    double squares[SUMS] = {0}, along[SUMS] = {0}, across[SUMS] = {0};
    bells(noise, n, stream, step);
    for (u32 i = 0; i < n; i += SUMS)
        for (u32 sum = 0; sum < smaller(SUMS, n - i); sum++) {
            squares[sum] += (double)g[i + sum] * g[i + sum];
            along[sum] += (double)noise[i + sum] * g[i + sum];
        }
    double length = in_pairs(squares);
    if (length == 0.0) return;  // no gradient, no direction orthogonal to it, no step
    double share = in_pairs(along) / length;
    for (u32 i = 0; i < n; i += SUMS)
        for (u32 sum = 0; sum < smaller(SUMS, n - i); sum++) {
            float left = (float)(noise[i + sum] - share * g[i + sum]);
            noise[i + sum] = left;
            across[sum] += (double)left * left;
        }
    double rest = in_pairs(across);
    if (rest == 0.0) return;  // one parameter alone: nothing is orthogonal to its gradient
    double fade = 1.0 - (double)step / steps_total;
    f32x4 size = splat((float)(factor * fade * __builtin_sqrt(length / rest)));
    for (u32 i = 0; i < n; i += LANES) {
        f32x4 aside = mul(size, load_some(noise + i, n - i));
        store_some(g + i, add(load_some(g + i, n - i), aside), n - i);
    }
}

// The divergent pattern "chaotic": state (1) takes one step of the logistic map, x = growth * x *
// (1 - x), and rate (1) is multiplied by 1 + factor * (2 * x - 1). A state of zero, which fresh
// memory holds and which the map would never leave, is drawn anew.
void op_logistic_map(float *state, float *rate, float growth, float factor, Stream stream,
                     u32 step) {
    float x = *state;
    if (!(0.0f < x && x < 1.0f))
        x = ((float)(draw(stream, step, 0).word[0] >> 9) + 0.5f) * 0x1p-23f;
    x = growth * x * (1.0f - x);
    *state = x;
    *rate *= 1.0f + factor * (2.0f * x - 1.0f);
}

enum { ATTEMPTS = 16, SHIFT_INDEX = 0xffffffff };

// A number from Beta(factor, factor) by Jöhnk's method ("Erzeugung von betaverteilten und
// gammaverteilten Zufallszahlen", 1964): of uniform u and v take x = u^(1 / factor) and y = v^(1 /
// factor) until x + y <= 1, which at least half of them are; then x / (x + y), in logarithms. One
// half where 32 pairs were refused. A factor of zero mixes nothing.
INLINE float share_of(Stream stream, u32 step, u32 row, float factor) {
    if (!(0.0f < factor)) return 1.0f;
    for (u32 attempt = 0; attempt < ATTEMPTS; attempt++) {
        Block block = draw(stream, step, row * ATTEMPTS + attempt);
        float u[LANES], logs[LANES], powers[LANES];
        for (u32 i = 0; i < LANES; i++) u[i] = ((float)(block.word[i] >> 9) + 0.5f) * 0x1p-23f;
        f32x4 found = divide(log4(load(u)), splat(factor));
        store(logs, found);
        store(powers, exp4(found));
        for (u32 i = 0; i < LANES; i += 2) {
            if (powers[i] + powers[i + 1] > 1.0f) continue;
            store(logs, sigmoid4(splat(logs[i] - logs[i + 1])));
            return logs[0];
        }
    }
    return 0.5f;
}

// Row i belongs to row i + shift modulo m; the shift, from 1 to m - 1, is the step's.
INLINE u32 shift_of(Stream stream, u32 step, u32 m) {
    return 1 + (u32)(((u64)draw(stream, step, SHIFT_INDEX).word[0] * (m - 1)) >> 32);
}

// out (n) = a (n) * of_a + b (n) * of_b
INLINE void blend(float *out, const float *a, const float *b, float of_a, float of_b, u32 n) {
    u32 i = 0;
    for (; i + LANES <= n; i += LANES)
        store(out + i, add(mul(load(a + i), splat(of_a)), mul(load(b + i), splat(of_b))));
    for (; i < n; i++) out[i] = a[i] * of_a + b[i] * of_b;
}

// The divergent pattern "associative": out (m, n) = each row of x (m, n) mixed with its partner,
// the row itself by its share w, the partner by 1 - w (Zhang and others, "mixup", 2018, with one share
// for every row)
void op_mixup(float *out, const float *x, u32 m, u32 n, float factor, Stream stream, u32 step) {
    u32 shift = shift_of(stream, step, m);
    for (u32 row = 0; row < m; row++) {
        float share = share_of(stream, step, row, factor);
        const float *partner = x + (u32)(((u64)row + shift) % m) * n;
        blend(out + row * n, x + row * n, partner, share, 1.0f - share, n);
    }
}

// out (m, n) = w of the row * its slope in g, and 1 - w of the row whose partner it is * that one's
void op_mixup_gradient(float *out, const float *g, u32 m, u32 n, float factor, Stream stream,
                       u32 step) {
    u32 shift = shift_of(stream, step, m);
    for (u32 row = 0; row < m; row++) {
        u32 other = (u32)(((u64)row + m - shift % m) % m);
        float share = share_of(stream, step, row, factor);
        float given = 1.0f - share_of(stream, step, other, factor);
        blend(out + row * n, g + row * n, g + other * n, share, given, n);
    }
}
