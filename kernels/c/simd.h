// Four floats at once: the one place that knows whether the machine has vectors.
//
// Compiled with -msimd128 a vector is one WebAssembly v128; without, it is a struct of four floats
// and each function is a loop over them. Every lane does the same IEEE operations in the same order
// either way, so the two modules agree to the bit. Multiply and add are never fused: that would be
// faster on some machines and different on others.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef signed char i8;
typedef short i16;

enum { LANES = 4 };

#define INLINE static inline __attribute__((always_inline))

#ifdef __wasm_simd128__

#include <wasm_simd128.h>

typedef v128_t f32x4;
typedef v128_t i32x4;
typedef v128_t f64x2;

INLINE f32x4 load(const float *p) { return wasm_v128_load(p); }
INLINE void store(float *p, f32x4 a) { wasm_v128_store(p, a); }
INLINE f32x4 splat(float a) { return wasm_f32x4_splat(a); }
INLINE f32x4 add(f32x4 a, f32x4 b) { return wasm_f32x4_add(a, b); }
INLINE f32x4 sub(f32x4 a, f32x4 b) { return wasm_f32x4_sub(a, b); }
INLINE f32x4 mul(f32x4 a, f32x4 b) { return wasm_f32x4_mul(a, b); }
INLINE f32x4 divide(f32x4 a, f32x4 b) { return wasm_f32x4_div(a, b); }
INLINE f32x4 square_root(f32x4 a) { return wasm_f32x4_sqrt(a); }
INLINE f32x4 absolute(f32x4 a) { return wasm_f32x4_abs(a); }
INLINE i32x4 equal(f32x4 a, f32x4 b) { return wasm_f32x4_eq(a, b); }
INLINE f32x4 negative(f32x4 a) { return wasm_f32x4_neg(a); }
// All ones where a < b, else all zeros; where either is NaN: zeros.
INLINE i32x4 less(f32x4 a, f32x4 b) { return wasm_f32x4_lt(a, b); }
// The other one only where it is larger, or smaller, than a: so a NaN in a stays.
INLINE f32x4 larger(f32x4 a, f32x4 b) { return wasm_f32x4_pmax(a, b); }
INLINE f32x4 lesser(f32x4 a, f32x4 b) { return wasm_f32x4_pmin(a, b); }
INLINE f32x4 select(i32x4 mask, f32x4 yes, f32x4 no) { return wasm_v128_bitselect(yes, no, mask); }
INLINE i32x4 bits_of(f32x4 a) { return a; }
INLINE f32x4 float_of(i32x4 a) { return a; }
INLINE i32x4 splat_i32(i32 a) { return wasm_i32x4_splat(a); }
INLINE i32x4 ascending(void) { return wasm_i32x4_const(0, 1, 2, 3); }
INLINE i32x4 add_i32(i32x4 a, i32x4 b) { return wasm_i32x4_add(a, b); }
INLINE i32x4 sub_i32(i32x4 a, i32x4 b) { return wasm_i32x4_sub(a, b); }
INLINE i32x4 is_nan(f32x4 a) { return wasm_f32x4_ne(a, a); }
INLINE i32x4 equal_i32(i32x4 a, i32x4 b) { return wasm_i32x4_eq(a, b); }
INLINE i32x4 either(i32x4 a, i32x4 b) { return wasm_v128_or(a, b); }
INLINE int is_any(i32x4 mask) { return wasm_v128_any_true(mask); }
INLINE float first_lane(f32x4 a) { return wasm_f32x4_extract_lane(a, 0); }
// (1, 0, 3, 2) and (2, 3, 0, 1)
INLINE f32x4 swap_neighbours(f32x4 a) { return wasm_i32x4_shuffle(a, a, 1, 0, 3, 2); }
INLINE f32x4 swap_halves(f32x4 a) { return wasm_i32x4_shuffle(a, a, 2, 3, 0, 1); }
INLINE i32x4 and_i32(i32x4 a, i32x4 b) { return wasm_v128_and(a, b); }
INLINE i32x4 or_i32(i32x4 a, i32x4 b) { return wasm_v128_or(a, b); }
INLINE i32x4 shift_left(i32x4 a, u32 n) { return wasm_i32x4_shl(a, n); }
INLINE i32x4 shift_right(i32x4 a, u32 n) { return wasm_i32x4_shr(a, n); }
INLINE f32x4 convert(i32x4 a) { return wasm_f32x4_convert_i32x4(a); }
// Four rows of four become columns: (a[i], b[i], c[i], d[i]) at p + i * stride.
INLINE void store_transposed(float *p, u32 stride, f32x4 a, f32x4 b, f32x4 c, f32x4 d) {
    f32x4 ab_low = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5);
    f32x4 ab_high = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
    f32x4 cd_low = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5);
    f32x4 cd_high = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
    store(p, wasm_i32x4_shuffle(ab_low, cd_low, 0, 1, 4, 5));
    store(p + stride, wasm_i32x4_shuffle(ab_low, cd_low, 2, 3, 6, 7));
    store(p + 2 * stride, wasm_i32x4_shuffle(ab_high, cd_high, 0, 1, 4, 5));
    store(p + 3 * stride, wasm_i32x4_shuffle(ab_high, cd_high, 2, 3, 6, 7));
}
// Two numbers in double precision: of the first and of the last two lanes.
INLINE f64x2 widen_first(f32x4 a) { return wasm_f64x2_promote_low_f32x4(a); }
INLINE f64x2 widen_last(f32x4 a) { return widen_first(swap_halves(a)); }
INLINE f64x2 splat_f64(double a) { return wasm_f64x2_splat(a); }
INLINE f64x2 add_f64(f64x2 a, f64x2 b) { return wasm_f64x2_add(a, b); }
INLINE f64x2 sub_f64(f64x2 a, f64x2 b) { return wasm_f64x2_sub(a, b); }
INLINE f64x2 mul_f64(f64x2 a, f64x2 b) { return wasm_f64x2_mul(a, b); }
INLINE void store_f64(double *p, f64x2 a) { wasm_v128_store(p, a); }
// Four numbers rounded to single precision.
INLINE f32x4 narrow(f64x2 first, f64x2 last) {
    f32x4 a = wasm_f32x4_demote_f64x2_zero(first), b = wasm_f32x4_demote_f64x2_zero(last);
    return wasm_i32x4_shuffle(a, b, 0, 1, 4, 5);
}
INLINE i32x4 exclusive(i32x4 a, i32x4 b) { return wasm_v128_xor(a, b); }
INLINE i32x4 drop_bits(i32x4 a, u32 n) { return wasm_u32x4_shr(a, n); }  // a has no sign
// Products of whole numbers without sign: their lower and their upper 32 bits.
// The compiler may not see that a is a constant: it would take the product of 64-bit lanes for it,
// which most processors do in many steps.
INLINE void multiply_wide(i32x4 a, i32x4 b, i32x4 *low, i32x4 *high) {
    __asm__("" : "+r"(a));
    v128_t first = wasm_u64x2_extmul_low_u32x4(a, b), last = wasm_u64x2_extmul_high_u32x4(a, b);
    *low = wasm_i32x4_shuffle(first, last, 0, 2, 4, 6);
    *high = wasm_i32x4_shuffle(first, last, 1, 3, 5, 7);
}
// One number in all lanes. The compiler may not see that it comes from memory: it would take
// load32_splat, which the engine turns into a detour through a general register.
INLINE f32x4 splat_from(const float *p) {
    float a = *p;
    __asm__("" : "+r"(a));
    return splat(a);
}

