// exp, log and tanh as polynomials, so that every machine rounds them alike.
//
// The coefficients, but those of exp, are from S. Moshier's Cephes library (single precision:
// logf.c, tanhf.c, sinf.c). Each is evaluated by Horner's rule with separate multiply and add. The
// tests hold them to these bounds against double precision over dense ranges: exp 2 ulp, log 2 ulp,
// tanh 3 ulp, sigmoid 4 ulp, and sine to an absolute 1.2e-7 for arguments up to 8,192.
#pragma once

#include "simd.h"

INLINE f32x4 horner(f32x4 sum, f32x4 x, float next) { return add(mul(sum, x), splat(next)); }

// e^x = y * 2^n with y between sqrt(1/2) and sqrt(2). `shifted` holds n in its lowest bits.
typedef struct { f32x4 y, shifted; } Exponential;

INLINE Exponential split_exp4(f32x4 x) {
    // 1.5 * 2^23: adding it rounds to a whole number, to nearest even
    const float shift = 12582912.0f;
    f32x4 shifted = add(mul(x, splat(1.44269504088896341f)), splat(shift));
    f32x4 n = sub(shifted, splat(shift));
    // ln 2 in two parts: n times the first is exact
    f32x4 r = sub(sub(x, mul(n, splat(0.693359375f))), mul(n, splat(-2.12194440e-4f)));
    // 1 + r + r^2 p(r): a minimax fit whose relative error is 3.1e-9, a twentieth of a rounding.
    // That of Cephes has one step more and nothing to show for it.
    f32x4 p = splat(1.3814540580e-3f);
    p = horner(p, r, 8.3687454462e-3f);
    p = horner(p, r, 4.1668388993e-2f);
    p = horner(p, r, 1.6666521132e-1f);
    p = horner(p, r, 4.9999994040e-1f);
    return (Exponential){add(add(mul(p, mul(r, r)), r), splat(1.0f)), shifted};
}

// e^x. Above 88.73 infinity; below -87.34 the result is subnormal and loses bits, below -104 it is
// zero.
INLINE f32x4 exp4(f32x4 x) {
    Exponential e = split_exp4(larger(lesser(x, splat(90.0f)), splat(-105.0f)));
    i32x4 power = sub_i32(bits_of(e.shifted), splat_i32(0x4b400000));
    // 2^n in two factors, since n = 128 has no exponent of its own
    i32x4 half = shift_right(power, 1);
    f32x4 first = float_of(shift_left(add_i32(half, splat_i32(127)), 23));
    f32x4 second = float_of(shift_left(add_i32(sub_i32(power, half), splat_i32(127)), 23));
    return mul(mul(e.y, first), second);
}

// The same bits for x from -87.3 to 88, where 2^n is one factor, and for less work; at -88 zero.
// The shift leaves n alone of the bits of 1.5 * 2^23 + n, and the sum puts it on the exponent of 1.
INLINE f32x4 moderate_exp4(f32x4 x) {
    Exponential e = split_exp4(x);
    i32x4 power = add_i32(shift_left(bits_of(e.shifted), 23), splat_i32(0x3f800000));
    return mul(e.y, float_of(power));
}

// 2^x for x below 126, zero below -126.5: what a softmax adds up. As x - n is exact it takes one
// step less than e^x, and the polynomial is cut in pairs (Estrin) so that its parts need not wait
// for one another. Its own relative error is 2e-9.
INLINE f32x4 power4(f32x4 x) {
    const float shift = 12582912.0f;
    x = larger(x, splat(-127.0f));
    f32x4 shifted = add(x, splat(shift)), r = sub(x, sub(shifted, splat(shift)));
    f32x4 square = mul(r, r);
    f32x4 low = add(splat(6.9314718246e-1f), mul(r, splat(2.4022647738e-1f)));
    f32x4 middle = add(splat(5.5503323674e-2f), mul(r, splat(9.6184369177e-3f)));
    f32x4 high = add(splat(1.3398873853e-3f), mul(r, splat(1.5353361960e-4f)));
    f32x4 p = add(low, mul(square, add(middle, mul(square, high))));
    i32x4 power = add_i32(shift_left(bits_of(shifted), 23), splat_i32(0x3f800000));
    return mul(add(mul(p, r), splat(1.0f)), float_of(power));
}

