// Matrix products. out is (m, n) and k is the length of the sums; a and b come as they are or
// transposed:
//   nn: a (m, k), b (k, n)    nt: a (m, k), b (n, k)    tn: a (k, m), b (k, n)
//
// Each element of out is ONE chain of sums over k in ascending order, multiply and add apart.
// Blocking decides only which chains run side by side, so it cannot change a bit: the plain triple
// loop is the law, and the tests hold the kernel to it exactly.
//
// The tile is 4 rows by 8 columns: 8 running sums stay in registers while k advances. Both operands
// are first copied into the order in which the tile reads them ("packed"): a into blocks of 4 rows,
// b into panels of 8 columns; the ragged end of b is filled up with zeros, whose columns are
// computed and not stored.

#include "kernels.h"

enum { ROWS = 4, COLUMNS = 8 };

// LANES rows of a matrix with k columns, turned over: place[step * stride + row].
INLINE void turn_rows(float *place, u32 stride, const float *a, u32 k) {
    u32 step = 0;
    for (; step + LANES <= k; step += LANES)
        store_transposed(place + step * stride, stride, load(a + step), load(a + k + step),
                         load(a + 2 * k + step), load(a + 3 * k + step));
    for (; step < k; step++)
        for (u32 row = 0; row < LANES; row++) place[step * stride + row] = a[row * k + step];
}

// A block of `rows` rows of a (m, k): block[step * rows + row].
INLINE void pack_rows(float *block, const float *a, u32 rows, u32 k) {
    if (rows == ROWS) return turn_rows(block, ROWS, a, k);
    for (u32 row = 0; row < rows; row++)
        for (u32 step = 0; step < k; step++) block[step * rows + row] = a[row * k + step];
}

// A panel of COLUMNS columns of b (k, n) from `column` on; `width` of them exist.
INLINE void pack_columns(float *panel, const float *b, u32 width, u32 k, u32 n) {
    u32 left = smaller(LANES, width), right = width - left;
    for (u32 step = 0; step < k; step++, panel += COLUMNS, b += n) {
        store(panel, left == LANES ? load(b) : load_tail(b, left));
        store(panel + LANES, right == LANES ? load(b + LANES) : load_tail(b + LANES, right));
    }
}

// The same panel of b given transposed, (n, k).
INLINE void pack_columns_transposed(float *panel, const float *b, u32 width, u32 k) {
    if (width == COLUMNS) {
        turn_rows(panel, COLUMNS, b, k);
        turn_rows(panel + LANES, COLUMNS, b + LANES * k, k);
        return;
    }
    for (u32 column = 0; column < COLUMNS; column++)
        for (u32 step = 0; step < k; step++)
            panel[step * COLUMNS + column] = column < width ? b[column * k + step] : 0.0f;
}

// The left operand as the tile reads it: packed blocks of ROWS rows one after the other, or a as it
// is where it is given transposed, (k, m), so that neighbours in a column are so in memory too.
typedef struct {
    const float *data;
    u32 m, k;
    int is_packed;
} Left;

INLINE const float *block_at(Left left, u32 row) {
    return left.is_packed ? left.data + row * left.k : left.data + row;
}

// rows and vectors are constants wherever this is inlined, so that `sum` lives in registers
INLINE void tile(const u32 rows, const u32 vectors, float *out, u32 width, u32 n, Left left,
                 u32 row, const float *panel) {
    f32x4 sum[ROWS][COLUMNS / LANES];
    const float *a = block_at(left, row);
    u32 a_step = left.is_packed ? rows : left.m;
#pragma unroll
    for (u32 r = 0; r < rows; r++)
#pragma unroll
        for (u32 v = 0; v < vectors; v++) sum[r][v] = splat(0.0f);
    for (u32 step = 0; step < left.k; step++) {
        f32x4 right[COLUMNS / LANES];
#pragma unroll
        for (u32 v = 0; v < vectors; v++) right[v] = load(panel + v * LANES);
#pragma unroll
        for (u32 r = 0; r < rows; r++) {
            f32x4 factor = load_splat(a + r);
#pragma unroll
            for (u32 v = 0; v < vectors; v++) sum[r][v] = add(sum[r][v], mul(factor, right[v]));
        }
        a += a_step;
        panel += COLUMNS;
    }
#pragma unroll
    for (u32 r = 0; r < rows; r++)
#pragma unroll
        for (u32 v = 0; v < vectors; v++) {
            float *place = out + (row + r) * n + v * LANES;
            if ((v + 1) * LANES <= width) store(place, sum[r][v]);
            else store_tail(place, sum[r][v], width - v * LANES);
        }
}

INLINE void tile_of_rows(const u32 rows, float *out, u32 width, u32 n, Left left, u32 row,
                         const float *panel) {
    if (width == COLUMNS) tile(rows, 2, out, COLUMNS, n, left, row, panel);
    else if (width > LANES) tile(rows, 2, out, width, n, left, row, panel);
    else tile(rows, 1, out, width, n, left, row, panel);
}

// One panel of `width` columns against all rows: whole tiles, then the ragged end.
static void panel_product(float *out, u32 width, u32 n, Left left, const float *panel) {
    u32 row = 0;
    for (; row + ROWS <= left.m; row += ROWS)
        tile_of_rows(ROWS, out, width, n, left, row, panel);
    switch (left.m - row) {
        case 3: tile_of_rows(3, out, width, n, left, row, panel); break;
        case 2: tile_of_rows(2, out, width, n, left, row, panel); break;
        case 1: tile_of_rows(1, out, width, n, left, row, panel); break;
    }
}

static Left pack_all_rows(float *packed, const float *a, u32 m, u32 k) {
    for (u32 row = 0; row < m; row += ROWS)
        pack_rows(packed + row * k, a + row * k, smaller(ROWS, m - row), k);
    return (Left){packed, m, k, 1};
}

// scratch: one panel (k * 8), then a packed (m * k)
void op_matmul_nn(float *out, const float *a, const float *b, float *scratch, u32 m, u32 k, u32 n) {
    Left left = pack_all_rows(scratch + k * COLUMNS, a, m, k);
    for (u32 column = 0; column < n; column += COLUMNS) {
        u32 width = smaller(COLUMNS, n - column);
        pack_columns(scratch, b + column, width, k, n);
        panel_product(out + column, width, n, left, scratch);
    }
}

// scratch: one panel (k * 8), then a packed (m * k)
void op_matmul_nt(float *out, const float *a, const float *b, float *scratch, u32 m, u32 k, u32 n) {
    Left left = pack_all_rows(scratch + k * COLUMNS, a, m, k);
    for (u32 column = 0; column < n; column += COLUMNS) {
        u32 width = smaller(COLUMNS, n - column);
        pack_columns_transposed(scratch, b + column * k, width, k);
        panel_product(out + column, width, n, left, scratch);
    }
}

// scratch: one panel (k * 8); four rows of a transposed already lie side by side
void op_matmul_tn(float *out, const float *a, const float *b, float *scratch, u32 k, u32 m, u32 n) {
    Left left = {a, m, k, 0};
    for (u32 column = 0; column < n; column += COLUMNS) {
        u32 width = smaller(COLUMNS, n - column);
        pack_columns(scratch, b + column, width, k, n);
        panel_product(out + column, width, n, left, scratch);
    }
}
