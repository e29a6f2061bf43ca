// Attention with several heads. Vaswani et al., "Attention is all you need" (2017), section 3.2.
//
// qkv (b, t, 3d) holds side by side what each step asks, what it answers to and what it says; a
// head owns d / h columns of each. Of the scores (t, t) of a head only those of QUERIES steps are
// ever in memory, with all the keys: a row of them is whole, so its softmax needs no second thought
// and the size of the block changes no bit. The gradient makes the scores again from what is kept,
// the logarithm of the sum of exponentials of each row (Dao et al., "FlashAttention", 2022).
//
// Where attention is causal a step sees itself and what was before it; the others have weight zero.

#include "sums.h"
#include "tile.h"

enum { QUERIES = 32 };

typedef struct {
    u32 t, d, h, causal;
    float *scores, *slopes, *packed;
} Plan;

// A head's part of one row: of qkv, whose steps are 3d apart, or of a tensor (t, d).
typedef struct { const float *q, *k, *v; } Head;

typedef struct { u32 first, rows, keys; } Span;

INLINE u32 width_of(Plan plan) { return plan.d / plan.h; }

INLINE float scale_of(Plan plan) { return 1.0f / __builtin_sqrtf((float)width_of(plan)); }

INLINE Head head_at(const float *qkv, Plan plan, u32 row, u32 head) {
    const float *q = qkv + row * plan.t * 3 * plan.d + head * width_of(plan);
    return (Head){q, q + plan.d, q + 2 * plan.d};
}

INLINE Span span_at(Plan plan, u32 first) {
    u32 rows = smaller(QUERIES, plan.t - first);
    return (Span){first, rows, plan.causal ? first + rows : plan.t};
}

// How many keys a row of the block sees.
INLINE u32 seen(Plan plan, Span span, u32 r) {
    return plan.causal ? span.first + r + 1 : plan.t;
}

// scores (rows, keys) = the queries of the block times all keys, not scaled yet
static void score(Plan plan, Head head, Span span) {
    u32 step = 3 * plan.d;
    product(plan.scores, span.keys, (Matrix){head.q + span.first * step, step, 0},
            (Matrix){head.k, step, 1}, plan.packed, span.rows, width_of(plan), span.keys, 0);
}

// Rows of scores become exponentials, those of keys not seen zero; sums are theirs, and logs the
// logarithms of the sums of the exponentials of the scores themselves. In three passes, so that
// what is to be waited for within one row is waited for in many at once.
static void soften(Plan plan, Span span, float *sums, float *logs) {
    float *row = plan.scores, scale = scale_of(plan), peaks[QUERIES];
    for (u32 r = 0; r < span.rows; r++)
        peaks[r] = largest(row + r * span.keys, seen(plan, span, r));
    for (u32 r = 0; r < span.rows; r++, row += span.keys) {
        u32 n = seen(plan, span, r);
        sums[r] = exponentials(row, row, scale, peaks[r], n);
        for (u32 i = n; i < span.keys; i++) row[i] = 0.0f;
    }
    for (u32 r = 0; r < span.rows; r += LANES) {
        u32 n = smaller(LANES, span.rows - r);
        f32x4 peak = mul(load_tail(peaks + r, n), splat(scale));
        store_tail(logs + r, add(peak, log4(load_tail(sums + r, n))), n);
    }
}

// out (b, t, d) = softmax(q kT / sqrt(d / h)) v of each head; logs (b, h, t) = the logarithm of the
// sum of exponentials of each row of scores
void op_attention(float *out, float *logs, const float *qkv, float *scratch, u32 b, u32 t, u32 d,
                  u32 h, u32 causal) {
    Plan plan = {t, d, h, causal, scratch, 0, scratch + smaller(QUERIES, t) * t};
    u32 width = width_of(plan);
    for (u32 at = 0; at < b * h; at++) {
        Head head = head_at(qkv, plan, at / h, at % h);
        for (u32 first = 0; first < t; first += QUERIES) {
            Span span = span_at(plan, first);
            float sums[QUERIES], *place = out + (at / h * t + first) * d + at % h * width;
            score(plan, head, span);
            soften(plan, span, sums, logs + at * t + first);
            product(place, d, (Matrix){plan.scores, span.keys, 0}, (Matrix){head.v, 3 * d, 0},
                    plan.packed, span.rows, span.keys, width, 0);
            for (u32 r = 0; r < span.rows; r++, place += d) {
                u32 i = 0;
                for (; i + LANES <= width; i += LANES)
                    store(place + i, divide(load(place + i), splat(sums[r])));
                for (; i < width; i++) place[i] /= sums[r];
            }
        }
    }
}

