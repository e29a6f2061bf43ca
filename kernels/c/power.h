// Powers and the cosine in double precision, from multiplication and addition alone, so that every
// machine finds the same.
#pragma once

#include "simd.h"

// base^exponent by squaring
INLINE double power(double base, u32 exponent) {
    double result = 1.0;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

// cos(pi * x) for x from 0 to 1: the sine of pi * (1/2 - x) by its series, whose last term is below
// 1e-15
INLINE double half_turn_cosine(double x) {
    double angle = 3.14159265358979323846 * (0.5 - x), sum = angle, term = angle;
    for (u32 k = 2; k < 20; k += 2) {
        term *= -angle * angle / (k * (k + 1));
        sum += term;
    }
    return sum;
}
