// Pooling of images (b, h, w, c): of each window its largest number.

#include "kernels.h"

// What of a window lies inside the image: its first number, and how many rows and columns.
typedef struct {
    u32 first, rows, columns;
} Window;

INLINE u32 clipped(u32 at, u32 before, u32 size) {
    return at < before ? 0 : smaller(at - before, size);
}

// Images and the window that moves over them: its first row and column at place (0, 0) lie `top`
// and `left` outside.
typedef struct {
    u32 h, w, c, window, stride, top, left;
} Grid;

INLINE Window window_at(Grid grid, u32 row, u32 column) {
    u32 y = row * grid.stride, x = column * grid.stride;
    u32 from_y = clipped(y, grid.top, grid.h), from_x = clipped(x, grid.left, grid.w);
    u32 to_y = clipped(y + grid.window, grid.top, grid.h);
    u32 to_x = clipped(x + grid.window, grid.left, grid.w);
    return (Window){(from_y * grid.w + from_x) * grid.c, to_y - from_y, to_x - from_x};
}

// The largest numbers of four channels in a window, and where they are: the first of equal ones,
// but the last NaN, so that none is hidden. x is the image from these channels on; n of them exist.
typedef struct {
    f32x4 value;
    i32x4 at;
} Peak;

INLINE Peak peak_of(const float *x, Window window, Grid grid, u32 n) {
    Peak peak = {load_some(x + window.first, n), splat_i32((i32)window.first)};
    for (u32 row = 0; row < window.rows; row++)
        for (u32 column = 0; column < window.columns; column++) {
            u32 at = window.first + (row * grid.w + column) * grid.c;
            f32x4 value = load_some(x + at, n);
            i32x4 wins = either(less(peak.value, value), is_nan(value));
            peak.value = select(wins, value, peak.value);
            peak.at = bits_of(select(wins, float_of(splat_i32((i32)at)), float_of(peak.at)));
        }
    return peak;
}

// out at the peaks += g
INLINE void hand_over(float *out, i32x4 peaks, f32x4 g, Window window, Grid grid, u32 n) {
    for (u32 row = 0; row < window.rows; row++)
        for (u32 column = 0; column < window.columns; column++) {
            u32 at = window.first + (row * grid.w + column) * grid.c;
            f32x4 part = select(equal_i32(peaks, splat_i32((i32)at)), g, splat(0.0f));
            store_some(out + at, add(load_some(out + at, n), part), n);
        }
}

// The most common window by far, with its sizes as constants: its loops disappear.
INLINE int is_two_by_two(Window window) { return window.rows == 2 && window.columns == 2; }
INLINE Window two_by_two(Window window) { return (Window){window.first, 2, 2}; }

// What peak_of finds in such a window, for less work where no number is NaN: then their sum is not,
// unless infinities cancel.
INLINE f32x4 largest_of_four(const float *x, Window window, Grid grid) {
    const float *above = x + window.first, *below = above + grid.w * grid.c;
    f32x4 a = load(above), b = load(above + grid.c), c = load(below), d = load(below + grid.c);
    if (is_any(is_nan(add(add(a, b), add(c, d)))))
        return peak_of(x, two_by_two(window), grid, LANES).value;
    return larger(larger(a, b), larger(c, d));
}

// out (c) = the largest of one window
INLINE void pool(float *out, const float *x, Window seen, Grid grid) {
    u32 at = 0;
    for (; is_two_by_two(seen) && at + LANES <= grid.c; at += LANES)
        store(out + at, largest_of_four(x + at, seen, grid));
    for (; at < grid.c; at += LANES)
        store_some(out + at, peak_of(x + at, seen, grid, grid.c - at).value, grid.c - at);
}

// out (b, i, j, c) = the largest of each window of x (b, h, w, c); beyond the edges is nothing
void op_maxpool2d(float *out, const float *x, u32 b, u32 h, u32 w, u32 c, u32 i, u32 j, u32 window,
                  u32 stride, u32 top, u32 left) {
    Grid grid = {h, w, c, window, stride, top, left};
    for (; b; b--, x += h * w * c)
        for (u32 row = 0; row < i; row++)
            for (u32 column = 0; column < j; column++, out += c)
                pool(out, x, window_at(grid, row, column), grid);
}

// out at the peaks of one window of x += g (c)
INLINE void hand_down(float *out, const float *x, const float *g, Window seen, Grid grid) {
    u32 at = 0, c = grid.c;
    for (; is_two_by_two(seen) && at + LANES <= c; at += LANES) {
        i32x4 peaks = peak_of(x + at, two_by_two(seen), grid, LANES).at;
        hand_over(out + at, peaks, load(g + at), two_by_two(seen), grid, LANES);
    }
    for (; at < c; at += LANES) {
        i32x4 peaks = peak_of(x + at, seen, grid, c - at).at;
        hand_over(out + at, peaks, load_some(g + at, c - at), seen, grid, c - at);
    }
}

// out (b, h, w, c) = the sum of g (b, i, j, c) over those windows, in their order, whose largest
// number lies here
void op_maxpool2d_gradient(float *out, const float *x, const float *g, u32 b, u32 h, u32 w, u32 c,
                           u32 i, u32 j, u32 window, u32 stride, u32 top, u32 left) {
    Grid grid = {h, w, c, window, stride, top, left};
    for (; b; b--, x += h * w * c, out += h * w * c) {
        clear_row(out, h * w * c);
        for (u32 row = 0; row < i; row++)
            for (u32 column = 0; column < j; column++, g += c)
                hand_down(out, x, g, window_at(grid, row, column), grid);
    }
}
