// Divergent patterns: seeded exploration on top of gradient descent.

#include "kernels.h"
#include "sums.h"

// a - share * b in double precision
INLINE f32x4 without(f32x4 a, double share, f32x4 b) {
    f64x2 all = splat_f64(share);
    return narrow(sub_f64(widen_first(a), mul_f64(all, widen_first(b))),
                  sub_f64(widen_last(a), mul_f64(all, widen_last(b))));
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
    Sums squares = no_sums(), along = no_sums(), across = no_sums();
    bells(noise, n, stream, step);
    for (u32 i = 0; i < n; i += SUMS)
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            u32 at = i + half * LANES;
            if (at >= n) break;
            f32x4 slope = load_some(g + at, n - at);
            gather_product(&squares, half, slope, slope);
            gather_product(&along, half, load_some(noise + at, n - at), slope);
        }
    double length = in_pairs(squares);
    if (length == 0.0) return;  // no gradient, no direction orthogonal to it, no step
    double share = in_pairs(along) / length;
    for (u32 i = 0; i < n; i += SUMS)
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            u32 at = i + half * LANES;
            if (at >= n) break;
            f32x4 left = without(load_some(noise + at, n - at), share, load_some(g + at, n - at));
            store_some(noise + at, left, n - at);
            gather_product(&across, half, left, left);
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

enum { ATTEMPTS_LOG = 4, ATTEMPTS = 1 << ATTEMPTS_LOG, SHIFT_INDEX = 0xffffffff };

// log u / factor, of words of u: uniform between 0 and 1, and neither
INLINE f32x4 powers_log4(i32x4 words, float factor) {
    f32x4 u = mul(add(convert(drop_bits(words, 9)), splat(0.5f)), splat(0x1p-23f));
    return divide(log4(u), splat(factor));
}

// Four numbers from Beta(factor, factor), of rows row .. row + 3, by Jöhnk's method ("Erzeugung von
// betaverteilten und gammaverteilten Zufallszahlen", 1964): of uniform u and v take x = u^(1 /
// factor) and y = v^(1 / factor) until x + y <= 1, which at least half of them are; then x / (x +
// y), in logarithms. One half where 32 pairs were refused. Words 0 and 1 of a block are its first
// pair, 2 and 3 its second.
INLINE f32x4 beta4(Stream stream, u32 step, u32 row, float factor) {
    f32x4 difference = splat(0.0f);
    i32x4 is_open = splat_i32(-1);
    i32x4 index = shift_left(add_i32(splat_i32((i32)row), ascending()), ATTEMPTS_LOG);
    for (u32 attempt = 0; attempt < ATTEMPTS && is_any(is_open); attempt++) {
        Blocks found = draw_at(stream, step, add_i32(index, splat_i32((i32)attempt)));
#pragma unroll
        for (u32 word = 0; word < 4; word += 2) {
            f32x4 x = powers_log4(found.word[word], factor);
            f32x4 y = powers_log4(found.word[word + 1], factor);
            i32x4 is_refused = less(splat(1.0f), add(exp4(x), exp4(y)));
            f32x4 newest = select(is_refused, difference, sub(x, y));
            difference = select(is_open, newest, difference);
            is_open = and_i32(is_open, is_refused);
        }
    }
    return sigmoid4(difference);
}

// shares (m): what each row keeps of itself. A factor of zero mixes nothing.
INLINE void shares_of(float *shares, u32 m, Stream stream, u32 step, float factor) {
    for (u32 row = 0; row < m; row += LANES) {
        f32x4 found = 0.0f < factor ? beta4(stream, step, row, factor) : splat(1.0f);
        store_some(shares + row, found, m - row);
    }
}

// Row i belongs to row i + shift modulo m; the shift, from 1 to m - 1, is the step's.
INLINE u32 shift_of(Stream stream, u32 step, u32 m) {
    return 1 + (u32)(((u64)draw(stream, step, SHIFT_INDEX).word[0] * (m - 1)) >> 32);
}

// out (n) = a (n) * of_a + b (n) * of_b
INLINE void blend(float *out, const float *a, const float *b, float of_a, float of_b, u32 n) {
    u32 i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
        for (u32 v = i; v < i + 4 * LANES; v += LANES)
            store(out + v, add(mul(load(a + v), splat(of_a)), mul(load(b + v), splat(of_b))));
    for (; i < n; i++) out[i] = a[i] * of_a + b[i] * of_b;
}

// The divergent pattern "associative": out (m, n) = each row of x (m, n) mixed with its partner,
// the row itself by its share w, the partner by 1 - w (Zhang and others, "mixup", 2018, with one
// share for every row). shares (m) is scratch.
void op_mixup(float *out, const float *x, float *shares, u32 m, u32 n, float factor, Stream stream,
              u32 step) {
    u32 shift = shift_of(stream, step, m);
    shares_of(shares, m, stream, step, factor);
    for (u32 row = 0; row < m; row++) {
        const float *partner = x + (u32)(((u64)row + shift) % m) * n;
        blend(out + row * n, x + row * n, partner, shares[row], 1.0f - shares[row], n);
    }
}

// out (m, n) = w of the row * its slope in g, and 1 - w of the row whose partner it is * that
// one's. shares (m) is scratch.
void op_mixup_gradient(float *out, const float *g, float *shares, u32 m, u32 n, float factor,
                       Stream stream, u32 step) {
    u32 shift = shift_of(stream, step, m);
    shares_of(shares, m, stream, step, factor);
    for (u32 row = 0; row < m; row++) {
        u32 other = (u32)(((u64)row + m - shift % m) % m);
        blend(out + row * n, g + row * n, g + other * n, shares[row], 1.0f - shares[other], n);
    }
}