// How many vectors of running sums fit the registers.
enum { SUM_VECTORS = 8 };

// A factor in memory as a product wants it: in all lanes already, since then it is one load.
enum { FACTOR_FLOATS = LANES };
INLINE f32x4 load_factor(const float *p) { return load(p); }
INLINE void store_factor(float *p, float a) { store(p, splat(a)); }
INLINE void store_factors(float *p, u32 stride, f32x4 a) {
    store(p, wasm_i32x4_shuffle(a, a, 0, 0, 0, 0));
    store(p + stride, wasm_i32x4_shuffle(a, a, 1, 1, 1, 1));
    store(p + 2 * stride, wasm_i32x4_shuffle(a, a, 2, 2, 2, 2));
    store(p + 3 * stride, wasm_i32x4_shuffle(a, a, 3, 3, 3, 3));
}

#else

typedef struct { float lane[LANES]; } f32x4;
typedef struct { i32 lane[LANES]; } i32x4;
typedef struct { double lane[2]; } f64x2;

INLINE i32 float_bits(float a) { i32 b; __builtin_memcpy(&b, &a, 4); return b; }
INLINE float bits_float(i32 a) { float b; __builtin_memcpy(&b, &a, 4); return b; }

#define EACH(type, expression) \
    type out; \
    for (u32 i = 0; i < LANES; i++) out.lane[i] = (expression); \
    return out
