// Recurrence. Sequences are (b, t, h): rows, steps, width; reverse walks the steps from the last to
// the first.
//
// A block of rows goes through all steps before the next block starts, so that its state, its sums
// and (while they are small) the recurrent weights stay in the caches. The weights are packed once
// for all steps. What a step multiplies is written in the order the tile reads it by the loop that
// computes it. Rows do not see each other: blocks decide nothing but speed.

#include "activations.h"
#include "tile.h"

// Weights up to this width stay in the second cache while four rows pass; wider ones are read once
// for BLOCK rows.
enum { NARROW = 160, BLOCK = 32, GATES = 4, SAVED = 6 };

INLINE f32x4 load_up_to(const float *p, u32 n) { return n == LANES ? load(p) : load_tail(p, n); }

INLINE void store_up_to(float *p, f32x4 a, u32 n) {
    if (n == LANES) store(p, a);
    else store_tail(p, a, n);
}

// A block of rows on its way through the steps. left: its factors, strip after strip of ROWS rows;
// sums (rows, n) = left times the packed weights (k, n); carried (rows, h) is what the next step
// needs beside them.
typedef struct {
    Right right;
    float *left, *sums, *carried;
    u32 k, n;
} Loop;

// One row reads the weights where they lie: there is nobody to share the work of packing with.
INLINE Loop loop_over(u32 rows, Matrix weights, float *scratch, u32 k, u32 n) {
    Loop loop = {.k = k, .n = n};
    if (rows == 1 && !weights.is_turned && n % COLUMNS == 0)
        loop.right = (Right){weights.data, COLUMNS, weights.step};
    else loop.right = pack_panels(scratch, weights, 0, n, k);
    loop.left = scratch + (n + COLUMNS - 1) / COLUMNS * COLUMNS * k;
    loop.sums = loop.left + BLOCK * LANES * k;
    loop.carried = loop.sums + BLOCK * n;
    return loop;
}

// Factor s of a row of the block, and how far it is to the next one.
INLINE float *factor_at(Loop loop, u32 row, u32 rows, u32 s) {
    u32 strip = row / ROWS * ROWS, high = smaller(ROWS, rows - strip);
    return loop.left + (strip * loop.k + s * high + row - strip) * FACTOR_FLOATS;
}
INLINE u32 factor_step(u32 row, u32 rows) {
    return smaller(ROWS, rows - row / ROWS * ROWS) * FACTOR_FLOATS;
}

INLINE void store_factors_up_to(float *p, u32 stride, f32x4 a, u32 n) {
    if (n == LANES) return store_factors(p, stride, a);
    float lanes[LANES];
    store(lanes, a);
    for (u32 i = 0; i < n; i++) store_factor(p + i * stride, lanes[i]);
}

// sums = left times right: chains over k, ascending, taken up again after each DEPTH.
static void multiply(Loop loop, u32 rows) {
    for (u32 from = 0, depth; from < loop.k; from += depth) {
        depth = smaller(loop.k - from, DEPTH);
        Right right = loop.right;
        right.data += from * right.step;
        for (u32 row = 0; row < rows; row += ROWS) {
            Left left = {factor_at(loop, row, rows, from), 0, 0, 1};
            strip_product(loop.sums + row * loop.n, loop.n, left, smaller(ROWS, rows - row), right,
                          loop.n, depth, from > 0);
        }
    }
}

// A gate that is shut lets 1e-13 pass, so that products of such gates do not become subnormal and
// slow down whatever they are multiplied with.
INLINE f32x4 gate4(f32x4 x) { return sigmoid_from4(-30.0f, x); }

// out (n) = f(gates + sums). Each function runs over its gates alone, since a chain of all that a
// unit needs is too long for the processor to look past.
INLINE void activate(float *out, const float *gates, const float *sums, u32 n, f32x4 (*f)(f32x4)) {
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) store(out + i, f(add(load(gates + i), load(sums + i))));
    if (i == n) return;
    f32x4 last = add(load_tail(gates + i, n - i), load_tail(sums + i, n - i));
    store_tail(out + i, f(last), n - i);
}

