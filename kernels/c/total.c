// What losses are put together from: sums by weight, slopes weighed, numbers that are the same for
// all.

#include "kernels.h"

// Losses are added by their weights; what is measured beside the first one stays.
void op_add_losses(float *out, const float *first, const float *second, float first_weight,
                   float second_weight) {
    float measured = first[1];
    out[0] = first_weight * first[0] + second_weight * second[0];
    out[1] = measured;
}

// out (count) = x (count) * upstream[0]: the slope of a loss that is a part of another
void op_weigh(float *out, const float *x, const float *upstream, u32 count) {
    scale_row(out, x, count, *upstream);
}

// out (count) = value * x (count)
void op_scale(float *out, const float *x, u32 count, float value) {
    scale_row(out, x, count, value);
}

// out (count) = value everywhere
void op_constant(float *out, u32 count, float value) {
    f32x4 all = splat(value);
    u32 i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES)
#pragma unroll
        for (u32 v = 0; v < 4; v++) store(out + i + v * LANES, all);
    for (; i < count; i++) out[i] = value;
}

// out (m, n) = 1 at the row's label, else 0
void op_one_hot(float *out, const u32 *labels, u32 m, u32 n) {
    clear_row(out, m * n);
    for (u32 row = 0; row < m; row++, out += n) out[checked(labels[row], n)] = 1.0f;
}
