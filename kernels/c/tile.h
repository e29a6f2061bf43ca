// The tile of a product: a few rows times a few columns of running sums that stay in registers
// while k advances. It is what matrix products and convolutions have in common; they differ in how
// they bring their operands before it.
//
// Each element of out is ONE chain of sums over k in ascending order from +0.0, multiply and add
// apart. Blocking decides only which chains run side by side; where it cuts k, the sums wait in out
// and are taken up again, which loses nothing.
#pragma once

#include "kernels.h"

// Two vectors in each of four rows: eight sums, their six factors and one product leave one of the
// sixteen vector registers of x86-64 free. Each step is six loads for eight multiplications and
// additions, and the loads keep pace.
enum { ROWS = 4, COLUMNS = 8 };

// What stays in which cache: ROWS by DEPTH factors, in all lanes, and a panel of DEPTH by COLUMNS
// stay in the first one (24 KB), DEPTH by BREADTH of the right operand in the second (512 KB).
enum { DEPTH = 256, BREADTH = 512 };

// Some rows of the left operand: row r at step s is at data[r * row_step + s * step], or, where
// it is packed, in all lanes at data[(s * rows + r) * FACTOR_FLOATS].
typedef struct {
    const float *data;
    u32 row_step, step;
    int is_packed;
} Left;

// Panels of COLUMNS columns of the right operand: column c of panel p at step s is at
// data[p * panel_step + s * step + c].
typedef struct {
    const float *data;
    u32 panel_step, step;
} Right;

// out (rows, columns), its rows out_step apart, = or += left (rows, k) times right (k, columns),
// where rows is at most ROWS.
void strip_product(float *out, u32 out_step, Left left, u32 rows, Right right, u32 columns, u32 k,
                   int adds);

// What is done to a strip when its sums are complete, while it lies in the first cache: out (rows,
// columns), its rows out_step apart, = activation(out + bias (columns)). The numbers of activations
// are their places in ACTIVATIONS of kernels/ops/products.py.
void finish_strip(float *out, u32 out_step, u32 rows, u32 columns, const float *bias,
                  u32 activation);

// An operand in memory: element (i, j) is at data[i * step + j], or at data[j * step + i] where it
// is given transposed.
typedef struct {
    const float *data;
    u32 step;
    int is_turned;
} Matrix;

// out (m, n), its rows out_step apart, = or += a (m, k) times b (k, n), the operands wherever they
// lie. scratch: ROWS rows of a, each number as a factor, and the panels of b, for one block.
void product(float *out, u32 out_step, Matrix a, Matrix b, float *scratch, u32 m, u32 k, u32 n,
             int adds);

// What follows a complete sum; nothing without a bias.
typedef struct {
    const float *bias;
    u32 activation;
} End;

void ended_product(float *out, u32 out_step, Matrix a, Matrix b, float *scratch, u32 m, u32 k,
                   u32 n, int adds, End end);

// Columns `from` to `to` of b in panels, k steps deep, one after the other; what fills up the last
// panel is zero.
Right pack_panels(float *place, Matrix b, u32 from, u32 to, u32 k);
