// Normal numbers, by Box and Muller's transform ("A note on the generation of random normal
// deviates", 1958).

#include "elementary.h"
#include "kernels.h"

// Of four words two radii and two angles: sqrt(-2 * log u) * cos(2 * pi * v) and the same with the
// sine. u is never zero.
INLINE f32x4 normal4(Block block) {
    float radii[LANES], turns[LANES];
    for (u32 i = 0; i < LANES; i++) {
        radii[i] = (float)(upper24(block.word[i / 2]) + 1) * 0x1p-24f;
        turns[i] = (float)upper24(block.word[2 + i / 2]) * 0x1p-24f;
    }
    i32x4 quarters = bits_of(load((const float[LANES]){0x1p-149f, 0.0f, 0x1p-149f, 0.0f}));
    f32x4 radius = square_root(mul(splat(-2.0f), log4(load(radii))));
    return mul(radius, sine4(mul(load(turns), splat(6.28318530717958648f)), quarters));
}

// out (count), of mean 0 and this deviation, fresh ones in every step
void op_normal(float *out, u32 count, float deviation, Stream stream, u32 step) {
    for (u32 i = 0; i < count; i += LANES) {
        f32x4 found = mul(splat(deviation), normal4(draw(stream, step, i / LANES)));
        if (i + LANES <= count) store(out + i, found);
        else store_tail(out + i, found, count - i);
    }
}
