// What every file of kernels shares. A kernel `op_<name>` is described where it is defined; its row
// in kernels/ops says which shapes it takes, what it computes (in NumPy) and what its gradient is.
#pragma once

#include "philox.h"
#include "simd.h"
#include "table.h"  // the prototypes, written by build.py from the table

// What a kernel that decides answers: a loss is not a number; all is well; the rest of this step is
// not wanted.
enum { STOP = 0, GO_ON = 1, NEXT_STEP = 2 };

INLINE u32 smaller(u32 a, u32 b) { return a < b ? a : b; }

INLINE void copy_row(float *out, const float *in, u32 n) {
    u32 i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
        for (u32 v = 0; v < 4; v++) store(out + i + v * LANES, load(in + i + v * LANES));
    for (; i + LANES <= n; i += LANES) store(out + i, load(in + i));
    for (; i < n; i++) out[i] = in[i];
}

INLINE void clear_row(float *out, u32 n) {
    u32 i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
        for (u32 v = 0; v < 4; v++) store(out + i + v * LANES, splat(0.0f));
    for (; i + LANES <= n; i += LANES) store(out + i, splat(0.0f));
    for (; i < n; i++) out[i] = 0.0f;
}

// out (n) = x (n) * factor
INLINE void scale_row(float *out, const float *x, u32 n, float factor) {
    u32 i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
        for (u32 v = 0; v < 4; v++)
            store(out + i + v * LANES, mul(load(x + i + v * LANES), splat(factor)));
    for (; i < n; i++) out[i] = x[i] * factor;
}

// A number found in memory that is about to index memory: no one could check it beforehand.
INLINE u32 checked(u32 index, u32 bound) {
    if (index >= bound) __builtin_trap();
    return index;
}
