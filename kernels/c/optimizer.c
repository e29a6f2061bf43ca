// The step: parameters p (n) move against their gradient g (n). One instruction moves all of them.

#include "elementary.h"
#include "kernels.h"
#include "philox.h"

// base^exponent by squaring: a function of the step number alone, so a restored run corrects its
// bias alike
static double power(double base, u32 exponent) {
    double result = 1.0;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

typedef struct { f32x4 keep1, take1, keep2, take2, rate, root, epsilon; } AdamRates;
typedef struct { f32x4 parameter, first, second; } Moved;

INLINE Moved adam4(f32x4 p, f32x4 g, f32x4 first, f32x4 second, AdamRates r) {
    first = add(mul(r.keep1, first), mul(r.take1, g));
    second = add(mul(r.keep2, second), mul(r.take2, mul(g, g)));
    f32x4 size = add(mul(square_root(second), r.root), r.epsilon);
    return (Moved){sub(p, mul(r.rate, divide(first, size))), first, second};
}

// Kingma and Ba, "Adam" (2015), algorithm 1, with the bias corrections folded into the rate and the
// root as PyTorch does: p -= rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon), t
// = step + 1.
void op_adam(float *p, float *g, float *first, float *second, u32 n, float rate, float beta1,
          float beta2, float epsilon, u32 step) {
    double correction1 = 1.0 - power(beta1, step + 1), correction2 = 1.0 - power(beta2, step + 1);
    AdamRates r = {
        splat(beta1), splat(1.0f - beta1), splat(beta2), splat(1.0f - beta2),
        splat((float)(rate / correction1)), splat((float)(1.0 / __builtin_sqrt(correction2))),
        splat(epsilon),
    };
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        Moved moved = adam4(load(p + i), load(g + i), load(first + i), load(second + i), r);
        store(p + i, moved.parameter);
        store(first + i, moved.first);
        store(second + i, moved.second);
    }
    if (i == n) return;
    p += i, g += i, first += i, second += i, n -= i;
    Moved moved = adam4(load_tail(p, n), load_tail(g, n), load_tail(first, n),
                        load_tail(second, n), r);
    store_tail(p, moved.parameter, n);
    store_tail(first, moved.first, n);
    store_tail(second, moved.second, n);
}

// velocity = momentum * velocity + g; p -= rate * velocity.
void op_sgd(float *p, float *g, float *velocity, u32 n, float rate, float momentum) {
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        f32x4 v = add(mul(splat(momentum), load(velocity + i)), load(g + i));
        store(velocity + i, v);
        store(p + i, sub(load(p + i), mul(splat(rate), v)));
    }
    for (; i < n; i++) {
        velocity[i] = momentum * velocity[i] + g[i];
        p[i] -= rate * velocity[i];
    }
}

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
