// What is done to gradients g (n) before anything moves: cut, regularised, gathered over several
// batches, and measured.

#include "activations.h"
#include "kernels.h"
#include "sums.h"

// The sum of g^2, or of ((g + other) * share)^2, in double precision: element i goes to running sum
// i modulo 8, and the eight are added in pairs.
INLINE double squares_of(const float *g, const float *other, float share, u32 n) {
    Sums sums = no_sums();
    u32 i = 0;
    for (; i + SUMS <= n; i += SUMS)
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            f32x4 x = load(g + i + half * LANES);
            if (other) x = mul(add(x, load(other + i + half * LANES)), splat(share));
            gather_product(&sums, half, x, x);
        }
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        if (i >= n) break;
        f32x4 x = load_some(g + i, n - i);
        if (other) x = mul(add(x, load_some(other + i, n - i)), splat(share));
        gather_product(&sums, half, x, x);
        i += LANES;
    }
    return in_pairs(sums);
}

// g is made shorter where it is longer than `limit` (Pascanu, Mikolov and Bengio, "On the
// difficulty of training recurrent neural networks", 2013)
void op_clip_norm(float *g, u32 n, float limit) {
    double norm = __builtin_sqrt(squares_of(g, 0, 1.0f, n));
    if (norm > limit) scale_row(g, g, n, (float)(limit / norm));
}

// every element of g is kept between -limit and limit
void op_clip_value(float *g, u32 n, float limit) {
    f32x4 most = splat(limit), least = splat(-limit);
    u32 i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
        for (u32 v = 0; v < 4 * LANES; v += LANES)
            store(g + i + v, larger(lesser(load(g + i + v), most), least));
    for (; i + LANES <= n; i += LANES) store(g + i, larger(lesser(load(g + i), most), least));
    if (i < n) store_tail(g + i, larger(lesser(load_tail(g + i, n - i), most), least), n - i);
}

typedef struct { f32x4 l1, minus_l1, l2; } Pulls;

INLINE f32x4 pulled4(f32x4 g, f32x4 x, Pulls by) {
    f32x4 zero = splat(0.0f);
    f32x4 pull = select(less(zero, x), by.l1, select(less(x, zero), by.minus_l1, zero));
    return add(g, add(mul(by.l2, x), pull));
}

// g += l2 * p + l1 * sign(p): the slope of l2 / 2 * |p|^2 + l1 * the sum of |p|, sign(0) = 0
void op_regularise(float *g, float *p, u32 n, float l1, float l2) {
    Pulls pulls = {splat(l1), splat(-l1), splat(l2)};
    u32 i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
        for (u32 v = i; v < i + 4 * LANES; v += LANES)
            store(g + v, pulled4(load(g + v), load(p + v), pulls));
    for (; i < n; i += LANES)
        store_some(g + i, pulled4(load_some(g + i, n - i), load_some(p + i, n - i), pulls), n - i);
}

// total (n) = the sum of the gradients of the batches gathered so far; once there are `every` (1)
// of them their mean, and so does g become. waited (1) is how many came before this one; `due`
// counts them. Zero for `every`, as in fresh memory, is one.
void op_accumulate(float *total, float *g, float *waited, float *every, u32 n) {
    float gathered = *waited + 1.0f;
    if (*waited == 0.0f) copy_row(total, g, n);
    else map2_short(total, total, g, n, sum4);
    if (gathered < *every) return;
    scale_row(total, total, n, 1.0f / gathered);
    copy_row(g, total, n);
}

// Whether the gathered gradient is to be used in this step; if not, the step ends here.
u32 op_due(float *waited, float *every) {
    *waited += 1.0f;
    if (*waited < *every) return NEXT_STEP;
    *waited = 0.0f;
    return GO_ON;
}

// For the gradient noise scale (McCandlish and others, "An empirical model of large-batch
// training", 2018, appendix A.1): sums (4) gather |g|^2 of single batches and their number,
// |mean|^2 of groups of batches and their number. Runs before `accumulate`. A group is what `every`
// gathers; where that is one batch, it is this one and the one before, whose gradient `total` still
// holds: the weights have moved by one step between the two. The first batch since the sums were
// zero has none before it.
void op_measure_noise(float *sums, float *g, float *total, float *waited, float *every, u32 n) {
    u32 is_first = sums[1] == 0.0f, is_single = *every <= 1.0f;
    float gathered = *waited + 1.0f;
    sums[0] += (float)squares_of(g, 0, 1.0f, n);
    sums[1] += 1.0f;
    if (is_single ? is_first : gathered < *every || gathered < 2.0f) return;
    sums[2] += (float)squares_of(g, total, is_single ? 0.5f : 1.0f / gathered, n);
    sums[3] += 1.0f;
}
