// Losses of acting: REINFORCE for policies, the squared then linear error of action values, and
// the values such an error is measured from. An action that is none of the n traps.

#include "kernels.h"
#include "logits.h"

// Of a row its probabilities p (n), from exp(x - peak) in the same place, and their entropy, -sum
// of p * log p: in four lanes, added up in pairs, then over the ragged end.
// log p = (x - peak) - log.
INLINE float policy_of(float *shares, const float *x, float peak, float total, float log, u32 n) {
    f32x4 sums = splat(0.0f);
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        f32x4 share = divide(load(shares + i), splat(total));
        f32x4 cost = sub(splat(log), sub(load(x + i), splat(peak)));
        store(shares + i, share);
        sums = add(sums, mul(share, cost));
    }
    float entropy = sum_lanes(sums);
    for (; i < n; i++) {
        shares[i] /= total;
        entropy += shares[i] * (log - (x[i] - peak));
    }
    return entropy;
}

typedef struct { double loss, entropy; } Gain;

INLINE void policy_rows(const u32 rows, Gain *gain, const float *x, const u32 *actions,
                        const float *advantages, float *shares, u32 n, float bonus) {
    Logits found = logits_of(rows, shares, x, n);
#pragma unroll
    for (u32 r = 0; r < rows; r++, x += n, shares += n) {
        float peak = found.peak[r], log = found.log[r];
        float entropy = policy_of(shares, x, peak, found.total[r], log, n);
        float own = (x[checked(actions[r], n)] - peak) - log;
        gain->loss -= advantages[r] * own + bonus * entropy;
        gain->entropy += entropy;
    }
}

// Williams, "Simple statistical gradient-following algorithms" (1992), with Mnih and others'
// entropy bonus (2016). out (2) = mean over rows of -advantage * log softmax(x)[action] - bonus *
// entropy; and the sum of the entropies. scratch (4, n).
void op_policy_gradient(float *out, const float *x, const u32 *actions, const float *advantages,
                        float *scratch, u32 m, u32 n, float bonus) {
    Gain gain = {0.0, 0.0};
    u32 row = 0;
    for (; row + LANES <= m; row += LANES, x += LANES * n)
        policy_rows(LANES, &gain, x, actions + row, advantages + row, scratch, n, bonus);
    for (; row < m; row++, x += n)
        policy_rows(1, &gain, x, actions + row, advantages + row, scratch, n, bonus);
    out[0] = (float)(gain.loss / m);
    out[1] = (float)gain.entropy;
}

INLINE void slope_rows(const u32 rows, float *out, const float *x, const u32 *actions,
                       const float *advantages, u32 n, float bonus, float share) {
    Logits found = logits_of(rows, out, x, n);
#pragma unroll
    for (u32 r = 0; r < rows; r++, x += n, out += n) {
        float peak = found.peak[r], log = found.log[r];
        float entropy = policy_of(out, x, peak, found.total[r], log, n), advantage = advantages[r];
        u32 i = 0;
        for (; i + LANES <= n; i += LANES) {
            f32x4 rest = add(sub(sub(load(x + i), splat(peak)), splat(log)), splat(entropy));
            f32x4 pull = add(splat(advantage), mul(splat(bonus), rest));
            store(out + i, mul(mul(load(out + i), pull), splat(share)));
        }
        for (; i < n; i++) {
            float pull = advantage + bonus * (((x[i] - peak) - log) + entropy);
            out[i] = out[i] * pull * share;
        }
        out[checked(actions[r], n)] -= advantage * share;
    }
}

// out (m, n) = (p * (advantage + bonus * (log p + entropy)) - advantage at the action) / m
void op_policy_gradient_gradient(float *out, const float *x, const u32 *actions,
                                 const float *advantages, u32 m, u32 n, float bonus) {
    float share = (float)(1.0 / m);
    u32 row = 0;
    for (; row + LANES <= m; row += LANES, x += LANES * n, out += LANES * n)
        slope_rows(LANES, out, x, actions + row, advantages + row, n, bonus, share);
    for (; row < m; row++, x += n, out += n)
        slope_rows(1, out, x, actions + row, advantages + row, n, bonus, share);
}

// values (rows, n) at the actions - targets, of up to four rows, zeros in the lanes beyond; and
// where those values are
typedef struct { f32x4 away; u32 place[LANES]; } Errors;

INLINE Errors errors_of(const u32 rows, const float *values, const u32 *actions,
                        const float *targets, u32 n) {
    Errors found;
    float taken[LANES] = {0, 0, 0, 0};
    u32 beyond = 0;
    for (u32 r = 0; r < rows; r++) beyond |= actions[r] >= n;
    if (beyond) __builtin_trap();
    for (u32 r = 0; r < rows; r++) {
        found.place[r] = r * n + actions[r];
        taken[r] = values[found.place[r]];
    }
    found.away = sub(load(taken), load_some(targets, rows));
    return found;
}

INLINE void value_rows(Sums *losses, Sums *sizes, Errors found, float delta) {
    f32x4 away = found.away, error = absolute(away), limit = splat(delta), half = splat(0.5f);
    f32x4 beyond = mul(limit, sub(error, splat(0.5f * delta)));
    f32x4 loss = select(less(limit, error), beyond, mul(half, mul(away, away)));
    gather(losses, 0, loss);
    gather(sizes, 0, error);
}

// out (2) = mean over rows of Huber's loss of values (m, n)[action] - target; and the sum of the
// absolute errors. Row i goes to running sum i modulo 4, in double precision; they are added in
// pairs.
void op_action_value(float *out, const float *values, const u32 *actions, const float *targets,
                     u32 m, u32 n, float delta) {
    Sums losses = no_sums(), sizes = no_sums();
    u32 row = 0;
    for (; row + LANES <= m; row += LANES, values += LANES * n)
        value_rows(&losses, &sizes, errors_of(LANES, values, actions + row, targets + row, n),
                   delta);
    if (row < m)
        value_rows(&losses, &sizes, errors_of(m - row, values, actions + row, targets + row, n),
                   delta);
    out[0] = (float)(in_pairs(losses) / m);
    out[1] = (float)in_pairs(sizes);
}

INLINE void value_slopes(const u32 rows, float *out, const float *values, const u32 *actions,
                         const float *targets, u32 n, float delta, float share) {
    Errors found = errors_of(rows, values, actions, targets, n);
    float slopes[LANES];
    store(slopes, mul(larger(lesser(found.away, splat(delta)), splat(-delta)), splat(share)));
#pragma unroll
    for (u32 r = 0; r < rows; r++) out[found.place[r]] = slopes[r];
}

// out (m, n) = the error at the action, cut to between -delta and delta, times 1 / m; else 0
void op_action_value_gradient(float *out, const float *values, const u32 *actions,
                              const float *targets, u32 m, u32 n, float delta) {
    float share = (float)(1.0 / m);
    u32 row = 0;
    clear_row(out, m * n);
    for (; row + LANES <= m; row += LANES, out += LANES * n, values += LANES * n)
        value_slopes(LANES, out, values, actions + row, targets + row, n, delta, share);
    for (; row < m; row++, out += n, values += n)
        value_slopes(1, out, values, actions + row, targets + row, n, delta, share);
}

// out (m, 1) = reward + discount * goes_on * the largest of values (m, n): what Q-learning expects
// (Watkins, 1989). goes_on is 0 where the episode ended, else 1.
void op_expected_return(float *out, const float *rewards, const float *goes_on,
                        const float *values, u32 m, u32 n, float discount) {
    for (u32 row = 0; row < m; row++, values += n)
        out[row] = rewards[row] + discount * goes_on[row] * largest(values, n);
}
