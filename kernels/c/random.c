// What chance decides: first weights, dropped units, the order of rows. Every number comes from
// philox.h.

#include "kernels.h"
#include "philox.h"

enum { DRAWN = 4 * LANES };  // numbers of one draw

// out (n), each within bound of center. Fresh numbers come in fours, one block each.
void op_uniform(float *out, u32 n, float bound, float center, Stream stream) {
    float drawn[DRAWN];
    for (u32 i = 0; i < n; i += DRAWN) {
        draw16(drawn, stream, 0, i / LANES);
        for (u32 at = 0; at < DRAWN && i + at < n; at += LANES) {
            f32x4 even = sub(mul(load(drawn + at), splat(0x1p-23f)), splat(1.0f));
            store_some(out + i + at, add(mul(even, splat(bound)), splat(center)), n - i - at);
        }
    }
}

// out (n) = x (n) where a unit is kept, scaled by 1 / (1 - rate), else 0. `drop_below` is rate *
// 2^24. The mask is drawn again for the gradient instead of being stored.
void op_dropout(float *out, const float *x, u32 n, u32 drop_below, float scale, Stream stream,
                u32 step) {
    float drawn[DRAWN];
    f32x4 bound = splat((float)drop_below), zero = splat(0.0f), factor = splat(scale);
    for (u32 i = 0; i < n; i += DRAWN) {
        draw16(drawn, stream, step, i / LANES);
        for (u32 at = 0; at < DRAWN && i + at < n; at += LANES) {
            f32x4 kept = mul(load_some(x + i + at, n - i - at), factor);
            i32x4 is_dropped = less(load(drawn + at), bound);
            store_some(out + i + at, select(is_dropped, zero, kept), n - i - at);
        }
    }
}

// order (n) becomes this epoch's permutation, by Fisher and Yates, unless it is already. `tag`
// remembers for which epoch it was made, as epoch + 1; zeroed memory says "none", which is how a
// restored run makes it anew.
void op_shuffle(u32 *order, u32 *tag, u32 n, u32 steps_per_epoch, Stream stream, u32 step) {
    u32 epoch = step / steps_per_epoch;
    if (*tag == epoch + 1) return;
    for (u32 i = 0; i < n; i++) order[i] = i;
    i32 words[LANES];
    for (u32 i = n - 1; i > 0; i--) {
        if (i == n - 1 || i % LANES == LANES - 1)
            store_whole(words, draw4(stream, epoch, i / LANES * LANES).word[0]);
        // a number from 0 to i by multiply and shift; its bias is below n / 2^32
        u32 j = (u32)(((u64)(u32)words[i % LANES] * (i + 1)) >> 32);
        u32 kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    *tag = epoch + 1;
}
