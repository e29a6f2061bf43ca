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

INLINE void narrow_tile(const u32 rows, const int is_packed, float *out, Left left,
                        const float *right, Right shape, u32 width, u32 k, int adds) {
    if (width <= LANES) tile(rows, 1, is_packed, out, COLUMNS, left, right, shape, k, adds);
    else tile(rows, COLUMNS / LANES, is_packed, out, COLUMNS, left, right, shape, k, adds);
}

INLINE void narrow_tile_of_rows(const int is_packed, float *out, Left left, u32 rows,
                                const float *right, Right shape, u32 width, u32 k, int adds) {
    if (rows == 4) narrow_tile(4, is_packed, out, left, right, shape, width, k, adds);
    else if (rows == 3) narrow_tile(3, is_packed, out, left, right, shape, width, k, adds);
    else if (rows == 2) narrow_tile(2, is_packed, out, left, right, shape, width, k, adds);
    else narrow_tile(1, is_packed, out, left, right, shape, width, k, adds);
}

// The ragged end of a strip, by way of a whole tile. It is kept out of the way of the others, whose
// loops would not get all registers beside it.
static __attribute__((noinline)) void ragged_tile(float *out, u32 out_step, Left left, u32 rows,
                                                  const float *right, Right shape, u32 width,
                                                  u32 k, int adds) {
    float whole[ROWS * COLUMNS];
    for (u32 r = 0; r < rows && adds; r++) {
        clear_row(whole + r * COLUMNS, COLUMNS);
        copy_row(whole + r * COLUMNS, out + r * out_step, width);
    }
    if (left.is_packed) narrow_tile_of_rows(1, whole, left, rows, right, shape, width, k, adds);
    else narrow_tile_of_rows(0, whole, left, rows, right, shape, width, k, adds);
    for (u32 r = 0; r < rows; r++) copy_row(out + r * out_step, whole + r * COLUMNS, width);
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
    if (columns) ragged_tile(out, out_step, left, rows, b, right, columns, k, adds);
}

INLINE void strip_of_rows(const int is_packed, float *out, u32 out_step, Left left, u32 rows,
                          Right right, u32 columns, u32 k, int adds) {
    // Factors that are no plain load yet cost more than vectors of the right operand do: half as
    // many rows and twice as many columns at a time are quicker then.
    if (rows == 4 && !is_packed && FACTOR_FLOATS > 1 && columns % (4 * LANES) == 0) {
        strip(2, 4, is_packed, out, out_step, left, right, columns, k, adds);
        left.data += 2 * left.row_step;
        strip(2, 4, is_packed, out + 2 * out_step, out_step, left, right, columns, k, adds);
        return;
    }
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
