// Pooling of images (b, h, w, c): of each window its largest number.

#include "kernels.h"

// What of a window lies inside the image: rows and columns from .. to - 1 of it.
typedef struct {
    u32 top, bottom, left, right;
} Window;

INLINE u32 begin(u32 place, u32 stride, u32 before) {
    u32 at = place * stride;
    return at < before ? 0 : at - before;
}

INLINE u32 end(u32 place, u32 stride, u32 before, u32 window, u32 size) {
    u32 at = place * stride + window;
    return at < before ? 0 : smaller(at - before, size);
}

// The largest numbers of four channels in a window, and where they are: the first of equal ones,
// but the last NaN, so that none is hidden. x is the image from these channels on; n of them exist.
typedef struct {
    f32x4 value;
    i32x4 at;
} Peak;

INLINE Peak peak_of(const float *x, Window window, u32 w, u32 c, u32 n) {
    u32 first = (window.top * w + window.left) * c;
    Peak peak = {load_some(x + first, n), splat_i32((i32)first)};
    for (u32 row = window.top; row < window.bottom; row++)
        for (u32 column = window.left; column < window.right; column++) {
            u32 at = (row * w + column) * c;
            f32x4 value = load_some(x + at, n);
            i32x4 wins = either(less(peak.value, value), is_nan(value));
            peak.value = select(wins, value, peak.value);
            peak.at = bits_of(select(wins, float_of(splat_i32((i32)at)), float_of(peak.at)));
        }
    return peak;
}

// out at the peak's place += g
INLINE void hand_down(float *out, i32x4 peak_at, f32x4 g, Window window, u32 w, u32 c, u32 n) {
    for (u32 row = window.top; row < window.bottom; row++)
        for (u32 column = window.left; column < window.right; column++) {
            u32 at = (row * w + column) * c;
            f32x4 part = select(equal_i32(peak_at, splat_i32((i32)at)), g, splat(0.0f));
            store_some(out + at, add(load_some(out + at, n), part), n);
        }
}

// out (b, i, j, c) = the largest of each window of x (b, h, w, c); the window's first row and
// column at place (0, 0) lie `top` and `left` outside, where there is nothing
void op_maxpool2d(float *out, const float *x, u32 b, u32 h, u32 w, u32 c, u32 i, u32 j, u32 window,
                  u32 stride, u32 top, u32 left) {
    for (; b; b--, x += h * w * c)
        for (u32 row = 0; row < i; row++)
            for (u32 column = 0; column < j; column++, out += c) {
                Window seen = {begin(row, stride, top), end(row, stride, top, window, h),
                               begin(column, stride, left), end(column, stride, left, window, w)};
                for (u32 at = 0; at < c; at += LANES)
                    store_some(out + at, peak_of(x + at, seen, w, c, c - at).value, c - at);
            }
}

// out (b, h, w, c) = the sum of g (b, i, j, c) over those windows, in their order, whose largest
// number lies here
void op_maxpool2d_gradient(float *out, const float *x, const float *g, u32 b, u32 h, u32 w, u32 c,
                           u32 i, u32 j, u32 window, u32 stride, u32 top, u32 left) {
    clear_row(out, b * h * w * c);
    for (; b; b--, x += h * w * c, out += h * w * c)
        for (u32 row = 0; row < i; row++)
            for (u32 column = 0; column < j; column++, g += c) {
                Window seen = {begin(row, stride, top), end(row, stride, top, window, h),
                               begin(column, stride, left), end(column, stride, left, window, w)};
                for (u32 at = 0; at < c; at += LANES)
                    hand_down(out + at, peak_of(x + at, seen, w, c, c - at).at,
                              load_some(g + at, c - at), seen, w, c, c - at);
            }
}
