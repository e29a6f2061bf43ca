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

// Of a word its upper 24 bits, as many as a float holds exactly.
INLINE u32 upper24(u32 word) { return word >> 8; }
