// Layer normalisation. Ba, Kiros and Hinton, "Layer normalization" (2016).

#include "kernels.h"
#include "sums.h"

// out (m, n) = (x - mean) / sqrt(variance + epsilon) * gain (n) + bias (n), mean and variance
// (divisor n) of each row of x (m, n); statistics (m, 2) = mean, 1 / sqrt(variance + epsilon).
void op_layer_norm(float *out, float *statistics, const float *x, const float *gain,
                   const float *bias, u32 m, u32 n, float epsilon) {
    for (u32 row = 0; row < m; row++, out += n, x += n, statistics += 2) {
        float mean = sum_of(x, n) / (float)n;
        float variance = squares_from(x, mean, n) / (float)n;
        float scale = 1.0f / __builtin_sqrtf(variance + epsilon);
        statistics[0] = mean;
        statistics[1] = scale;
        u32 i = 0;
        for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma unroll
            for (u32 at = i; at < i + 4 * LANES; at += LANES) {
                f32x4 normal = mul(sub(load(x + at), splat(mean)), splat(scale));
                store(out + at, add(mul(normal, load(gain + at)), load(bias + at)));
            }
        for (; i < n; i++) out[i] = (x[i] - mean) * scale * gain[i] + bias[i];
    }
}

// With y = (x - mean) * scale and s = g * gain:
//   x_slope (m, n) = scale * (s - mean of s - y * mean of (s * y)), means along the row;
//   gain_slope (n) = the sum of g * y over the rows in their order, bias_slope (n) that of g.
// Along a row four running sums over whole vectors, added up in pairs; then the ragged end.
void op_layer_norm_gradient(float *x_slope, float *gain_slope, float *bias_slope, const float *x,
                            const float *gain, const float *statistics, const float *g, u32 m,
                            u32 n) {
    for (u32 i = 0; i < n; i++) gain_slope[i] = bias_slope[i] = 0.0f;
    for (u32 row = 0; row < m; row++, x_slope += n, x += n, g += n, statistics += 2) {
        float mean = statistics[0], scale = statistics[1];
        f32x4 sums = splat(0.0f), products = splat(0.0f);
        u32 i = 0;
        for (; i + LANES <= n; i += LANES) {
            f32x4 normal = mul(sub(load(x + i), splat(mean)), splat(scale));
            f32x4 slope = load(g + i), scaled = mul(slope, load(gain + i));
            sums = add(sums, scaled);
            products = add(products, mul(scaled, normal));
            store(gain_slope + i, add(load(gain_slope + i), mul(slope, normal)));
            store(bias_slope + i, add(load(bias_slope + i), slope));
        }
        float total = sum_lanes(sums), product = sum_lanes(products);
        for (; i < n; i++) {
            float normal = (x[i] - mean) * scale, scaled = g[i] * gain[i];
            total += scaled;
            product += scaled * normal;
            gain_slope[i] += g[i] * normal;
            bias_slope[i] += g[i];
        }
        total /= (float)n;
        product /= (float)n;
        for (i = 0; i + LANES <= n; i += LANES) {
            f32x4 normal = mul(sub(load(x + i), splat(mean)), splat(scale));
            f32x4 away = sub(mul(load(g + i), load(gain + i)), splat(total));
            store(x_slope + i, mul(splat(scale), sub(away, mul(normal, splat(product)))));
        }
        for (; i < n; i++)
            x_slope[i] = scale * (g[i] * gain[i] - total - (x[i] - mean) * scale * product);
    }
}
