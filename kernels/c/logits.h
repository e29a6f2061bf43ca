// What the losses of classes share, beside the sums of a row.
#pragma once

#include "sums.h"

// The place of the first number that is as large as the peak; n where the peak is not a number.
INLINE u32 place_of(const float *x, float peak, u32 n) {
    u32 first = 0;
    while (first + LANES <= n && !is_any(equal(load(x + first), splat(peak)))) first += LANES;
    while (first < n && x[first] != peak) first++;
    return first;
}

// Whether the peak is at the label, and nowhere before it.
INLINE int is_first_peak(const float *x, float peak, u32 label) {
    return x[label] == peak && place_of(x, peak, label) == label;
}

// Of some rows their largest numbers, the sums of exp(x - peak), and the logarithms of the sums.
typedef struct { float peak[LANES], total[LANES], log[LANES]; } Logits;

// x (rows, n); its rows, LANES or one, take their logarithms at once. With `shares` (rows, n) it
// keeps exp(x - peak). rows is a constant wherever this is inlined: then all is in registers.
INLINE Logits logits_of(const u32 rows, float *shares, const float *x, u32 n) {
    Logits found = {{0}, {1.0f, 1.0f, 1.0f, 1.0f}, {0}};
#pragma unroll
    for (u32 r = 0; r < rows; r++) {
        float peak = largest(x + r * n, n);
        found.peak[r] = peak;
        found.total[r] = shares ? exponentials(shares + r * n, x + r * n, 1.0f, peak, n)
                                : sum_of_exponentials(x + r * n, peak, n);
    }
    store(found.log, log4(load(found.total)));
    return found;
}
