// Losses of acting: REINFORCE for policies, the squared then linear error of action values, and
// the values such an error is measured from. An action that is none of the n traps.

#include "kernels.h"
#include "logits.h"

typedef struct { float entropy, own; } Policy;

// logs (n) = log softmax(x), shares (n) = softmax(x); answers the entropy, -sum of p * log p in the
// order of the actions, and the logarithm of the action's probability
INLINE Policy policy_of(float *logs, float *shares, const float *x, u32 action, u32 n) {
    if (action >= n) __builtin_trap();
    float peak = largest(x, n), total = exponentials(shares, x, 1.0f, peak, n);
    float log_total = logarithm(total), entropy = 0.0f;
    for (u32 i = 0; i < n; i++) {
        shares[i] /= total;
        logs[i] = (x[i] - peak) - log_total;
        entropy -= shares[i] * logs[i];
    }
    return (Policy){entropy, logs[action]};
}

// Williams, "Simple statistical gradient-following algorithms" (1992), with Mnih and others'
// entropy bonus (2016). out (2) = mean over rows of -advantage * log softmax(x)[action] - bonus *
// entropy; and the sum of the entropies. scratch (2 n).
void op_policy_gradient(float *out, const float *x, const u32 *actions, const float *advantages,
                        float *scratch, u32 m, u32 n, float bonus) {
    double loss = 0.0, entropies = 0.0;
    for (u32 row = 0; row < m; row++, x += n) {
        Policy policy = policy_of(scratch, scratch + n, x, actions[row], n);
        loss -= advantages[row] * policy.own + bonus * policy.entropy;
        entropies += policy.entropy;
    }
    out[0] = (float)(loss / m);
    out[1] = (float)entropies;
}

// out (m, n) = (advantage * (p - 1 at the action) + bonus * p * (log p + entropy)) / m. scratch
// (n).
void op_policy_gradient_gradient(float *out, const float *x, const u32 *actions,
                                 const float *advantages, float *scratch, u32 m, u32 n,
                                 float bonus) {
    for (u32 row = 0; row < m; row++, out += n, x += n) {
        Policy policy = policy_of(scratch, out, x, actions[row], n);
        float advantage = advantages[row];
        for (u32 i = 0; i < n; i++) {
            float away = out[i] - (i == actions[row] ? 1.0f : 0.0f);
            float flat = out[i] * (scratch[i] + policy.entropy);
            out[i] = (advantage * away + bonus * flat) / (float)m;
        }
    }
}

// out (2) = mean over rows of Huber's loss of values (m, n)[action] - target; and the sum of the
// absolute errors
void op_action_value(float *out, const float *values, const u32 *actions, const float *targets,
                     u32 m, u32 n, float delta) {
    double loss = 0.0, errors = 0.0;
    for (u32 row = 0; row < m; row++, values += n) {
        if (actions[row] >= n) __builtin_trap();
        float away = values[actions[row]] - targets[row], error = __builtin_fabsf(away);
        loss += delta < error ? delta * (error - 0.5f * delta) : 0.5f * away * away;
        errors += error;
    }
    out[0] = (float)(loss / m);
    out[1] = (float)errors;
}

// out (m, n) = the error at the action, cut to between -delta and delta, times 1 / m; else 0
void op_action_value_gradient(float *out, const float *values, const u32 *actions,
                              const float *targets, u32 m, u32 n, float delta) {
    float share = (float)(1.0 / m);
    for (u32 row = 0; row < m; row++, out += n, values += n) {
        if (actions[row] >= n) __builtin_trap();
        float away = values[actions[row]] - targets[row];
        away = away < -delta ? -delta : delta < away ? delta : away;
        clear_row(out, n);
        out[actions[row]] = away * share;
    }
}

// out (m, 1) = reward + discount * goes_on * the largest of values (m, n): what Q-learning expects
// (Watkins, 1989). goes_on is 0 where the episode ended, else 1.
void op_expected_return(float *out, const float *rewards, const float *goes_on,
                        const float *values, u32 m, u32 n, float discount) {
    for (u32 row = 0; row < m; row++, values += n)
        out[row] = rewards[row] + discount * goes_on[row] * largest(values, n);
}