// out (b, h, t, t) = the weights by which op_attention adds up what the steps say
void op_attention_weights(float *out, const float *qkv, float *scratch, u32 b, u32 t, u32 d, u32 h,
                          u32 causal) {
    Plan plan = {t, d, h, causal, scratch, 0, scratch + smaller(QUERIES, t) * t};
    for (u32 at = 0; at < b * h; at++)
        for (u32 first = 0; first < t; first += QUERIES) {
            Span span = span_at(plan, first);
            float sums[QUERIES], logs[QUERIES], *place = out + (at * t + first) * t;
            score(plan, head_at(qkv, plan, at / h, at % h), span);
            soften(plan, span, sums, logs);
            for (u32 r = 0; r < span.rows; r++, place += t)
                for (u32 i = 0; i < t; i++)
                    place[i] = i < span.keys ? plan.scores[r * span.keys + i] / sums[r] : 0.0f;
        }
}

// The sum of a times b (n), in the order of sum_of but for four running sums.
INLINE float inner(const float *a, const float *b, u32 n) {
    f32x4 sums = splat(0.0f);
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) sums = add(sums, mul(load(a + i), load(b + i)));
    float total = sum_lanes(sums);
    for (; i < n; i++) total += a[i] * b[i];
    return total;
}

// Of one row: scores become weights w = exp(score * scale - log), slopes = g vT become those of
// the scores, w * (slope - along) * scale, where along = g . out is their mean by these weights.
INLINE void slope_row(Plan plan, Span span, u32 r, float log, float along) {
    u32 n = seen(plan, span, r), i = 0;
    float *weights = plan.scores + r * span.keys, *slopes = plan.slopes + r * span.keys;
    float scale = scale_of(plan), octaves = octaves_of(scale), peak = log / scale;
    for (; i + LANES <= n; i += LANES) {
        f32x4 weight = share4(load(weights + i), peak, octaves);
        f32x4 away = mul(sub(load(slopes + i), splat(along)), splat(scale));
        store(weights + i, weight);
        store(slopes + i, mul(weight, away));
    }
    if (i < n) {
        f32x4 weight = share4(load_tail(weights + i, n - i), peak, octaves);
        f32x4 away = mul(sub(load_tail(slopes + i, n - i), splat(along)), splat(scale));
        store_tail(weights + i, weight, n - i);
        store_tail(slopes + i, mul(weight, away), n - i);
    }
    for (i = n; i < span.keys; i++) weights[i] = slopes[i] = 0.0f;
}

// The part of one block of queries in the slopes of its head: q's are whole, those of k and v are
// added to, so that each is one chain over the queries in their order.
static void block_gradient(float *slope, Plan plan, Head head, Span span, const float *out,
                           const float *g, const float *logs) {
    u32 d = plan.d, width = width_of(plan), step = 3 * d, skip = span.first * d;
    Matrix asked = {head.q + span.first * step, step, 0}, given = {g + skip, d, 0};
    score(plan, head, span);
    product(plan.slopes, span.keys, given, (Matrix){head.v, step, 1}, plan.packed, span.rows,
            width, span.keys, 0);
    for (u32 r = 0; r < span.rows; r++) {
        float along = inner(g + skip + r * d, out + skip + r * d, width);
        slope_row(plan, span, r, logs[span.first + r], along);
    }
    product(slope + span.first * step, step, (Matrix){plan.slopes, span.keys, 0},
            (Matrix){head.k, step, 0}, plan.packed, span.rows, span.keys, width, 0);
    product(slope + d, step, (Matrix){plan.slopes, span.keys, 1}, asked, plan.packed, span.keys,
            span.rows, width, 1);
    product(slope + 2 * d, step, (Matrix){plan.scores, span.keys, 1}, given, plan.packed,
            span.keys, span.rows, width, 1);
}

// slope (b, t, 3d) of qkv, from g (b, t, d), that of out
void op_attention_gradient(float *slope, const float *qkv, const float *out, const float *logs,
                           const float *g, float *scratch, u32 b, u32 t, u32 d, u32 h, u32 causal) {
    u32 scores = smaller(QUERIES, t) * t;
    Plan plan = {t, d, h, causal, scratch, scratch + scores, scratch + 2 * scores};
    for (u32 i = 0; i < b * t * 3 * d; i++) slope[i] = 0.0f;
    for (u32 at = 0; at < b * h; at++) {
        u32 column = at % h * width_of(plan), place = at / h * t * d + column;
        for (u32 first = 0; first < t; first += QUERIES)
            block_gradient(slope + at / h * t * 3 * d + column, plan,
                           head_at(qkv, plan, at / h, at % h), span_at(plan, first), out + place,
                           g + place, logs + at * t);
    }
}
