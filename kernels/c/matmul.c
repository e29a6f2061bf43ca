// Matrix products. out is (m, n) and k is the length of the sums; a and b come as they are or transposed:
//   nn: a (m, k), b (k, n)    nt: a (m, k), b (n, k)    tn: a (k, m), b (k, n)
//
// Each element of out is ONE chain of sums over k in ascending order, multiply and add apart. Blocking decides only
// which chains run side by side, so it cannot change a bit: the plain triple loop is the law, and the tests hold the
// kernel to it exactly.
//
// The tile is 4 rows by 8 columns: 8 running sums stay in registers while k advances. Both operands are first copied
// into the order in which the tile reads them ("packed"): a into blocks of 4 rows, b into panels of 8 columns; the
// ragged end of b is filled up with zeros, whose columns are computed and not stored.

#include "kernels.h"

enum { ROWS = 4, COLUMNS = 8 };

// A block of `rows` rows of a, k-major: block[step * rows + row].
INLINE void pack_rows(float *block, const float *a, u32 rows, u32 k) {
    for (u32 row = 0; row < rows; row++)
        for (u32 step = 0; step < k; step++) block[step * rows + row] = a[row * k + step];
}

// A panel of COLUMNS columns of b (k, n) from `column` on; `width` of them exist.
INLINE void pack_columns(float *panel, const float *b, u32 width, u32 k, u32 n) {
    if (width == COLUMNS) {
        for (u32 step = 0; step < k; step++) {
            store(panel + step * COLUMNS, load(b + step * n));
            store(panel + step * COLUMNS + LANES, load(b + step * n + LANES));
        }
        return;
    }
    for (u32 step = 0; step < k; step++)
        for (u32 column = 0; column < COLUMNS; column++)
            panel[step * COLUMNS + column] = column < width ? b[step * n + column] : 0.0f;
}

// The same panel of b given transposed, (n, k).
INLINE void pack_columns_transposed(float *panel, const float *b, u32 width, u32 k) {
    for (u32 column = 0; column < COLUMNS; column++)
        for (u32 step = 0; step < k; step++)
            panel[step * COLUMNS + column] = column < width ? b[column * k + step] : 0.0f;
}

// rows and vectors are constants wherever this is inlined, so `sum` lives in registers.
INLINE void tile(const u32 rows, const u32 vectors, float *out, u32 width, u32 n, const float *a, u32 a_step,
                 const float *panel, u32 k) {
    f32x4 sum[ROWS][COLUMNS / LANES];
#pragma unroll
    for (u32 row = 0; row < rows; row++)
#pragma unroll
        for (u32 v = 0; v < vectors; v++) sum[row][v] = splat(0.0f);
    for (u32 step = 0; step < k; step++) {
        f32x4 right[COLUMNS / LANES];
#pragma unroll
        for (u32 v = 0; v < vectors; v++) right[v] = load(panel + v * LANES);
#pragma unroll
        for (u32 row = 0; row < rows; row++) {
            f32x4 left = load_splat(a + row);
#pragma unroll
            for (u32 v = 0; v < vectors; v++) sum[row][v] = add(sum[row][v], mul(left, right[v]));
        }
        a += a_step;
        panel += COLUMNS;
    }
#pragma unroll
    for (u32 row = 0; row < rows; row++)
#pragma unroll
        for (u32 v = 0; v < vectors; v++) {
            float *place = out + row * n + v * LANES;
            if ((v + 1) * LANES <= width) store(place, sum[row][v]);
            else store_tail(place, sum[row][v], width - v * LANES);
        }
}

INLINE void tile_of_rows(const u32 rows, float *out, u32 width, u32 n, const float *a, u32 a_step,
                         const float *panel, u32 k) {
    if (width == COLUMNS) tile(rows, 2, out, COLUMNS, n, a, a_step, panel, k);
    else if (width > LANES) tile(rows, 2, out, width, n, a, a_step, panel, k);
    else tile(rows, 1, out, width, n, a, a_step, panel, k);
}

// One panel against all rows of a. `packed` blocks follow one another; otherwise a is (k, m) and read in place.
static void panel_product(float *out, u32 width, const float *a, int is_packed, const float *panel, u32 m, u32 k,
                          u32 n) {
    u32 row = 0;
    for (; row + ROWS <= m; row += ROWS)
        tile_of_rows(ROWS, out + row * n, width, n, is_packed ? a + row * k : a + row, is_packed ? ROWS : m, panel, k);
    const float *rest = is_packed ? a + row * k : a + row;
    u32 rest_step = is_packed ? m - row : m;
    switch (m - row) {
        case 3: tile_of_rows(3, out + row * n, width, n, rest, rest_step, panel, k); break;
        case 2: tile_of_rows(2, out + row * n, width, n, rest, rest_step, panel, k); break;
        case 1: tile_of_rows(1, out + row * n, width, n, rest, rest_step, panel, k); break;
    }
}

INLINE u32 smaller(u32 a, u32 b) { return a < b ? a : b; }

static void pack_all_rows(float *packed, const float *a, u32 m, u32 k) {
    for (u32 row = 0; row < m; row += ROWS) {
        u32 rows = smaller(ROWS, m - row);
        if (rows == ROWS) pack_rows(packed + row * k, a + row * k, ROWS, k);
        else pack_rows(packed + row * k, a + row * k, rows, k);
    }
}

// scratch: one panel (k * 8), then a packed (m * k)
void matmul_nn(float *out, const float *a, const float *b, float *scratch, u32 m, u32 k, u32 n) {
    float *packed = scratch + k * COLUMNS;
    pack_all_rows(packed, a, m, k);
    for (u32 column = 0; column < n; column += COLUMNS) {
        u32 width = smaller(COLUMNS, n - column);
        pack_columns(scratch, b + column, width, k, n);
        panel_product(out + column, width, packed, 1, scratch, m, k, n);
    }
}

// scratch: one panel (k * 8), then a packed (m * k)
void matmul_nt(float *out, const float *a, const float *b, float *scratch, u32 m, u32 k, u32 n) {
    float *packed = scratch + k * COLUMNS;
    pack_all_rows(packed, a, m, k);
    for (u32 column = 0; column < n; column += COLUMNS) {
        u32 width = smaller(COLUMNS, n - column);
        pack_columns_transposed(scratch, b + column * k, width, k);
        panel_product(out + column, width, packed, 1, scratch, m, k, n);
    }
}

// scratch: one panel (k * 8); four rows of a transposed already lie side by side
void matmul_tn(float *out, const float *a, const float *b, float *scratch, u32 k, u32 m, u32 n) {
    for (u32 column = 0; column < n; column += COLUMNS) {
        u32 width = smaller(COLUMNS, n - column);
        pack_columns(scratch, b + column, width, k, n);
        panel_product(out + column, width, a, 0, scratch, m, k, n);
    }
}
