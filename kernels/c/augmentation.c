// Pictures changed a little at random while they are trained on; what the words of a block are for
// stands in ops/augmentation.py.

#include "kernels.h"
#include "sums.h"

// From -most to most, by multiply and shift.
INLINE i32 step_of(u32 word, u32 most) {
    return (i32)(u32)(((u64)word * (2 * most + 1)) >> 32) - (i32)most;
}

// From 1 - share to 1 + share, of the lower 24 bits.
INLINE float factor_of(u32 word, float share) {
    return 1.0f + share * ((float)(word & 0xffffff) * 0x1p-23f - 1.0f);
}

INLINE u32 within(i32 place, u32 size) {
    return place < 0 ? 0 : smaller((u32)place, size - 1);
}

// out (h, w, c) = x moved down and right, mirrored if need be; what comes in at an edge is that
// edge once more.
INLINE void place(float *out, const float *x, u32 h, u32 w, u32 c, i32 down, i32 right,
                  u32 is_mirrored) {
    for (u32 i = 0; i < h; i++) {
        const float *row = x + within((i32)i - down, h) * w * c;
        for (u32 j = 0; j < w; j++) {
            u32 column = is_mirrored ? w - 1 - j : j;
            const float *from = row + within((i32)column - right, w) * c;
            for (u32 k = 0; k < c; k++) *out++ = from[k];
        }
    }
}

// x (n) = ((x - its mean) * contrast + its mean) * brightness
INLINE void colour(float *x, u32 n, float contrast, float brightness) {
    float mean = sum_of(x, n) / (float)n;
    f32x4 middle = splat(mean);
    for (u32 i = 0; i < n; i += LANES) {
        f32x4 away = mul(sub(load_some(x + i, n - i), middle), splat(contrast));
        store_some(x + i, mul(add(away, middle), splat(brightness)), n - i);
    }
}

// out (b, h, w, c) = each picture of x, moved by up to `shift` pixels to each side, mirrored every
// second time if `flip`, with its contrast and brightness changed by up to such shares.
void op_augment(float *out, const float *x, u32 b, u32 h, u32 w, u32 c, u32 shift, u32 flip,
                float contrast, float brightness, Stream stream, u32 step) {
    u32 n = h * w * c;
    for (u32 row = 0; row < b; row++, out += n, x += n) {
        Block found = draw(stream, step, row);
        i32 down = step_of(found.word[0], shift), right = step_of(found.word[1], shift);
        place(out, x, h, w, c, down, right, flip & found.word[2] >> 31);
        if (contrast != 0.0f || brightness != 0.0f)
            colour(out, n, factor_of(found.word[2], contrast),
                   factor_of(found.word[3], brightness));
    }
}