INLINE f32x4 load(const float *p) { EACH(f32x4, p[i]); }
INLINE void store(float *p, f32x4 a) { for (u32 i = 0; i < LANES; i++) p[i] = a.lane[i]; }
INLINE f32x4 splat(float a) { EACH(f32x4, a); }
INLINE f32x4 add(f32x4 a, f32x4 b) { EACH(f32x4, a.lane[i] + b.lane[i]); }
INLINE f32x4 sub(f32x4 a, f32x4 b) { EACH(f32x4, a.lane[i] - b.lane[i]); }
INLINE f32x4 mul(f32x4 a, f32x4 b) { EACH(f32x4, a.lane[i] * b.lane[i]); }
INLINE f32x4 divide(f32x4 a, f32x4 b) { EACH(f32x4, a.lane[i] / b.lane[i]); }
INLINE f32x4 square_root(f32x4 a) { EACH(f32x4, __builtin_sqrtf(a.lane[i])); }
INLINE f32x4 absolute(f32x4 a) { EACH(f32x4, __builtin_fabsf(a.lane[i])); }
INLINE i32x4 equal(f32x4 a, f32x4 b) { EACH(i32x4, a.lane[i] == b.lane[i] ? -1 : 0); }
INLINE f32x4 negative(f32x4 a) { EACH(f32x4, -a.lane[i]); }
INLINE i32x4 less(f32x4 a, f32x4 b) { EACH(i32x4, a.lane[i] < b.lane[i] ? -1 : 0); }
INLINE f32x4 larger(f32x4 a, f32x4 b) {
    EACH(f32x4, a.lane[i] < b.lane[i] ? b.lane[i] : a.lane[i]);
}
INLINE f32x4 lesser(f32x4 a, f32x4 b) {
    EACH(f32x4, b.lane[i] < a.lane[i] ? b.lane[i] : a.lane[i]);
}
INLINE f32x4 select(i32x4 mask, f32x4 yes, f32x4 no) {
    EACH(f32x4, mask.lane[i] ? yes.lane[i] : no.lane[i]);
}
INLINE i32x4 bits_of(f32x4 a) { EACH(i32x4, float_bits(a.lane[i])); }
INLINE f32x4 float_of(i32x4 a) { EACH(f32x4, bits_float(a.lane[i])); }
INLINE i32x4 splat_i32(i32 a) { EACH(i32x4, a); }
INLINE i32x4 ascending(void) { EACH(i32x4, (i32)i); }
INLINE i32x4 add_i32(i32x4 a, i32x4 b) { EACH(i32x4, (i32)((u32)a.lane[i] + (u32)b.lane[i])); }
INLINE i32x4 sub_i32(i32x4 a, i32x4 b) { EACH(i32x4, (i32)((u32)a.lane[i] - (u32)b.lane[i])); }
INLINE i32x4 is_nan(f32x4 a) { EACH(i32x4, a.lane[i] != a.lane[i] ? -1 : 0); }
INLINE i32x4 equal_i32(i32x4 a, i32x4 b) { EACH(i32x4, a.lane[i] == b.lane[i] ? -1 : 0); }
INLINE i32x4 either(i32x4 a, i32x4 b) { EACH(i32x4, a.lane[i] | b.lane[i]); }
INLINE int is_any(i32x4 mask) {
    return (mask.lane[0] | mask.lane[1] | mask.lane[2] | mask.lane[3]) != 0;
}
INLINE float first_lane(f32x4 a) { return a.lane[0]; }
INLINE f32x4 swap_neighbours(f32x4 a) { EACH(f32x4, a.lane[i ^ 1]); }
INLINE f32x4 swap_halves(f32x4 a) { EACH(f32x4, a.lane[i ^ 2]); }
INLINE i32x4 and_i32(i32x4 a, i32x4 b) { EACH(i32x4, a.lane[i] & b.lane[i]); }
INLINE i32x4 or_i32(i32x4 a, i32x4 b) { EACH(i32x4, a.lane[i] | b.lane[i]); }
INLINE i32x4 shift_left(i32x4 a, u32 n) { EACH(i32x4, (i32)((u32)a.lane[i] << n)); }
INLINE i32x4 shift_right(i32x4 a, u32 n) { EACH(i32x4, a.lane[i] >> n); }
INLINE f32x4 convert(i32x4 a) { EACH(f32x4, (float)a.lane[i]); }
INLINE void store_transposed(float *p, u32 stride, f32x4 a, f32x4 b, f32x4 c, f32x4 d) {
    for (u32 i = 0; i < LANES; i++) {
        p[i * stride] = a.lane[i], p[i * stride + 1] = b.lane[i];
        p[i * stride + 2] = c.lane[i], p[i * stride + 3] = d.lane[i];
    }
}
INLINE f64x2 widen_first(f32x4 a) { return (f64x2){{a.lane[0], a.lane[1]}}; }
INLINE f64x2 widen_last(f32x4 a) { return (f64x2){{a.lane[2], a.lane[3]}}; }
INLINE f64x2 splat_f64(double a) { return (f64x2){{a, a}}; }
INLINE f64x2 add_f64(f64x2 a, f64x2 b) {
    return (f64x2){{a.lane[0] + b.lane[0], a.lane[1] + b.lane[1]}};
}
INLINE f64x2 sub_f64(f64x2 a, f64x2 b) {
    return (f64x2){{a.lane[0] - b.lane[0], a.lane[1] - b.lane[1]}};
}
INLINE f64x2 mul_f64(f64x2 a, f64x2 b) {
    return (f64x2){{a.lane[0] * b.lane[0], a.lane[1] * b.lane[1]}};
}
INLINE void store_f64(double *p, f64x2 a) { p[0] = a.lane[0], p[1] = a.lane[1]; }
INLINE f32x4 narrow(f64x2 first, f64x2 last) {
    EACH(f32x4, (float)(i < 2 ? first.lane[i] : last.lane[i - 2]));
}
INLINE i32x4 exclusive(i32x4 a, i32x4 b) { EACH(i32x4, a.lane[i] ^ b.lane[i]); }
INLINE i32x4 drop_bits(i32x4 a, u32 n) { EACH(i32x4, (i32)((u32)a.lane[i] >> n)); }
INLINE void multiply_wide(i32x4 a, i32x4 b, i32x4 *low, i32x4 *high) {
    for (u32 i = 0; i < LANES; i++) {
        u64 product = (u64)(u32)a.lane[i] * (u32)b.lane[i];
        low->lane[i] = (i32)(u32)product;
        high->lane[i] = (i32)(u32)(product >> 32);
    }
}
INLINE f32x4 splat_from(const float *p) { return splat(*p); }
enum { SUM_VECTORS = 2 };
// Without vectors there are no lanes to fill.
enum { FACTOR_FLOATS = 1 };
INLINE f32x4 load_factor(const float *p) { return splat(*p); }
INLINE void store_factor(float *p, float a) { *p = a; }
INLINE void store_factors(float *p, u32 stride, f32x4 a) {
    for (u32 i = 0; i < LANES; i++) p[i * stride] = a.lane[i];
}
#undef EACH