// The natural logarithm; of zero minus infinity, of a negative number NaN.
INLINE f32x4 log4(f32x4 x) {
    i32x4 is_small = less(x, splat(1.17549435e-38f));
    f32x4 scaled = select(is_small, mul(x, splat(8388608.0f)), x);  // subnormal: times 2^23
    i32x4 bits = bits_of(scaled);
    // x = m * 2^e with m between sqrt(1/2) and sqrt(2)
    i32x4 from_root = sub_i32(bits, splat_i32(0x3f3504f3));
    f32x4 e = convert(shift_right(from_root, 23));
    f32x4 m = float_of(add_i32(and_i32(from_root, splat_i32(0x007fffff)), splat_i32(0x3f3504f3)));
    e = sub(e, select(is_small, splat(23.0f), splat(0.0f)));
    f32x4 f = sub(m, splat(1.0f));
    f32x4 square = mul(f, f);
    f32x4 p = splat(7.0376836292e-2f);
    p = horner(p, f, -1.1514610310e-1f);
    p = horner(p, f, 1.1676998740e-1f);
    p = horner(p, f, -1.2420140846e-1f);
    p = horner(p, f, 1.4249322787e-1f);
    p = horner(p, f, -1.6668057665e-1f);
    p = horner(p, f, 2.0000714765e-1f);
    p = horner(p, f, -2.4999993993e-1f);
    p = horner(p, f, 3.3333331174e-1f);
    f32x4 y = mul(mul(p, f), square);
    y = add(y, mul(e, splat(-2.12194440e-4f)));
    y = sub(y, mul(splat(0.5f), square));
    y = add(add(f, y), mul(e, splat(0.693359375f)));
    y = select(less(splat(0.0f), x), y, splat(-__builtin_inff()));
    y = select(less(x, splat(0.0f)), splat(__builtin_nanf("")), y);
    return select(less(x, splat(__builtin_inff())), y, x);  // infinity and NaN pass through
}

// 1 / (1 + e^-x), for x from `low` on; below it stays at what it is there.
INLINE f32x4 sigmoid_from4(float low, f32x4 x) {
    f32x4 e = moderate_exp4(larger(lesser(negative(x), splat(-low)), splat(-87.3f)));
    return divide(splat(1.0f), add(splat(1.0f), e));
}

// Below -87.3 it stays at 1.2e-38, the least number that processors are quick with.
INLINE f32x4 sigmoid4(f32x4 x) { return sigmoid_from4(-87.3f, x); }

INLINE f32x4 tanh4(f32x4 x) {
    f32x4 size = absolute(x);
    f32x4 e = moderate_exp4(lesser(add(size, size), splat(88.0f)));
    f32x4 large = sub(splat(1.0f), divide(splat(2.0f), add(e, splat(1.0f))));
    i32x4 sign = and_i32(bits_of(x), splat_i32((i32)0x80000000));
    large = float_of(or_i32(bits_of(large), sign));
    f32x4 square = mul(x, x);
    f32x4 p = splat(-5.70498872745e-3f);
    p = horner(p, square, 2.06390887954e-2f);
    p = horner(p, square, -5.37397155531e-2f);
    p = horner(p, square, 1.33314422036e-1f);
    p = horner(p, square, -3.33332819422e-1f);
    f32x4 small = add(mul(mul(p, square), x), x);
    return select(less(size, splat(0.625f)), small, large);
}

// The error function, to an absolute 5e-7: Abramowitz and Stegun (1964), formula 7.1.26.
INLINE f32x4 erf4(f32x4 x) {
    f32x4 size = absolute(x), square = mul(x, x);
    f32x4 t = divide(splat(1.0f), add(splat(1.0f), mul(splat(0.3275911f), size)));
    f32x4 p = splat(1.061405429f);
    p = horner(p, t, -1.453152027f);
    p = horner(p, t, 1.421413741f);
    p = horner(p, t, -0.284496736f);
    p = horner(p, t, 0.254829592f);
    f32x4 rest = mul(mul(p, t), moderate_exp4(negative(lesser(square, splat(87.0f)))));
    i32x4 sign = and_i32(bits_of(x), splat_i32((i32)0x80000000));
    return float_of(or_i32(bits_of(sub(splat(1.0f), rest)), sign));
}

// sin(x + quarters * pi/2): with 0 the sine, with 1 the cosine.
INLINE f32x4 sine4(f32x4 x, i32x4 quarters) {
    const float shift = 12582912.0f;  // 1.5 * 2^23, as in exp4
    f32x4 shifted = add(mul(x, splat(0.636619772367581343f)), splat(shift));
    f32x4 n = sub(shifted, splat(shift));
    quarters = add_i32(quarters, sub_i32(bits_of(shifted), splat_i32(0x4b400000)));
    // pi/2 in three parts: n times each of the first two is exact
    f32x4 r = sub(x, mul(n, splat(1.5703125f)));
    r = sub(sub(r, mul(n, splat(4.837512969970703125e-4f))), mul(n, splat(7.54978995489e-8f)));
    f32x4 square = mul(r, r);
    f32x4 sine = splat(-1.9515295891e-4f);
    sine = horner(sine, square, 8.3321608736e-3f);
    sine = horner(sine, square, -1.6666654611e-1f);
    sine = add(mul(mul(sine, square), r), r);
    f32x4 cosine = splat(2.443315711809948e-5f);
    cosine = horner(cosine, square, -1.388731625493765e-3f);
    cosine = horner(cosine, square, 4.166664568298827e-2f);
    cosine = mul(mul(cosine, square), square);
    cosine = add(sub(cosine, mul(splat(0.5f), square)), splat(1.0f));
    i32x4 is_odd = shift_right(shift_left(quarters, 31), 31);
    i32x4 is_below = shift_right(shift_left(quarters, 30), 31);
    f32x4 y = select(is_odd, cosine, sine);
    return select(is_below, negative(y), y);
}
