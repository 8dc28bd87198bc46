// SPDX-License-Identifier: GPL-3.0-or-later
/* A layer of MIF neurons in C by hand: forward, and the exact derivative of each step backwards.

   Equations and schemes are those of task.py. Lanes stand in blocks of LANES, one block after the other:
   trajectory[block][step][v, x1, x2][lane]. A block runs through all its steps in the nearest cache; OpenMP shares out
   the blocks; the compiler vectorises over the lanes of a block, with expf from libmvec.

   Both logistic functions of a channel come from one exponential: with E = exp((von - w) / k),
   s((w - von) / k) = 1 / (1 + E) and s((voff - w) / k) = E / (E + exp((von - voff) / k)), bounded where float would
   overflow.

   Linear: M d = -f with M = F + A/h at the step's start z and d = z' - z. Backwards, with l = dL/dz', M^T y = l:
       dL/du += y_v,    dL/dz = l - F^T y - sum_i y_i H_i d = (A/h) y - sum_i y_i H_i d,   H_i the Hessian of f_i.
   Euler: f(z') + A (z' - z)/h = 0. Backwards, by the implicit function theorem at z':
       M(z')^T y = l,   dL/du += y_v,   dL/dz = (A/h) y. */

#include <math.h>

#ifndef real
#define real float
#define exponential expf
#endif

#define LANES 128

static const real C = 1e-9, TAU = 1e-3, E1 = 0, E2 = 50e-3, G_OFF = 1e-5, G_SPAN = 1e-3 - 1e-5;
static const real VON = 110e-3, VOFF = 5e-3, K = 15e-3, V0 = 25e-3, X0 = 0.0238;

// A loop of its own: a call of expf empties the vector registers, and the loops below use nearly all of them.
static inline __attribute__((always_inline)) void exponentials(const real *v, real *E_a, real *E_b) {
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        const real a = (VON + E1 - v[i]) * (1 / K), b = (VON + E2 - v[i]) * (1 / K);
        E_a[i] = exponential(a < 80 ? a : 80);
        E_b[i] = exponential(b < 80 ? b : 80);
    }
}

// A channel at (v, x): its current, its equation of the state f_x, and their derivatives.
typedef struct {
    real w, g, on, off, rate, rate_slope, p, d;
} channel;

static inline __attribute__((always_inline)) channel channel_at(real v, real x, real e, real E, real ratio, real tau_h) {
    channel c;
    c.w = v - e;
    c.g = G_OFF + G_SPAN * x;
    c.on = 1 / (1 + E);
    c.off = E / (E + ratio);
    c.rate = c.on + c.off;
    const real on_slope = c.on * (1 - c.on) * (1 / K);
    c.rate_slope = on_slope - c.off * (1 - c.off) * (1 / K);
    c.p = x * c.rate_slope - on_slope;  // df_x/dv
    c.d = c.rate + tau_h;               // df_x/dx + tau/h
    return c;
}

// One Newton iteration for a block, from `from` to `next`; the step began at `z`, which is `from` in the first one.
static inline __attribute__((always_inline)) void newton(
    const real *from, real *next, const real *z, const real *u, real ratio, real c_h, real tau_h, int first) {
    real E_a[LANES], E_b[LANES];
    exponentials(from, E_a, E_b);
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        const real v = from[i], x = from[LANES + i], y = from[2 * LANES + i];
        const channel a = channel_at(v, x, E1, E_a[i], ratio, tau_h), b = channel_at(v, y, E2, E_b[i], ratio, tau_h);
        real r_v = u[i] - a.w * a.g - b.w * b.g, r_x = a.on - x * a.rate, r_y = b.on - y * b.rate;
        if (!first) {
            r_v += c_h * (z[i] - v);
            r_x += tau_h * (z[LANES + i] - x);
            r_y += tau_h * (z[2 * LANES + i] - y);
        }
        const real over_a = 1 / a.d, over_b = 1 / b.d;
        const real q_a = G_SPAN * a.w * over_a, q_b = G_SPAN * b.w * over_b;
        const real dv = (r_v - q_a * r_x - q_b * r_y) / (c_h + a.g + b.g - q_a * a.p - q_b * b.p);
        next[i] = v + dv;
        next[LANES + i] = x + (r_x - a.p * dv) * over_a;
        next[2 * LANES + i] = y + (r_y - b.p * dv) * over_b;
    }
}

