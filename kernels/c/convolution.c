// Convolution of images (b, h, w, c) with weights (p, q, c, f), and its gradients.
//
// A patch is what one place of out sees: p rows of q pixels of c numbers, zeros beyond the edges.
// Patches in the order of out's places are the rows of a matrix (b * i * j, p * q * c) that is
// never whole in memory: a band of its rows is copied out, and is an operand of a matrix product.
// So each sum is one chain, whatever the band, as tile.h says.

#include "tile.h"

enum { BAND_FLOATS = 16384, BAND_ROWS = 128 };  // a band stays in the caches

// Images, the window that moves over them, and the places where it stops: its first row and column
// at place (0, 0) lie `top` and `left` outside.
typedef struct {
    u32 h, w, c, p, q, i, j, stride, top, left;
} Grid;

static u32 patch_floats(Grid grid) { return grid.p * grid.q * grid.c; }

static u32 band_rows(Grid grid, u32 places) {
    u32 rows = BAND_FLOATS / patch_floats(grid) / ROWS * ROWS;
    return smaller(rows < ROWS ? ROWS : smaller(rows, BAND_ROWS), places);
}

INLINE void accumulate(float *out, const float *x, u32 n) {
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) store(out + i, add(load(out + i), load(x + i)));
    for (; i < n; i++) out[i] += x[i];
}

// What of a run of numbers, the first of them number x of a row of w, lies in that row: those from
// .. to - 1.
typedef struct {
    u32 from, to;
} Span;

INLINE Span inside(i32 x, u32 run, u32 w) {
    u32 from = x < 0 ? smaller(run, 0u - (u32)x) : 0;
    u32 to = x < (i32)w ? smaller(run, w - (u32)x) : from;
    return (Span){from, to < from ? from : to};
}

// The place of out whose number in their order is given.
typedef struct {
    u32 sample, row, column;
} Place;

INLINE Place place_of(Grid grid, u32 number) {
    return (Place){number / (grid.i * grid.j), number / grid.j % grid.i, number % grid.j};
}

INLINE void go_on(Grid grid, Place *place) {
    if (++place->column < grid.j) return;
    place->column = 0;
    if (++place->row < grid.i) return;
    place->row = 0;
    place->sample++;
}

// The last vector begins where it may end with the row, of at least four numbers.
INLINE void copy_whole(float *out, const float *x, u32 n) {
    if (n < LANES) return copy_row(out, x, n);
    for (u32 i = 0; i + LANES < n; i += LANES) store(out + i, load(x + i));
    store(out + n - LANES, load(x + n - LANES));
}

// out (n): those of x from `from` to `to`, zeros before and after
INLINE void copy_clipped(float *out, const float *x, u32 from, u32 to, u32 n) {
    clear_row(out, from);
    copy_row(out + from, x + from, to - from);
    clear_row(out + to, n - to);
}

// patches (count, p * q * c): those of images from place number `first` on
static void read_patches(float *patches, const float *images, Grid grid, u32 first, u32 count) {
    Place place = place_of(grid, first);
    u32 width = grid.q * grid.c;
    for (; count; count--, go_on(grid, &place)) {
        i32 x = (i32)(place.column * grid.stride - grid.left);
        u32 y = place.row * grid.stride - grid.top;
        Span span = inside(x, grid.q, grid.w);
        int is_whole = span.to - span.from == grid.q;
        for (u32 end = y + grid.p; y != end; y++, patches += width) {
            const float *row = images + ((place.sample * grid.h + y) * grid.w + x) * grid.c;
            if (y >= grid.h) clear_row(patches, width);
            else if (is_whole) copy_whole(patches, row, width);
            else copy_clipped(patches, row, span.from * grid.c, span.to * grid.c, width);
        }
    }
}

// The same transposed, (p * q, count), of images with one channel and windows that move by one:
// what all places of a row see at one pixel of their windows lies side by side in the image too.
static void read_turned(float *patches, const float *images, Grid grid, u32 first, u32 count) {
    for (u32 done = 0, run; done < count; done += run) {
        Place place = place_of(grid, first + done);
        run = smaller(grid.j - place.column, count - done);
        float *out = patches + done;
        for (u32 p = 0; p < grid.p; p++)
            for (u32 q = 0; q < grid.q; q++, out += count) {
                u32 y = place.row - grid.top + p;
                i32 x = (i32)(place.column - grid.left + q);
                Span span = inside(x, run, grid.w);
                const float *row = images + (place.sample * grid.h + y) * grid.w + x;
                if (y >= grid.h) clear_row(out, run);
                else copy_clipped(out, row, span.from, span.to, run);
            }
    }
}

