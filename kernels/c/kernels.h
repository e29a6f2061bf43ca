// Every kernel the virtual machine can call. A kernel is described where it is defined; its row in
// ops.py says which shapes it takes, what it computes (in NumPy) and what its gradient is.
#pragma once

#include "philox.h"
#include "simd.h"

// matmul.c
void matmul_nn(float *out, const float *a, const float *b, float *scratch, u32 m, u32 k, u32 n);
void matmul_nt(float *out, const float *a, const float *b, float *scratch, u32 m, u32 k, u32 n);
void matmul_tn(float *out, const float *a, const float *b, float *scratch, u32 k, u32 m, u32 n);

// elementwise.c
void relu(float *out, const float *x, u32 n);
void leaky_relu(float *out, const float *x, u32 n);
void elu(float *out, const float *x, u32 n);
void silu(float *out, const float *x, u32 n);
void gelu(float *out, const float *x, u32 n);
void sigmoid(float *out, const float *x, u32 n);
void hyperbolic_tangent(float *out, const float *x, u32 n);
void exponential(float *out, const float *x, u32 n);
void logarithm(float *out, const float *x, u32 n);
void relu_gradient(float *out, const float *y, const float *g, u32 n);
void leaky_relu_gradient(float *out, const float *y, const float *g, u32 n);
void elu_gradient(float *out, const float *y, const float *g, u32 n);
void sigmoid_gradient(float *out, const float *y, const float *g, u32 n);
void hyperbolic_tangent_gradient(float *out, const float *y, const float *g, u32 n);
void silu_gradient(float *out, const float *x, const float *g, u32 n);
void gelu_gradient(float *out, const float *x, const float *g, u32 n);
void sum(float *out, const float *x, const float *y, u32 n);
void product(float *out, const float *x, const float *y, u32 n);
void quotient(float *out, const float *x, const float *y, u32 n);
void bias(float *out, const float *x, const float *b, u32 m, u32 n);
void sum_rows(float *out, const float *x, u32 m, u32 n);
void standardise(float *out, const float *x, const float *mean, const float *scale, u32 m, u32 n);

// random.c
void uniform(float *out, u32 n, float bound, Stream stream);
void dropout(float *out, const float *x, u32 n, u32 drop_below, float scale, Stream stream,
             u32 step);
void shuffle(u32 *order, u32 *tag, u32 n, u32 steps_per_epoch, Stream stream, u32 step);

// rows.c
void gather(float *out, const float *x, const u32 *order, u32 n, u32 c, u32 b, u32 steps_per_epoch,
            u32 step);
void take_rows(float *out, const float *x, u32 n, u32 c, u32 b, u32 first, u32 step);
void put_rows(const float *x, float *out, u32 b, u32 c, u32 n, u32 first, u32 step);
void measure_columns(const float *x, float *mean, float *scale, u32 n, u32 c);

// loss.c
void softmax(float *out, const float *x, u32 m, u32 n);
void cross_entropy(float *out, const float *x, const u32 *labels, float *scratch, u32 m, u32 n);
void cross_entropy_gradient(float *out, const float *x, const u32 *labels, u32 m, u32 n);
u32 record(const float *statistics, float *losses, float *corrects, u32 p, u32 step);

// optimizer.c
void adam(float *p, const float *g, float *first, float *second, u32 n, float rate, float beta1,
          float beta2, float epsilon, u32 step);
void sgd(float *p, const float *g, float *velocity, u32 n, float rate, float momentum);
void lateral(float *g, float *noise, u32 n, float factor, u32 steps_total, Stream stream, u32 step);