// n units of one row, whose gates are in `saved` (i, f, g, o, h apart): cell, tanh of the cell, and
// the new state, which is the answer.
INLINE f32x4 cell4(float *saved, float *cell, u32 h, u32 n) {
    f32x4 i = load_up_to(saved, n), f = load_up_to(saved + h, n);
    f32x4 g = load_up_to(saved + 2 * h, n), o = load_up_to(saved + 3 * h, n);
    f32x4 c = add(mul(f, load_up_to(cell, n)), mul(i, g)), bent = tanh4(c);
    store_up_to(cell, c, n);
    store_up_to(saved + 4 * h, c, n);
    store_up_to(saved + 5 * h, bent, n);
    return mul(o, bent);
}

// hidden (b, t, h) of an LSTM, with what its gradient needs (b, t, 6h): in, forget, new, out, cell,
// tanh of the cell. gates (b, t, 4h) come with the inputs' share in them; recurrent (h, 4h).
//   i, f, o = sigmoid(sums), g = tanh(sums), sums = gates + state recurrent
//   c = f c + i g, state = o tanh(c)
// scratch: the recurrent weights in panels, and of a block of rows the state, the sums, the cells.
void op_lstm(float *hidden, float *saved, const float *gates, const float *recurrent,
             float *scratch, u32 b, u32 t, u32 h, u32 reverse) {
    Loop loop = loop_over(b, (Matrix){recurrent, GATES * h, 0}, scratch, h, GATES * h);
    u32 block = h <= NARROW ? ROWS : BLOCK;
    for (u32 first = 0; first < b; first += block) {
        u32 rows = smaller(block, b - first);
        clear_row(loop.sums, rows * GATES * h);
        clear_row(loop.carried, rows * h);
        for (u32 turn = 0; turn < t; turn++) {
            if (turn) multiply(loop, rows);
            for (u32 row = 0; row < rows; row++) {
                u32 at = (first + row) * t + (reverse ? t - 1 - turn : turn);
                u32 step = factor_step(row, rows), u = 0;
                float *factor = factor_at(loop, row, rows, 0), *cell = loop.carried + row * h;
                float *kept = saved + at * SAVED * h, *out = hidden + at * h;
                const float *gate = gates + at * GATES * h, *sums = loop.sums + row * GATES * h;
                activate(kept, gate, sums, 2 * h, gate4);
                activate(kept + 2 * h, gate + 2 * h, sums + 2 * h, h, tanh4);
                activate(kept + 3 * h, gate + 3 * h, sums + 3 * h, h, gate4);
                for (; u + LANES <= h; u += LANES, factor += LANES * step) {
                    f32x4 state = cell4(kept + u, cell + u, h, LANES);
                    store(out + u, state);
                    store_factors(factor, step, state);
                }
                if (u == h) continue;
                f32x4 state = cell4(kept + u, cell + u, h, h - u);
                store_tail(out + u, state, h - u);
                store_factors_up_to(factor, step, state, h - u);
            }
        }
    }
}

// n units of one row: slopes (h apart) in the sums under the gates, from what was saved, the cell
// before (null where there was none) and the gradient in the state from outside and from the step
// after; carried is the gradient in the cell, from the step after and for the step before.
INLINE void cell_slopes(float *out, float *factor, u32 step, float *carried, const float *g,
                        const float *after, const float *saved, const float *before, u32 h, u32 n) {
    f32x4 kept[SAVED];
#pragma unroll
    for (u32 at = 0; at < SAVED; at++) kept[at] = load_up_to(saved + at * h, n);
    f32x4 in = kept[0], forget = kept[1], new = kept[2], gate = kept[3], bent = kept[5];
    f32x4 state = add(load_up_to(g, n), load_up_to(after, n));
    f32x4 bend = mul(mul(state, gate), sub(ONE, mul(bent, bent)));
    f32x4 cell = add(load_up_to(carried, n), bend);
    f32x4 last = before ? load_up_to(before, n) : splat(0.0f);
    const f32x4 slope[GATES] = {
        mul(mul(cell, new), mul(in, sub(ONE, in))),
        mul(mul(cell, last), mul(forget, sub(ONE, forget))),
        mul(mul(cell, in), sub(ONE, mul(new, new))),
        mul(mul(state, bent), mul(gate, sub(ONE, gate))),
    };
    store_up_to(carried, mul(cell, forget), n);
#pragma unroll
    for (u32 at = 0; at < GATES; at++) {
        store_up_to(out + at * h, slope[at], n);
        store_factors_up_to(factor + at * h * step, step, slope[at], n);
    }
}

