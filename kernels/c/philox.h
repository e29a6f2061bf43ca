// Philox4x32-10, a counter-based generator: the n-th number is a function of (seed, purpose, step,
// n) and of nothing that happened before, so that a restored or divided computation draws what the
// whole one would have drawn. Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1,
// 2, 3" (SC 2011).
#pragma once

#include "simd.h"

typedef struct { u32 word[4]; } Block;

// Who asks: two purposes never share a number.
typedef struct { u32 seed_low, seed_high, purpose; } Stream;

INLINE Block philox(Block counter, u32 key_low, u32 key_high) {
    for (u32 round = 0; round < 10; round++) {
        u64 first = 0xD2511F53ull * counter.word[0];
        u64 second = 0xCD9E8D57ull * counter.word[2];
        counter = (Block){{
            (u32)(second >> 32) ^ counter.word[1] ^ key_low, (u32)second,
            (u32)(first >> 32) ^ counter.word[3] ^ key_high, (u32)first,
        }};
        key_low += 0x9E3779B9;
        key_high += 0xBB67AE85;
    }
    return counter;
}

// Words 4*index .. 4*index + 3 of the stream at this step.
INLINE Block draw(Stream stream, u32 step, u32 index) {
    return philox((Block){{index, step, stream.purpose, 0}}, stream.seed_low, stream.seed_high);
}

// Four blocks at once: word[w] holds word w of each.
typedef struct { i32x4 word[4]; } Blocks;

INLINE Blocks draw_at(Stream stream, u32 step, i32x4 indices) {
    i32x4 c0 = indices, c1 = splat_i32((i32)step);
    i32x4 c2 = splat_i32((i32)stream.purpose), c3 = splat_i32(0);
    i32x4 left = splat_i32((i32)0xD2511F53), right = splat_i32((i32)0xCD9E8D57);
    u32 key_low = stream.seed_low, key_high = stream.seed_high;
#pragma unroll
    for (u32 round = 0; round < 10; round++) {
        i32x4 first_low, first_high, second_low, second_high;
        multiply_wide(left, c0, &first_low, &first_high);
        multiply_wide(right, c2, &second_low, &second_high);
        c0 = exclusive(exclusive(second_high, c1), splat_i32((i32)key_low));
        c2 = exclusive(exclusive(first_high, c3), splat_i32((i32)key_high));
        c1 = second_low;
        c3 = first_low;
        key_low += 0x9E3779B9;
        key_high += 0xBB67AE85;
    }
    return (Blocks){{c0, c1, c2, c3}};
}

// Those of index first .. first + 3.
INLINE Blocks draw4(Stream stream, u32 step, u32 first) {
    return draw_at(stream, step, add_i32(splat_i32((i32)first), ascending()));
}

// Of four words their upper 24 bits, as floats: as many as a float holds exactly.
INLINE f32x4 upper24_4(i32x4 words) { return convert(drop_bits(words, 8)); }

// 16 numbers in the order of the stream, from block `first` on: of each word its upper 24 bits.
INLINE void draw16(float *out, Stream stream, u32 step, u32 first) {
    Blocks found = draw4(stream, step, first);
    store_transposed(out, LANES, upper24_4(found.word[0]), upper24_4(found.word[1]),
                     upper24_4(found.word[2]), upper24_4(found.word[3]));
}