#endif

// The ragged end of a row: n < LANES floats, the missing lanes are zero and are not stored.
INLINE f32x4 load_tail(const float *p, u32 n) {
    float lanes[LANES] = {0, 0, 0, 0};
    for (u32 i = 0; i < n; i++) lanes[i] = p[i];
    return load(lanes);
}

INLINE void store_tail(float *p, f32x4 a, u32 n) {
    float lanes[LANES];
    store(lanes, a);
    for (u32 i = 0; i < n; i++) p[i] = lanes[i];
}

// Four floats, or as many as are left.
INLINE f32x4 load_some(const float *p, u32 left) {
    return left < LANES ? load_tail(p, left) : load(p);
}

INLINE void store_some(float *p, f32x4 a, u32 left) {
    if (left < LANES) store_tail(p, a, left);
    else store(p, a);
}

// The sum of the four lanes, always ((0 + 1) + (2 + 3)).
INLINE float sum_lanes(f32x4 a) {
    f32x4 pairs = add(a, swap_neighbours(a));
    return first_lane(add(pairs, swap_halves(pairs)));
}

// Eight whole numbers of 16 bits, as products of bytes want them: products and sums of whole
// numbers are exact, so their order is of no matter.
#ifdef __wasm_simd128__

typedef v128_t i16x8;