// The gradient in the gates (b, t, 4h) of op_lstm, from the last step taken to the first. g
// (b, t, h) is the gradient in hidden; to it each step adds, for the step before, its gates'
// gradient times the recurrent weights turned, one chain over 4h in the order of the gates.
// scratch: those weights in panels, and of a block of rows the gates' gradient, the sums, the
// gradient in the cells.
void op_lstm_gradient(float *out, const float *g, const float *saved, const float *recurrent,
                      float *scratch, u32 b, u32 t, u32 h, u32 reverse) {
    Loop loop = loop_over(b, (Matrix){recurrent, GATES * h, 1}, scratch, GATES * h, h);
    u32 block = h <= NARROW ? ROWS : BLOCK;
    for (u32 first = 0; first < b; first += block) {
        u32 rows = smaller(block, b - first);
        clear_row(loop.sums, rows * h);
        clear_row(loop.carried, rows * h);
        for (u32 turn = t; turn--;) {
            if (turn + 1 < t) multiply(loop, rows);
            for (u32 row = 0; row < rows; row++) {
                u32 at = (first + row) * t + (reverse ? t - 1 - turn : turn);
                u32 step = factor_step(row, rows), u = 0;
                float *factor = factor_at(loop, row, rows, 0), *to = out + at * GATES * h;
                float *carried = loop.carried + row * h;
                const float *after = loop.sums + row * h, *slope = g + at * h;
                const float *kept = saved + at * SAVED * h;
                u32 earlier = reverse ? at + 1 : at - 1;
                const float *before = turn ? saved + (earlier * SAVED + GATES) * h : 0;
                for (; u + LANES <= h; u += LANES)
                    cell_slopes(to + u, factor + u * step, step, carried + u, slope + u, after + u,
                                kept + u, before ? before + u : 0, h, LANES);
                if (u < h)
                    cell_slopes(to + u, factor + u * step, step, carried + u, slope + u, after + u,
                                kept + u, before ? before + u : 0, h, h - u);
            }
        }
    }
}

// out (b, t, h) = x one step later in the order of the walk; zeros at its first step
void op_previous(float *out, const float *x, u32 b, u32 t, u32 h, u32 reverse) {
    for (u32 row = 0; row < b; row++, out += t * h, x += t * h) {
        copy_row(out + (reverse ? 0 : h), x + (reverse ? h : 0), (t - 1) * h);
        clear_row(out + (reverse ? (t - 1) * h : 0), h);
    }
}

// out (b, h) = step `at` of x (b, t, h)
void op_take_step(float *out, const float *x, u32 b, u32 t, u32 h, u32 at) {
    for (u32 row = 0; row < b; row++) copy_row(out + row * h, x + (row * t + at) * h, h);
}

// out (b, t, h) = x (b, h) at step `at`, zeros elsewhere
void op_place_step(float *out, const float *x, u32 b, u32 h, u32 t, u32 at) {
    clear_row(out, b * t * h);
    for (u32 row = 0; row < b; row++) copy_row(out + (row * t + at) * h, x + row * h, h);
}

// out (m, n) = x (m, p) and y (m, q) side by side
void op_join(float *out, const float *x, const float *y, u32 m, u32 p, u32 q, u32 n) {
    for (u32 row = 0; row < m; row++, out += n) {
        copy_row(out, x + row * p, p);
        copy_row(out + p, y + row * q, q);
    }
}

// out (m, p) = columns first .. first + p - 1 of x (m, n)
void op_take_columns(float *out, const float *x, u32 m, u32 n, u32 p, u32 first) {
    for (u32 row = 0; row < m; row++) copy_row(out + row * p, x + row * n + first, p);
}

// out (m, n) = x (m, p) in the columns from `first` on, zeros elsewhere
void op_place_columns(float *out, const float *x, u32 m, u32 p, u32 n, u32 first) {
    for (u32 row = 0; row < m; row++, out += n) {
        clear_row(out, first);
        copy_row(out + first, x + row * p, p);
        clear_row(out + first + p, n - first - p);
    }
}