// A band of the matrix of patches.
static Matrix band_at(float *place, const float *images, Grid grid, u32 first, u32 count) {
    if (grid.c == 1 && grid.stride == 1) {
        read_turned(place, images, grid, first, count);
        return (Matrix){place, count, 1};
    }
    read_patches(place, images, grid, first, count);
    return (Matrix){place, patch_floats(grid), 0};
}

INLINE Matrix turned(Matrix matrix) {
    return (Matrix){matrix.data, matrix.step, !matrix.is_turned};
}

// images += the patches (count, p * q * c) where they came from, from place number `first` on
static void add_patches(float *images, const float *patches, Grid grid, u32 first, u32 count) {
    Place place = place_of(grid, first);
    u32 width = grid.q * grid.c;
    for (; count; count--, go_on(grid, &place)) {
        i32 x = (i32)(place.column * grid.stride - grid.left);
        u32 y = place.row * grid.stride - grid.top;
        Span span = inside(x, grid.q, grid.w);
        for (u32 end = y + grid.p; y != end; y++, patches += width) {
            if (y >= grid.h || span.from == span.to) continue;
            float *row = images + ((place.sample * grid.h + y) * grid.w + x) * grid.c;
            u32 from = span.from * grid.c, to = span.to * grid.c;
            accumulate(row + from, patches + from, to - from);
        }
    }
}

// out (b, i, j, f) = activation(bias (f) + the sum over p, q, c in this order of the patch times
// weights (p, q, c, f))
void op_conv2d(float *out, const float *x, const float *weights, const float *bias, float *scratch,
               u32 b, u32 h, u32 w, u32 c, u32 p, u32 q, u32 f, u32 i, u32 j, u32 stride, u32 top,
               u32 left, u32 activation) {
    Grid grid = {h, w, c, p, q, i, j, stride, top, left};
    u32 k = patch_floats(grid), places = b * i * j, band = band_rows(grid, places);
    float *packed = scratch + band * k;
    for (u32 first = 0; first < places; first += band) {
        u32 rows = smaller(band, places - first);
        Matrix patches = band_at(scratch, x, grid, first, rows);
        ended_product(out + first * f, f, patches, (Matrix){weights, f, 0}, packed, rows, k, f, 0,
                      (End){bias, activation});
    }
}

// out (p, q, c, f) = the sum over places in their order of patch times g (b, i, j, f)
void op_conv2d_weights_gradient(float *out, const float *x, const float *g, float *scratch, u32 b,
                                u32 h, u32 w, u32 c, u32 i, u32 j, u32 f, u32 p, u32 q,
                                u32 stride, u32 top, u32 left) {
    Grid grid = {h, w, c, p, q, i, j, stride, top, left};
    u32 k = patch_floats(grid), places = b * i * j, band = band_rows(grid, places);
    float *packed = scratch + band * k;
    for (u32 first = 0; first < places; first += band) {
        u32 rows = smaller(band, places - first);
        Matrix patches = band_at(scratch, x, grid, first, rows);
        product(out, f, turned(patches), (Matrix){g + first * f, f, 0}, packed, k, rows, f,
                first > 0);
    }
}

// out (b, h, w, c) = the sum over places in their order, from +0.0, of the sums over f of g (b, i,
// j, f) times weights (p, q, c, f)
void op_conv2d_input_gradient(float *out, const float *g, const float *weights, float *scratch,
                              u32 b, u32 i, u32 j, u32 f, u32 p, u32 q, u32 c, u32 h, u32 w,
                              u32 stride, u32 top, u32 left) {
    Grid grid = {h, w, c, p, q, i, j, stride, top, left};
    u32 k = patch_floats(grid), places = b * i * j, band = band_rows(grid, places);
    float *packed = scratch + band * k;
    clear_row(out, b * h * w * c);
    for (u32 first = 0; first < places; first += band) {
        u32 rows = smaller(band, places - first);
        product(scratch, k, (Matrix){g + first * f, f, 0}, (Matrix){weights, f, 1}, packed, rows, f,
                k, 0);
        add_patches(out, scratch, grid, first, rows);
    }
}
