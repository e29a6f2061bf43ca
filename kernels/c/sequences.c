// Sequences of tokens or vectors: looked up, told where they stand, averaged.

#include "activations.h"
#include "kernels.h"

// out (b, t, d) = for each of the tokens (b, t) its row of the table (v, d)
void op_embedding(float *out, const u32 *tokens, const float *table, u32 b, u32 t, u32 v, u32 d) {
    for (u32 i = 0; i < b * t; i++)
        copy_row(out + i * d, table + checked(tokens[i], v) * d, d);
}

// out (v, d) = for each row of the table the sum of the rows of g (b, t, d) whose token it is, in
// their order
void op_embedding_gradient(float *out, const u32 *tokens, const float *g, u32 b, u32 t, u32 d,
                           u32 v) {
    clear_row(out, v * d);
    for (u32 at = 0; at < b * t; at++, g += d) {
        float *row = out + checked(tokens[at], v) * d;
        map2_short(row, row, g, d, sum4);
    }
}

// wave (d) of a step: at 2i sin(step * w), at 2i + 1 cos(step * w), w = 10000^(-2i / d)
INLINE void sinusoids(float *wave, u32 step, u32 d) {
    static const float pairs[LANES] = {0.0f, 0.0f, 2.0f, 2.0f};
    static const float quarters[LANES] = {0.0f, 1.0f, 0.0f, 1.0f};
    // a float with 1.5 * 2^23 added shows its whole number in its lowest bits
    i32x4 turn = sub_i32(bits_of(add(load(quarters), splat(12582912.0f))), splat_i32(0x4b400000));
    f32x4 fall = splat(-9.210340371976184f / (float)d);  // -ln 10000 / d
    for (u32 i = 0; i < d; i += LANES) {
        f32x4 place = add(splat((float)i), load(pairs));
        f32x4 angle = mul(splat((float)step), moderate_exp4(mul(place, fall)));
        f32x4 found = sine4(angle, turn);
        if (i + LANES <= d) store(wave + i, found);
        else store_tail(wave + i, found, d - i);
    }
}

// out (b, t, d) = x (b, t, d) + at each step a wave for every pair of columns, so that a network
// can tell the steps apart. Vaswani et al., "Attention is all you need" (2017), section 3.5.
// waves (t, d) is scratch.
void op_positions(float *out, const float *x, float *waves, u32 b, u32 t, u32 d) {
    for (u32 step = 0; step < t; step++) sinusoids(waves + step * d, step, d);
    for (u32 row = 0; row < b; row++, out += t * d, x += t * d)
        map2_short(out, x, waves, t * d, sum4);
}

// out (b, d) = the mean of x (b, t, d) over its steps, summed in their order
void op_mean_steps(float *out, const float *x, u32 b, u32 t, u32 d) {
    for (u32 row = 0; row < b; row++, out += d, x += t * d) {
        sum_rows(out, x, t, d);
        u32 i = 0;
        for (; i + LANES <= d; i += LANES) store(out + i, divide(load(out + i), splat((float)t)));
        for (; i < d; i++) out[i] /= (float)t;
    }
}

// out (b, t, d) = g (b, d) / t at every step
void op_spread_steps(float *out, const float *g, u32 b, u32 d, u32 t) {
    for (u32 row = 0; row < b; row++, g += d)
        for (u32 step = 0; step < t; step++, out += d) {
            u32 i = 0;
            for (; i + LANES <= d; i += LANES)
                store(out + i, divide(load(g + i), splat((float)t)));
            for (; i < d; i++) out[i] = g[i] / (float)t;
        }
}
