// Matrix products. out is (m, n) and k is the length of the sums; a and b come as they are or
// transposed:
//   nn: a (m, k), b (k, n)    nt: a (m, k), b (n, k)    tn: a (k, m), b (k, n)
//
// The plain triple loop is the law, and the tests hold the kernel to it exactly; tile.h says why
// that costs nothing.
//
// Operands are first copied into the order in which the tile reads them ("packed"), a block of b at
// a time and four rows of a at a time. Where few columns of b, or few rows of a, would read the
// copy of the other, it does not pay, and the tile reads the operand where it lies.

#include "tile.h"

// Measured. Rows of b lie too far apart where they touch more pages than the processor remembers.
enum { FEW_COLUMNS = 64, FEW_ROWS = 8, SOME_ROWS = 256, NEAR_FLOATS = 1 << 17 };

// LANES rows of a matrix, `step` apart, as columns: place[j * stride + row].
INLINE void turn_rows(float *place, u32 stride, const float *a, u32 step, u32 columns) {
    u32 j = 0;
    for (; j + LANES <= columns; j += LANES)
        store_transposed(place + j * stride, stride, load(a + j), load(a + step + j),
                         load(a + 2 * step + j), load(a + 3 * step + j));
    for (; j < columns; j++)
        for (u32 row = 0; row < LANES; row++) place[j * stride + row] = a[row * step + j];
}

// `rows` rows of a, at most ROWS, k steps long, each number as a factor.
static void pack_rows(float *place, const float *a, u32 a_step, u32 rows, u32 k) {
    u32 stride = rows * FACTOR_FLOATS;
    for (u32 r = 0; r < rows; r++, a += a_step) {
        float *to = place + r * FACTOR_FLOATS;
        u32 s = 0;
        for (; s + LANES <= k; s += LANES, to += LANES * stride)
            store_factors(to, stride, load(a + s));
        for (; s < k; s++, to += stride) store_factor(to, a[s]);
    }
}

// The same of a given transposed.
static void pack_columns(float *place, const float *a, u32 a_step, u32 rows, u32 k) {
    for (u32 s = 0; s < k; s++, place += rows * FACTOR_FLOATS, a += a_step)
        if (rows == LANES) store_factors(place, FACTOR_FLOATS, load(a));
        else for (u32 r = 0; r < rows; r++) store_factor(place + r * FACTOR_FLOATS, a[r]);
}

// `rows` rows of a from its corner on, as the tile wants them for n columns.
static Left left_rows(float *place, Matrix a, u32 rows, u32 k, u32 n) {
    if (n <= FEW_COLUMNS)
        return a.is_turned ? (Left){a.data, 1, a.step, 0} : (Left){a.data, a.step, 1, 0};
    if (a.is_turned) pack_columns(place, a.data, a.step, rows, k);
    else pack_rows(place, a.data, a.step, rows, k);
    return (Left){place, 0, 0, 1};
}

// A panel of b: `width` columns exist, the others are zero.
static void pack_panel(float *panel, Matrix b, u32 width, u32 k) {
    if (width < COLUMNS) clear_row(panel, k * COLUMNS);
    if (b.is_turned && width == COLUMNS) {
        for (u32 c = 0; c < COLUMNS; c += LANES)
            turn_rows(panel + c, COLUMNS, b.data + c * b.step, b.step, k);
    } else if (b.is_turned) {
        for (u32 c = 0; c < width; c++)
            for (u32 s = 0; s < k; s++) panel[s * COLUMNS + c] = b.data[c * b.step + s];
    } else if (width == COLUMNS) {
        for (u32 s = 0; s < k; s++)
            for (u32 c = 0; c < COLUMNS; c += LANES)
                store(panel + s * COLUMNS + c, load(b.data + s * b.step + c));
    } else {
        for (u32 s = 0; s < k; s++)
            for (u32 c = 0; c < width; c++) panel[s * COLUMNS + c] = b.data[s * b.step + c];
    }
}

// An operand from (i, j) on.
static Matrix corner(Matrix whole, u32 i, u32 j) {
    u32 offset = whole.is_turned ? j * whole.step + i : i * whole.step + j;
    return (Matrix){whole.data + offset, whole.step, whole.is_turned};
}

Right pack_panels(float *place, Matrix b, u32 from, u32 to, u32 k) {
    for (u32 c = from; c < to; c += COLUMNS)
        pack_panel(place + (c - from) * k, corner(b, 0, c), smaller(to - c, COLUMNS), k);
    return (Right){place, COLUMNS * k, COLUMNS};
}

