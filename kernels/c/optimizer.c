// The step: parameters p (n) move against their gradient g (n). One instruction moves all of them.
//
// The learning rate is read from memory, rate (1), where a schedule leaves it. Every element is a
// few operations in the order that PyTorch takes them in; nothing is summed.

#include "kernels.h"
#include "power.h"

typedef struct { f32x4 keep1, take1, keep2, take2, rate, root, epsilon, kept; } AdamRates;
typedef struct { f32x4 parameter, first, second; } Moved;

INLINE Moved adam4(f32x4 p, f32x4 g, f32x4 first, f32x4 second, AdamRates r) {
    first = add(mul(r.keep1, first), mul(r.take1, g));
    second = add(mul(r.keep2, second), mul(r.take2, mul(g, g)));
    f32x4 size = add(mul(square_root(second), r.root), r.epsilon);
    return (Moved){sub(mul(p, r.kept), mul(r.rate, divide(first, size))), first, second};
}

// Kingma and Ba, "Adam" (2015), algorithm 1, with the bias corrections folded into the rate and the
// root as PyTorch does: p -= rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon), t
// = steps (1), which counts itself: as a float, since checkpoints hold floats, and no correction is
// left where it ends at 2^24. `kept` is the share of p that decay leaves.
INLINE void adam_step(float *p, const float *g, float *first, float *second, float rate,
                      float *steps, u32 n, float beta1, float beta2, float epsilon, float kept) {
    u32 t = (u32)*steps + 1;
    *steps = (float)t;
    double correction1 = 1.0 - power(beta1, t), correction2 = 1.0 - power(beta2, t);
    AdamRates r = {
        splat(beta1), splat(1.0f - beta1), splat(beta2), splat(1.0f - beta2),
        splat((float)(rate / correction1)), splat((float)(1.0 / __builtin_sqrt(correction2))),
        splat(epsilon), splat(kept),
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

void op_adam(float *p, float *g, float *first, float *second, float *rate, float *steps, u32 n,
             float beta1, float beta2, float epsilon) {
    adam_step(p, g, first, second, *rate, steps, n, beta1, beta2, epsilon, 1.0f);
}

// Loshchilov and Hutter, "Decoupled weight decay regularization" (2019): p also shrinks by rate *
// decay, whatever its gradient.
void op_adamw(float *p, float *g, float *first, float *second, float *rate, float *steps, u32 n,
              float beta1, float beta2, float epsilon, float decay) {
    float kept = (float)(1.0 - (double)*rate * decay);
    adam_step(p, g, first, second, *rate, steps, n, beta1, beta2, epsilon, kept);
}

// velocity = momentum * velocity + g; p -= rate * velocity, or with Nesterov's momentum rate * (g +
// momentum * velocity) (Sutskever and others, "On the importance of initialization and momentum",
// 2013, as PyTorch writes it)
void op_sgd(float *p, float *g, float *velocity, float *rate, u32 n, float momentum, u32 nesterov) {
    float pace = *rate;
    u32 i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
        for (u32 at = i; at < i + 4 * LANES; at += LANES) {
            f32x4 slope = load(g + at), v = add(mul(splat(momentum), load(velocity + at)), slope);
            store(velocity + at, v);
            if (nesterov) v = add(slope, mul(splat(momentum), v));
            store(p + at, sub(load(p + at), mul(splat(pace), v)));
        }
    for (; i < n; i++) {
        float v = velocity[i] = momentum * velocity[i] + g[i];
        p[i] -= pace * (nesterov ? g[i] + momentum * v : v);
    }
}

// Tieleman and Hinton, "RMSprop" (2012): squares = keep * squares + (1 - keep) * g^2, velocity =
// momentum * velocity + g / (sqrt(squares) + epsilon), p -= rate * velocity
void op_rmsprop(float *p, float *g, float *squares, float *velocity, float *rate, u32 n, float keep,
                float momentum, float epsilon) {
    float pace = *rate, take = 1.0f - keep;
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        f32x4 slope = load(g + i);
        f32x4 now = mul(slope, slope), before = load(squares + i);
        f32x4 square = add(mul(splat(keep), before), mul(splat(take), now));
        f32x4 move = divide(slope, add(square_root(square), splat(epsilon)));
        f32x4 v = add(mul(splat(momentum), load(velocity + i)), move);
        store(squares + i, square);
        store(velocity + i, v);
        store(p + i, sub(load(p + i), mul(splat(pace), v)));
    }
    for (; i < n; i++) {
        squares[i] = keep * squares[i] + take * (g[i] * g[i]);
        float move = g[i] / (__builtin_sqrtf(squares[i]) + epsilon);
        velocity[i] = momentum * velocity[i] + move;
        p[i] -= pace * velocity[i];
    }
}

// Duchi, Hazan and Singer, "Adaptive subgradient methods" (2011): total += g^2, p -= rate * g /
// (sqrt(total) + epsilon)
void op_adagrad(float *p, float *g, float *total, float *rate, u32 n, float epsilon) {
    float pace = *rate;
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        f32x4 slope = load(g + i), sum = add(load(total + i), mul(slope, slope));
        store(total + i, sum);
        f32x4 move = divide(slope, add(square_root(sum), splat(epsilon)));
        store(p + i, sub(load(p + i), mul(splat(pace), move)));
    }
    for (; i < n; i++) {
        total[i] += g[i] * g[i];
        p[i] -= pace * (g[i] / (__builtin_sqrtf(total[i]) + epsilon));
    }
}
