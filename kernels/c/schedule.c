// The learning rate of a step: a function of the step's number and of a factor that the host sets
// between epochs, so that a restored run finds the same.

#include "kernels.h"
#include "power.h"

// rate (1) = base * factor (1), rising in a line over the first warmup_steps; times decay once
// every `every_steps`; times (1 + cos(pi * x)) / 2, where x goes from 0 after the warm-up to 1 at
// cosine_steps (Loshchilov and Hutter, "SGDR", 2017). Zero steps say that a part is not wanted. In
// double precision, rounded once.
void op_schedule(float *rate, float *factor, float base, float decay, u32 warmup_steps,
                 u32 every_steps, u32 cosine_steps, u32 step) {
    double found = (double)base * *factor;
    if (step < warmup_steps) found *= (step + 1.0) / warmup_steps;
    if (every_steps) found *= power(decay, step / every_steps);
    if (warmup_steps <= step && warmup_steps < cosine_steps) {
        double x = (double)(step - warmup_steps) / (cosine_steps - warmup_steps);
        found *= x < 1.0 ? 0.5 * (1.0 + half_turn_cosine(x)) : 0.0;
    }
    *rate = (float)found;
}
