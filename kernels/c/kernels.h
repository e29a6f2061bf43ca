// What every file of kernels shares. A kernel `op_<name>` is described where it is defined; its row
// in kernels/ops says which shapes it takes, what it computes (in NumPy) and what its gradient is.
#pragma once

#include "philox.h"
#include "simd.h"
#include "table.h"  // the prototypes, written by build.py from the table

INLINE u32 smaller(u32 a, u32 b) { return a < b ? a : b; }
