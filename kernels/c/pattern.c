// Divergent patterns: seeded exploration on top of gradient descent.

#include "kernels.h"

// The divergent pattern "lateral": g (n) += strength * |g| * d, where d is a random direction of
// length 1 orthogonal to g, and strength = factor * (1 - step / steps_total) fades out. noise (n)
// is scratch. A component of the raw direction is the sum of four uniform numbers less its mean
// (Irwin and Hall: near normal, and exact everywhere).
void op_lateral(float *g, float *noise, u32 n, float factor, u32 steps_total, Stream stream,
             u32 step) {
    double squares = 0.0, along = 0.0, across = 0.0;
    for (u32 i = 0; i < n; i++) {
        Block block = draw(stream, step, i);
        i32 total = 0;
        for (u32 word = 0; word < 4; word++) total += (i32)upper24(block.word[word]);
        noise[i] = (float)(total - (1 << 25)) * 0x1p-24f;
        squares += (double)g[i] * g[i];
        along += (double)noise[i] * g[i];
    }
    if (squares == 0.0) return;  // no gradient, no direction orthogonal to it, no step
    for (u32 i = 0; i < n; i++) {
        noise[i] = (float)(noise[i] - along / squares * g[i]);
        across += (double)noise[i] * noise[i];
    }
    if (across == 0.0) return;  // one parameter alone: nothing is orthogonal to its gradient
    double fade = 1.0 - (double)step / steps_total;
    float length = (float)(factor * fade * __builtin_sqrt(squares / across));
    for (u32 i = 0; i < n; i++) g[i] += length * noise[i];
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
