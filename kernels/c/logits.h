// What the losses of classes share, beside the sums of a row.
#pragma once

#include "sums.h"

// The place of the first number that is as large as the peak; n where the peak is not a number.
INLINE u32 place_of(const float *x, float peak, u32 n) {
    u32 first = 0;
    while (first < n && x[first] != peak) first++;
    return first;
}

INLINE float logarithm(float x) {
    float lanes[LANES];
    store(lanes, log4(splat(x)));
    return lanes[0];
}