// out (n) += `count` numbers of a, a_step apart, times rows of b (count, n), one after the other
INLINE void add_rows(const u32 count, float *out, const float *a, u32 a_step, const float *b,
                     u32 b_step, u32 n) {
    f32x4 factor[8];
#pragma unroll
    for (u32 s = 0; s < count; s++) factor[s] = splat_from(a + s * a_step);
    u32 i = 0;
    for (; i + LANES <= n; i += LANES) {
        f32x4 sum = load(out + i);
#pragma unroll
        for (u32 s = 0; s < count; s++) sum = add(sum, mul(factor[s], load(b + s * b_step + i)));
        store(out + i, sum);
    }
    for (; i < n; i++)
        for (u32 s = 0; s < count; s++) out[i] += a[s * a_step] * b[s * b_step + i];
}

// A single row of out: b is read once, so what counts is to read it in the order in which it lies,
// while the sums wait in the first cache.
static void row_product(float *out, Matrix a, Matrix b, u32 k, u32 n, int adds) {
    u32 s = 0, a_step = a.is_turned ? a.step : 1;
    if (!adds) clear_row(out, n);
    for (; s + 8 <= k; s += 8)
        add_rows(8, out, a.data + s * a_step, a_step, b.data + s * b.step, b.step, n);
    for (; s < k; s++)
        add_rows(1, out, a.data + s * a_step, a_step, b.data + s * b.step, b.step, n);
}

// One block of k: out (m, n), its rows out_step apart, = or += a (m, k) times b (k, n), where k is
// at most DEPTH and n at most BREADTH. Of a b that is not packed the last, narrow panel is, since
// the tile reads whole panels.
static void block_product(float *out, u32 out_step, Matrix a, Matrix b, float *scratch, u32 m,
                          u32 k, u32 n, int adds, End end) {
    if (m == 1 && !b.is_turned) {
        row_product(out, a, b, k, n, adds);
        if (end.bias) finish_strip(out, out_step, 1, n, end.bias, end.activation);
        return;
    }
    float *packed = scratch + ROWS * FACTOR_FLOATS * k;
    int is_near = m <= FEW_ROWS || (m <= SOME_ROWS && k * b.step <= NEAR_FLOATS);
    u32 in_place = is_near && !b.is_turned ? n / COLUMNS * COLUMNS : 0;
    Right here = {b.data, COLUMNS, b.step}, copied = pack_panels(packed, b, in_place, n, k);
    for (u32 row = 0; row < m; row += ROWS, out += ROWS * out_step) {
        u32 rows = smaller(m - row, ROWS);
        Left left = left_rows(scratch, corner(a, row, 0), rows, k, n);
        if (in_place) strip_product(out, out_step, left, rows, here, in_place, k, adds);
        if (in_place < n)
            strip_product(out + in_place, out_step, left, rows, copied, n - in_place, k, adds);
        if (end.bias) finish_strip(out, out_step, rows, n, end.bias, end.activation);
    }
}

void ended_product(float *out, u32 out_step, Matrix a, Matrix b, float *scratch, u32 m, u32 k,
                   u32 n, int adds, End end) {
    for (u32 step = 0; step < k; step += DEPTH)
        for (u32 column = 0; column < n; column += BREADTH) {
            int is_complete = end.bias && step + DEPTH >= k;
            End block_end = {is_complete ? end.bias + column : 0, end.activation};
            block_product(out + column, out_step, corner(a, 0, step), corner(b, step, column),
                          scratch, m, smaller(k - step, DEPTH), smaller(n - column, BREADTH),
                          adds || step > 0, block_end);
        }
}

void product(float *out, u32 out_step, Matrix a, Matrix b, float *scratch, u32 m, u32 k, u32 n,
             int adds) {
    ended_product(out, out_step, a, b, scratch, m, k, n, adds, (End){0, 0});
}

void op_matmul_nn(float *out, const float *a, const float *b, float *scratch, u32 m, u32 k, u32 n) {
    product(out, n, (Matrix){a, k, 0}, (Matrix){b, n, 0}, scratch, m, k, n, 0);
}

void op_matmul_nt(float *out, const float *a, const float *b, float *scratch, u32 m, u32 k, u32 n) {
    product(out, n, (Matrix){a, k, 0}, (Matrix){b, k, 1}, scratch, m, k, n, 0);
}

void op_matmul_tn(float *out, const float *a, const float *b, float *scratch, u32 k, u32 m, u32 n) {
    product(out, n, (Matrix){a, m, 1}, (Matrix){b, n, 0}, scratch, m, k, n, 0);
}

// out (m, n) = activation(x (m, k) times w (k, n) + bias (n) in every row)
void op_dense(float *out, const float *x, const float *w, const float *bias, float *scratch, u32 m,
              u32 k, u32 n, u32 activation) {
    ended_product(out, n, (Matrix){x, k, 0}, (Matrix){w, n, 0}, scratch, m, k, n, 0,
                  (End){bias, activation});
}