INLINE f32x4 nearest(f32x4 a) { return wasm_f32x4_nearest(a); }  // ties to even
INLINE i32x4 whole(f32x4 a) { return wasm_i32x4_trunc_sat_f32x4(a); }
INLINE i16x8 load_bytes(const i8 *p) { return wasm_i16x8_load8x8(p); }
// (a0, b0, a1, b1, …) of the lower and of the upper half
INLINE i16x8 zip_low(i16x8 a, i16x8 b) {
    return wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
INLINE i16x8 zip_high(i16x8 a, i16x8 b) {
    return wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
INLINE i16x8 splat_pair(const i16 *p) { return wasm_v128_load32_splat(p); }
// Lane i is a[2i] b[2i] + a[2i + 1] b[2i + 1].
INLINE i32x4 dot(i16x8 a, i16x8 b) { return wasm_i32x4_dot_i16x8(a, b); }
INLINE void store_whole(i32 *p, i32x4 a) { wasm_v128_store(p, a); }
INLINE i32x4 widen_low(i16x8 a) { return wasm_i32x4_extend_low_i16x8(a); }
INLINE i32x4 widen_high(i16x8 a) { return wasm_i32x4_extend_high_i16x8(a); }

#else

typedef struct { i16 lane[2 * LANES]; } i16x8;

#define EACH(type, count, expression) \
    type out; \
    for (u32 i = 0; i < count; i++) out.lane[i] = (expression); \
    return out
INLINE f32x4 nearest(f32x4 a) { EACH(f32x4, LANES, __builtin_rintf(a.lane[i])); }
INLINE i32x4 whole(f32x4 a) {
    EACH(i32x4, LANES, a.lane[i] == a.lane[i] ? (i32)a.lane[i] : 0);
}
INLINE i16x8 load_bytes(const i8 *p) { EACH(i16x8, 2 * LANES, p[i]); }
INLINE i16x8 zip_low(i16x8 a, i16x8 b) {
    EACH(i16x8, 2 * LANES, i & 1 ? b.lane[i / 2] : a.lane[i / 2]);
}
INLINE i16x8 zip_high(i16x8 a, i16x8 b) {
    EACH(i16x8, 2 * LANES, i & 1 ? b.lane[LANES + i / 2] : a.lane[LANES + i / 2]);
}
INLINE i16x8 splat_pair(const i16 *p) { EACH(i16x8, 2 * LANES, p[i & 1]); }
INLINE i32x4 dot(i16x8 a, i16x8 b) {
    EACH(i32x4, LANES,
         a.lane[2 * i] * b.lane[2 * i] + a.lane[2 * i + 1] * b.lane[2 * i + 1]);
}
INLINE void store_whole(i32 *p, i32x4 a) { for (u32 i = 0; i < LANES; i++) p[i] = a.lane[i]; }
INLINE i32x4 widen_low(i16x8 a) { EACH(i32x4, LANES, a.lane[i]); }
INLINE i32x4 widen_high(i16x8 a) { EACH(i32x4, LANES, a.lane[LANES + i]); }
#undef EACH

#endif
