// The virtual machine: it runs a tape.
//
// A tape (written and verified by tape.py) is a header, the bounds of its programs and their
// instructions. An instruction is sixteen words: an opcode and its operands in the order of the
// op's signature in ops.py — the address of the output, of the inputs and of the scratch memory
// (bytes from the start of the arena), then sizes, then attributes. The machine trusts the tape,
// because the host verified it; a lie could only reach this module's own memory, which the sandbox
// throws away.

#include "kernels.h"
#include "opcodes.h"  // written by build.py from the table in ops.py

enum { WORDS = 16, HEADER_WORDS = 4 };

typedef struct { u32 opcode, operand[WORDS - 1]; } Instruction;

INLINE float float_from(u32 word) {
    float value;
    __builtin_memcpy(&value, &word, 4);
    return value;
}

// Operands by position: a vector of floats, a vector of words, a plain number, a float.
#define F(i) ((float *)(arena + word[i]))
#define U(i) ((u32 *)(arena + word[i]))
#define N(i) (word[i])
#define X(i) float_from(word[i])
#define STREAM(i) ((Stream){word[i], word[(i) + 1], word[(i) + 2]})

#define UNARY(OP, function) case OP: function(F(0), F(1), N(2)); return 1
#define BINARY(OP, function) case OP: function(F(0), F(1), F(2), N(3)); return 1

// Answers whether to go on: only a loss that is no number says no.
static u32 execute(const Instruction *instruction, u8 *arena, u32 step) {
    const u32 *word = instruction->operand;
    switch (instruction->opcode) {
        case MATMUL_NN: matmul_nn(F(0), F(1), F(2), F(3), N(4), N(5), N(6)); return 1;
        case MATMUL_NT: matmul_nt(F(0), F(1), F(2), F(3), N(4), N(5), N(6)); return 1;
        case MATMUL_TN: matmul_tn(F(0), F(1), F(2), F(3), N(4), N(5), N(6)); return 1;
        case BIAS: bias(F(0), F(1), F(2), N(3), N(4)); return 1;
        case SUM_ROWS: sum_rows(F(0), F(1), N(2), N(3)); return 1;
        BINARY(SUM, sum);
        BINARY(PRODUCT, product);
        BINARY(QUOTIENT, quotient);
        UNARY(RELU, relu);
        UNARY(LEAKY_RELU, leaky_relu);
        UNARY(ELU, elu);
        UNARY(SILU, silu);
        UNARY(GELU, gelu);
        UNARY(SIGMOID, sigmoid);
        UNARY(TANH, hyperbolic_tangent);
        UNARY(EXP, exponential);
        UNARY(LOG, logarithm);
        BINARY(RELU_GRADIENT, relu_gradient);
        BINARY(LEAKY_RELU_GRADIENT, leaky_relu_gradient);
        BINARY(ELU_GRADIENT, elu_gradient);
        BINARY(SILU_GRADIENT, silu_gradient);
        BINARY(GELU_GRADIENT, gelu_gradient);
        BINARY(SIGMOID_GRADIENT, sigmoid_gradient);
        BINARY(TANH_GRADIENT, hyperbolic_tangent_gradient);
        case STANDARDISE: standardise(F(0), F(1), F(2), F(3), N(4), N(5)); return 1;
        case SOFTMAX: softmax(F(0), F(1), N(2), N(3)); return 1;
        case CROSS_ENTROPY: cross_entropy(F(0), F(1), U(2), F(3), N(4), N(5)); return 1;
        case CROSS_ENTROPY_GRADIENT: cross_entropy_gradient(F(0), F(1), U(2), N(3), N(4)); return 1;
        case RECORD: return record(F(0), F(1), F(2), N(3), step);
        case UNIFORM: uniform(F(0), N(1), X(2), STREAM(3)); return 1;
        case DROPOUT: dropout(F(0), F(1), N(2), N(3), X(4), STREAM(5), step); return 1;
        case SHUFFLE: shuffle(U(0), U(1), N(2), N(3), STREAM(4), step); return 1;
        case GATHER: gather(F(0), F(1), U(2), N(3), N(4), N(5), N(6), step); return 1;
        case TAKE_ROWS: take_rows(F(0), F(1), N(2), N(3), N(4), N(5), step); return 1;
        case PUT_ROWS: put_rows(F(0), F(1), N(2), N(3), N(4), N(5), step); return 1;
        case MEASURE_COLUMNS: measure_columns(F(0), F(1), F(2), N(3), N(4)); return 1;
        case ADAM: adam(F(0), F(1), F(2), F(3), N(4), X(5), X(6), X(7), X(8), step); return 1;
        case SGD: sgd(F(0), F(1), F(2), N(3), X(4), X(5)); return 1;
        case LATERAL: lateral(F(0), F(1), N(2), X(3), N(4), STREAM(5), step); return 1;
        default: __builtin_trap();
    }
}

// Steps first .. first + steps - 1 of one program. Answers how many were completed: fewer than
// asked means that the loss of the next one was not a number, and that its parameters were not
// moved.
__attribute__((export_name("run")))
u32 run(const u32 *tape, u32 program, u8 *arena, u32 first, u32 steps) {
    const u32 *bounds = tape + HEADER_WORDS + 2 * program;
    const Instruction *begin = (const Instruction *)tape + bounds[0], *end = begin + bounds[1];
    for (u32 done = 0; done < steps; done++)
        for (const Instruction *instruction = begin; instruction < end; instruction++)
            if (!execute(instruction, arena, first + done)) return done;
    return steps;
}
