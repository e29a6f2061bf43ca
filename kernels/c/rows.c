// Rows in and out: batches, blocks of rows, statistics of columns. What indexes memory by a number
// found in memory is checked here and traps, since no one can check it beforehand.

#include "kernels.h"

// out (b, c) = the rows of x (n, c) whose turn it is in `order`: batch number step modulo
// steps_per_epoch
void op_gather(float *out, const float *x, const u32 *order, u32 n, u32 c, u32 b,
               u32 steps_per_epoch, u32 step) {
    u64 first = (u64)(step % steps_per_epoch) * b;
    if (first + b > n) __builtin_trap();
    for (u32 i = 0; i < b; i++) copy_row(out + i * c, x + checked(order[first + i], n) * c, c);
}

// out (b, c) = rows first + step * b .. of x (n, c)
void op_take_rows(float *out, const float *x, u32 n, u32 c, u32 b, u32 first, u32 step) {
    u64 start = first + (u64)step * b;
    if (start + b > n) __builtin_trap();
    copy_row(out, x + start * c, b * c);
}

// rows first + step * b .. of out (n, c) = x (b, c)
void op_put_rows(float *x, float *out, u32 b, u32 c, u32 n, u32 first, u32 step) {
    u64 start = first + (u64)step * b;
    if (start + b > n) __builtin_trap();
    copy_row(out + start * c, x, b * c);
}

enum { COLUMNS_ABREAST = 8 };

// mean and scale of `width` columns side by side. width is a constant where this is inlined, so
// that the sums are vectors; each runs down the rows for itself, whatever is beside it.
INLINE void measure(const float *x, float *mean, float *scale, u32 n, u32 c, const u32 width) {
    double total[COLUMNS_ABREAST] = {0}, squares[COLUMNS_ABREAST] = {0}, average[COLUMNS_ABREAST];
    for (u32 row = 0; row < n; row++)
        for (u32 i = 0; i < width; i++) total[i] += x[(u64)row * c + i];
    for (u32 i = 0; i < width; i++) average[i] = total[i] / n;
    for (u32 row = 0; row < n; row++)
        for (u32 i = 0; i < width; i++) {
            double away = x[(u64)row * c + i] - average[i];
            squares[i] += away * away;
        }
    for (u32 i = 0; i < width; i++) {
        float deviation = (float)__builtin_sqrt(squares[i] / n);
        mean[i] = (float)average[i];
        scale[i] = deviation > 0.0f ? deviation : 1.0f;
    }
}

// mean (c) and scale (c) of the columns of x (n, c); scale is the standard deviation (divisor n),
// and 1 for a column that does not vary. Sums run in double precision down the rows, so they are
// the same on every machine.
void op_measure_columns(float *x, float *mean, float *scale, u32 n, u32 c) {
    u32 i = 0;
    for (; i + COLUMNS_ABREAST <= c; i += COLUMNS_ABREAST)
        measure(x + i, mean + i, scale + i, n, c, COLUMNS_ABREAST);
    for (; i < c; i++) measure(x + i, mean + i, scale + i, n, c, 1);
}