// iterations is 1 for linear. trajectory may hold anything before; mean is that of v over the ends of the steps.
void forward(int blocks, int steps, int iterations, double t_stop, const real *currents, real *trajectory, real *mean) {
    const real c_h = C * (steps / t_stop), tau_h = TAU * (steps / t_stop), ratio = exponential((VON - VOFF) / K);
#pragma omp parallel for schedule(dynamic)
    for (int block = 0; block < blocks; block++) {
        const real *u = currents + block * LANES;
        real *z = trajectory + (long)block * (steps + 1) * 3 * LANES, total[LANES] = {0};
        for (int i = 0; i < LANES; i++) {
            z[i] = V0;
            z[LANES + i] = z[2 * LANES + i] = X0;
        }
        for (int step = 0; step < steps; step++, z += 3 * LANES) {
            real *next = z + 3 * LANES;
            newton(z, next, z, u, ratio, c_h, tau_h, 1);
            for (int k = 1; k < iterations; k++)
                newton(next, next, z, u, ratio, c_h, tau_h, 0);
            for (int i = 0; i < LANES; i++)
                total[i] += next[i];
        }
        for (int i = 0; i < LANES; i++)
            mean[block * LANES + i] = total[i] / steps;
    }
}

// weights[lane] is dL/d(mean of v); gradient[lane] becomes dL/du.
void adjoint(int blocks, int steps, int linear, double t_stop, const real *trajectory, const real *weights, real *gradient) {
    const real c_h = C * (steps / t_stop), tau_h = TAU * (steps / t_stop), ratio = exponential((VON - VOFF) / K);
#pragma omp parallel for schedule(dynamic)
    for (int block = 0; block < blocks; block++) {
        const real *z = trajectory + ((long)block * (steps + 1) + steps) * 3 * LANES;
        real l_v[LANES] = {0}, l_x[LANES] = {0}, l_y[LANES] = {0}, sum[LANES] = {0}, source[LANES];
        real E_a[LANES], E_b[LANES];
        for (int i = 0; i < LANES; i++)
            source[i] = weights[block * LANES + i] / steps;
        for (int step = steps; step > 0; step--) {
            z -= 3 * LANES;
            const real *at = linear ? z : z + 3 * LANES, *next = z + 3 * LANES;
            exponentials(at, E_a, E_b);
#pragma omp simd
            for (int i = 0; i < LANES; i++) {
                const real v = at[i], x = at[LANES + i], y = at[2 * LANES + i];
                const channel a = channel_at(v, x, E1, E_a[i], ratio, tau_h), b = channel_at(v, y, E2, E_b[i], ratio, tau_h);
                const real over_a = 1 / a.d, over_b = 1 / b.d;
                const real q_a = G_SPAN * a.w, q_b = G_SPAN * b.w, p_a = a.p * over_a, p_b = b.p * over_b;
                const real y_v = (l_v[i] + source[i] - p_a * l_x[i] - p_b * l_y[i])
                    / (c_h + a.g + b.g - p_a * q_a - p_b * q_b);
                const real y_x = (l_x[i] - q_a * y_v) * over_a, y_y = (l_y[i] - q_b * y_v) * over_b;
                sum[i] += y_v;
                real n_v = c_h * y_v, n_x = tau_h * y_x, n_y = tau_h * y_y;
                if (linear) {
                    const real dv = next[i] - v, dx = next[LANES + i] - x, dy = next[2 * LANES + i] - y;
                    const real on_a = a.on * (1 - a.on) * (1 - 2 * a.on), off_a = a.off * (1 - a.off) * (1 - 2 * a.off);
                    const real on_b = b.on * (1 - b.on) * (1 - 2 * b.on), off_b = b.off * (1 - b.off) * (1 - 2 * b.off);
                    const real bend_a = (x * (on_a + off_a) - on_a) * (1 / (K * K));
                    const real bend_b = (y * (on_b + off_b) - on_b) * (1 / (K * K));
                    n_v -= y_v * G_SPAN * (dx + dy) + y_x * (bend_a * dv + a.rate_slope * dx)
                        + y_y * (bend_b * dv + b.rate_slope * dy);
                    n_x -= (y_v * G_SPAN + y_x * a.rate_slope) * dv;
                    n_y -= (y_v * G_SPAN + y_y * b.rate_slope) * dv;
                }
                l_v[i] = n_v;
                l_x[i] = n_x;
                l_y[i] = n_y;
            }
        }
        for (int i = 0; i < LANES; i++)
            gradient[block * LANES + i] = sum[i];
    }
}

int lanes(void) {
    return LANES;
}
