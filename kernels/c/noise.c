// Normal numbers, by Box and Muller's transform ("A note on the generation of random normal
// deviates", 1958).

#include "elementary.h"
#include "kernels.h"

typedef struct { f32x4 cosine, sine; } Pair;

// sqrt(-2 * log u) * cos(2 * pi * v) and the same with the sine, of words of u and v; u is never
// zero
INLINE Pair normal4(i32x4 u, i32x4 v, f32x4 deviation) {
    f32x4 logs = log4(mul(add(upper24_4(u), splat(1.0f)), splat(0x1p-24f)));
    f32x4 radius = mul(deviation, square_root(mul(splat(-2.0f), logs)));
    f32x4 angle = mul(mul(upper24_4(v), splat(0x1p-24f)), splat(6.28318530717958648f));
    return (Pair){mul(radius, sine4(angle, splat_i32(1))), mul(radius, sine4(angle, splat_i32(0)))};
}

// out (count), of mean 0 and this deviation, fresh ones in every step. A block gives four: of words
// 0 and 2 the cosine and the sine, then of 1 and 3.
void op_normal(float *out, u32 count, float deviation, Stream stream, u32 step) {
    float found[4 * LANES];
    for (u32 i = 0; i < count; i += 4 * LANES) {
        Blocks blocks = draw4(stream, step, i / LANES);
        Pair even = normal4(blocks.word[0], blocks.word[2], splat(deviation));
        Pair odd = normal4(blocks.word[1], blocks.word[3], splat(deviation));
        float *to = i + 4 * LANES <= count ? out + i : found;
        store_transposed(to, LANES, even.cosine, even.sine, odd.cosine, odd.sine);
        if (to == found)
            for (u32 at = 0; i + at < count; at++) out[i + at] = found[at];
    }
}
