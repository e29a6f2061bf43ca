// One strip of a product: at most ROWS rows against any number of columns.

#include "tile.h"

#include "activations.h"

// rows and vectors are constants wherever this is inlined, so that `sum` lives in registers
INLINE void tile(const u32 rows, const u32 vectors, const int is_packed, float *out, u32 out_step,
                 Left left, const float *right, Right shape, u32 k, int adds) {
    enum { PER_PANEL = COLUMNS / LANES };
    const float *a = left.data;
    f32x4 sum[ROWS][8];
#pragma unroll
    for (u32 r = 0; r < rows; r++)
#pragma unroll
        for (u32 v = 0; v < vectors; v++)
            sum[r][v] = adds ? load(out + r * out_step + v * LANES) : splat(0.0f);
    do {
        f32x4 factor[ROWS];
#pragma unroll
        for (u32 r = 0; r < rows; r++)
            factor[r] = is_packed ? load_factor(a + r * FACTOR_FLOATS)
                                  : splat_from(a + r * left.row_step);
#pragma unroll
        for (u32 v = 0; v < vectors; v++) {
            f32x4 b = load(right + v / PER_PANEL * shape.panel_step + v % PER_PANEL * LANES);
#pragma unroll
            for (u32 r = 0; r < rows; r++) sum[r][v] = add(sum[r][v], mul(factor[r], b));
        }
        a += is_packed ? rows * FACTOR_FLOATS : left.step;
        right += shape.step;
    } while (--k);
#pragma unroll
    for (u32 r = 0; r < rows; r++)
#pragma unroll
        for (u32 v = 0; v < vectors; v++) store(out + r * out_step + v * LANES, sum[r][v]);
}

// The ragged end of a row of tiles, by way of a whole tile.
INLINE void ragged_tile(const u32 rows, const int is_packed, float *out, u32 out_step, Left left,
                        const float *right, Right shape, u32 width, u32 k, int adds) {
    float whole[ROWS * COLUMNS] = {0};
    if (adds)
        for (u32 r = 0; r < rows; r++)
            for (u32 c = 0; c < width; c++) whole[r * COLUMNS + c] = out[r * out_step + c];
    if (width <= LANES) tile(rows, 1, is_packed, whole, COLUMNS, left, right, shape, k, adds);
    else tile(rows, COLUMNS / LANES, is_packed, whole, COLUMNS, left, right, shape, k, adds);
    for (u32 r = 0; r < rows; r++)
        for (u32 c = 0; c < width; c++) out[r * out_step + c] = whole[r * COLUMNS + c];
}

// `wide` vectors at a time, then panel by panel: few rows have too few sums for one panel to keep
// the adders busy.
INLINE void strip(const u32 rows, const u32 wide, const int is_packed, float *out, u32 out_step,
                  Left left, Right right, u32 columns, u32 k, int adds) {
    const float *b = right.data;
    for (; columns >= wide * LANES; columns -= wide * LANES, out += wide * LANES) {
        tile(rows, wide, is_packed, out, out_step, left, b, right, k, adds);
        b += wide * LANES / COLUMNS * right.panel_step;
    }
    if (wide * LANES > COLUMNS)
        for (; columns >= COLUMNS; columns -= COLUMNS, out += COLUMNS, b += right.panel_step)
            tile(rows, COLUMNS / LANES, is_packed, out, out_step, left, b, right, k, adds);
    if (columns) ragged_tile(rows, is_packed, out, out_step, left, b, right, columns, k, adds);
}

INLINE void strip_of_rows(const int is_packed, float *out, u32 out_step, Left left, u32 rows,
                          Right right, u32 columns, u32 k, int adds) {
    if (rows == 4) strip(4, 2, is_packed, out, out_step, left, right, columns, k, adds);
    else if (rows == 3) strip(3, 2, is_packed, out, out_step, left, right, columns, k, adds);
    else if (rows == 2) strip(2, 4, is_packed, out, out_step, left, right, columns, k, adds);
    else strip(1, 4, is_packed, out, out_step, left, right, columns, k, adds);
}

void strip_product(float *out, u32 out_step, Left left, u32 rows, Right right, u32 columns, u32 k,
                   int adds) {
    if (left.is_packed)
        strip_of_rows(1, out, out_step, left, rows, right, columns, k, adds);
    else strip_of_rows(0, out, out_step, left, rows, right, columns, k, adds);
}

void finish_strip(float *out, u32 out_step, u32 rows, u32 columns, const float *bias,
                  u32 activation) {
    switch (activation) {
        case 0: return map_rows(out, out_step, rows, columns, bias, same4);
        case 1: return map_rows(out, out_step, rows, columns, bias, relu4);
        case 2: return map_rows(out, out_step, rows, columns, bias, leaky_relu4);
        case 3: return map_rows(out, out_step, rows, columns, bias, elu4);
        case 4: return map_rows(out, out_step, rows, columns, bias, silu4);
        case 5: return map_rows(out, out_step, rows, columns, bias, gelu4);
        case 6: return map_rows(out, out_step, rows, columns, bias, sigmoid4);
        case 7: return map_rows(out, out_step, rows, columns, bias, tanh4);
        default: __builtin_trap();
    }
}
