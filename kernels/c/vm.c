// The virtual machine: it runs a tape.
//
// A tape (written and verified by tape.py) is a header, the bounds of its programs and their
// instructions. An instruction is an opcode, a mask and its operands in the order of the op's
// signature: the addresses of outputs, sources and scratch memory (bytes from the start of the
// arena), then sizes, then attributes. An operand whose bit is set in the mask is a size for one
// row, and is multiplied by the rows of the call. The machine trusts the tape, because the host
// verified it; a lie could only reach this module's own memory, which the sandbox throws away.

#include "kernels.h"

enum { WORDS = 32, OPERANDS = WORDS - 2, HEADER_WORDS = 5 };

typedef struct { u32 opcode, scaled, operand[OPERANDS]; } Instruction;

INLINE float float_from(u32 word) {
    float value;
    __builtin_memcpy(&value, &word, 4);
    return value;
}

// Operands by position: an address, a whole number, a float, a stream of random numbers.
#define A(i) (arena + word[i])
#define N(i) (word[i])
#define X(i) float_from(word[i])
#define STREAM(i) ((Stream){word[i], word[(i) + 1], word[(i) + 2]})

// Answers how to go on.
static u32 dispatch(u32 opcode, const u32 *word, u8 *arena, u32 step) {
    switch (opcode) {
#include "dispatch.h"  // written by build.py from the table
        default: __builtin_trap();
    }
}

static u32 execute(const Instruction *instruction, u8 *arena, u32 step, u32 rows) {
    u32 mask = instruction->scaled, word[OPERANDS];
    if (!mask) return dispatch(instruction->opcode, instruction->operand, arena, step);
    for (u32 i = 0; i < OPERANDS; i++, mask >>= 1)
        word[i] = instruction->operand[i] * (mask & 1 ? rows : 1);
    return dispatch(instruction->opcode, word, arena, step);
}

// Steps first .. first + steps - 1 of one program, for this many rows. Answers how many were
// completed: fewer than asked means that the loss of the next one was not a number, and that its
// parameters were not moved.
__attribute__((export_name("run")))
u32 run(const u32 *tape, u32 program, u8 *arena, u32 first, u32 steps, u32 rows) {
    if (rows < 1 || rows > tape[4]) __builtin_trap();
    const u32 *bounds = tape + HEADER_WORDS + 2 * program;
    const Instruction *begin = (const Instruction *)tape + bounds[0], *end = begin + bounds[1];
    for (u32 done = 0; done < steps; done++)
        for (const Instruction *instruction = begin; instruction < end; instruction++) {
            u32 answer = execute(instruction, arena, first + done, rows);
            if (answer == STOP) return done;
            if (answer == NEXT_STEP) break;
        }
    return steps;
}
