/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Kernels of a cell over many lanes (image, neuron): the rules that ngspice's steps obeyed, the adjoint along them, a
 * transient of one's own on a common grid, and its adjoint. The equations are in spiceprop/compile/cell_steps.py.
 *
 * Lanes go in blocks. A block runs through all its points in the nearest cache, always in full vectors: where it is not
 * full, its last lane is repeated. So all lanes go through the same instructions, and a lane's bits depend neither on
 * how many there are nor on where it stands nor on the number of threads. Nothing is summed across lanes.
 *
 * This is compiled with -ffast-math: whether numbers are finite is asked elsewhere. */

#if defined(__AVX512F__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=512")
#endif

#include <stdlib.h>
#include <string.h>

@sizes@
@functions@
@lanes@
@equations@

/* Mirrored in spiceprop/compile/kernels.py. Arrays are (..., points, images, neurons), in the order of the cell. */
typedef struct {
    long points, images, neurons;
    long input_stride;       /* from point to point: 0 where currents are constant */
    const real *p;           /* (parameters,), or (parameters, neurons) */
    const real *u;           /* input currents */
    const real *h, *theta;   /* (points, images), or (points,) in the transient and its adjoint */
    real *x;                 /* (unknowns, points, images, neurons) */
    const real *by_state[UNKNOWNS]; /* dL/dx of each unknown, or NULL */
    long state_stride;       /* of these, from point to point: 0 where they are the same at all */
    real *by_input;          /* (points, images, neurons), or (images, neurons) */
    long by_time;            /* which of both */
    real *by_parameter;      /* (parameters, images, neurons), or NULL */
    real *trapezoid, *euler; /* (points, images, neurons): squares of each rule's residual */
    unsigned char *solved;   /* (images, neurons) */
    real relative, absolute[UNKNOWNS]; /* below which Newton's update is small */
    long most_iterations;
} Task;

static long lanes_of(const Task *t) { return t->images * t->neurons; }
static long blocks_of(const Task *t) { return (lanes_of(t) + BLOCK - 1) / BLOCK; }

INLINE real *place_of(const Task *t, const Place *at, real *array, long row, long point)
{
    return array + (row * t->points + point) * lanes_of(t) + at->first;
}

INLINE void take_state(const Task *t, const Place *at, Row *x, long point)
{
    for (int i = 0; i < UNKNOWNS; i++)
        take(x[i], place_of(t, at, t->x, i, point), at);
}

INLINE void give_state(const Task *t, const Place *at, const Row *x, long point)
{
    for (int i = 0; i < UNKNOWNS; i++)
        give(place_of(t, at, t->x, i, point), x[i], at);
}

/* A block's rows lie a page or more apart, where the processor does not look ahead by itself. */
INLINE void look_ahead(const Task *t, const Place *at, long point)
{
    if (point < 0 || point >= t->points)
        return;
    for (int i = 0; i < UNKNOWNS; i++) {
        const char *const row = (const char *)place_of(t, at, t->x, i, point);
        for (size_t byte = 0; byte < sizeof(Row); byte += 64)
            __builtin_prefetch(row + byte);
    }
}

INLINE void take_input(const Task *t, const Place *at, Row u, long point)
{
    take(u, t->u + t->input_stride * point + at->first, at);
}

/* `row` becomes the row at `from`, `update` what the old one has more than that. */
INLINE void step_back(Row update, Row row, const real *from, const Place *at)
{
    if (at->count == BLOCK) {
        VECTORS
        for (int l = 0; l < BLOCK; l++) {
            update[l] = row[l] - from[l];
            row[l] = from[l];
        }
        return;
    }
    for (int l = 0; l < BLOCK; l++) {
        const real now = from[l < at->count ? l : at->count - 1];
        update[l] = row[l] - now;
        row[l] = now;
    }
}

static void take_parameters(const Task *t, const Place *at, Own *p)
{
    for (int i = 0; i < PARAMETERS; i++)
        for (int l = 0; l < LANES_OF_OWN; l++)
            p[i][l] = OWN_PARAMETERS ? t->p[i * t->neurons + at->neuron[l]] : t->p[i];
}

/* dL/dx of a point is added to `slope`; rows of unknowns that the loss does not know stay as they are. */
INLINE void add_slopes(const Task *t, const Place *at, Row *slope, long point)
{
    for (int i = 0; i < UNKNOWNS; i++)
        if (t->by_state[i]) {
            const real *const from = t->by_state[i] + point * t->state_stride + at->first;
            if (at->count == BLOCK) {
                add(slope[i], from);
            } else {
                Row part;
                take(part, from, at);
                add(slope[i], part);
            }
        }
}

/* A program's parameters `p` and constants, of a block. */
#define CONSTANTS(name) \
    Own name##_w[name##_CONSTANTS + 1]; \
    name##_constants(p, name##_w)

EXPORT void rule_residuals(const Task *t)
{
#pragma omp parallel for schedule(static)
    for (long block = 0; block < blocks_of(t); block++) {
        Place at;
        Own p[PARAMETERS + 1];
        Row x[UNKNOWNS], u, q[CHARGES], current[CHARGES], q_before[CHARGES], before[CHARGES];
        Row smallest[CHARGES], largest[CHARGES], scale[CHARGES];
        find_place(t->images, t->neurons, block, &at);
        take_parameters(t, &at, p);
        CONSTANTS(charges);
        CONSTANTS(flows);
        for (long n = 0; n < t->points; n++) {
            take_state(t, &at, x, n);
            charges(x, p, charges_w, q);
            for (int c = 0; c < CHARGES; c++)
                for (int l = 0; l < BLOCK; l++) {
                    smallest[c][l] = n ? smaller(smallest[c][l], q[c][l]) : q[c][l];
                    largest[c][l] = n ? larger(largest[c][l], q[c][l]) : q[c][l];
                }
        }
        for (int c = 0; c < CHARGES; c++)
            for (int l = 0; l < BLOCK; l++) {
                const real spread = largest[c][l] - smallest[c][l];
                scale[c][l] = spread > R(0.0) ? R(1.0) / spread : R(0.0);
            }
        for (long n = 0; n < t->points; n++) {
            Row step, trapezoid, euler;
            take_state(t, &at, x, n);
            take_input(t, &at, u, n);
            flows(x, u, p, flows_w, q, current);
            for (int l = 0; l < BLOCK; l++)
                step[l] = t->h[n * t->images + at.image[l]];
            fill(trapezoid, R(0.0));
            fill(euler, R(0.0));
            for (int c = 0; c < CHARGES; c++) {
                VECTORS
                for (int l = 0; l < BLOCK; l++) {
                    const real i = current[c][l], i_before = n ? before[c][l] : i;
                    const real change = q[c][l] - (n ? q_before[c][l] : q[c][l]);
                    trapezoid[l] += power_2((change - step[l] * (i + i_before) * R(0.5)) * scale[c][l]);
                    euler[l] += power_2((change - step[l] * i) * scale[c][l]);
                    before[c][l] = i;
                    q_before[c][l] = q[c][l];
                }
            }
            give(place_of(t, &at, t->trapezoid, 0, n), trapezoid, &at);
            give(place_of(t, &at, t->euler, 0, n), euler, &at);
        }
    }
}

EXPORT void adjoint(const Task *t)
{
#pragma omp parallel for schedule(static)
    for (long block = 0; block < blocks_of(t); block++) {
        Place at;
        Own p[PARAMETERS + 1];
        Row x[UNKNOWNS], u, rate, rest, slope[UNKNOWNS], mu[CHARGES], s[CHARGES], by_input, total;
        Row by_parameter[PARAMETERS + 1];
        find_place(t->images, t->neurons, block, &at);
        take_parameters(t, &at, p);
        CONSTANTS(sweep);
        CONSTANTS(parameter_sweep);
        memset(mu, 0, sizeof mu);
        memset(s, 0, sizeof s);
        memset(total, 0, sizeof total);
        memset(by_parameter, 0, sizeof by_parameter);
        take_input(t, &at, u, 0);
        for (long n = t->points - 1; n > 0; n--) {
            for (int l = 0; l < BLOCK; l++) {
                const real h = t->h[n * t->images + at.image[l]], theta = t->theta[n * t->images + at.image[l]];
                rate[l] = R(1.0) / (h * theta);
                rest[l] = h * (R(1.0) - theta);
            }
            take_state(t, &at, x, n);
            look_ahead(t, &at, n - 2);
            if (t->input_stride)
                take_input(t, &at, u, n);
            memset(slope, 0, sizeof slope);
            add_slopes(t, &at, slope, n);
            if (t->by_parameter)
                parameter_sweep(x, u, rate, slope, mu, s, p, parameter_sweep_w, by_input, by_parameter);
            else
                sweep(x, u, rate, slope, mu, s, p, sweep_w, by_input);
            for (int c = 0; c < CHARGES; c++)
                for (int l = 0; l < BLOCK; l++)
                    s[c][l] = rest[l] * mu[c][l];
            if (t->by_time)
                give(place_of(t, &at, t->by_input, 0, n), by_input, &at);
            else
                add(total, by_input);
        }
        if (!t->by_time)
            give(t->by_input + at.first, total, &at);
        if (t->by_parameter) {
            CONSTANTS(start_slopes);
            for (int c = 0; c < CHARGES; c++)
                for (int l = 0; l < BLOCK; l++)
                    mu[c][l] = -mu[c][l];
            memset(slope, 0, sizeof slope);
            add_slopes(t, &at, slope, 0);
            start_slopes(slope, mu, p, start_slopes_w, by_parameter);
            for (int i = 0; i < PARAMETERS; i++)
                give(t->by_parameter + i * lanes_of(t) + at.first, by_parameter[i], &at);
        }
    }
}

/* One step of `theta` to the new x, by Newton's iteration from the old one. `active` lanes take part. What comes out as
 * `active` has not converged. A lane that has converged rests, whatever its neighbours still do. */
INLINE void solve(const Task *t, Row *x, const Row u, const Row rate, const Row *history, Row active,
                  const Own *p, const Own *w)
{
    Row update[UNKNOWNS];
    for (long iteration = 0; iteration < t->most_iterations; iteration++) {
        real left = R(0.0);
        newton(x, u, rate, history, p, w, update);
        _Pragma("omp simd reduction(+:left)")
        for (int l = 0; l < BLOCK; l++) {
            real large = R(0.0);
            for (int i = 0; i < UNKNOWNS; i++) {
                const real d = active[l] > R(0.0) ? update[i][l] : R(0.0);
                x[i][l] += d;
                large = magnitude(d) > t->relative * magnitude(x[i][l]) + t->absolute[i] ? R(1.0) : large;
            }
            active[l] = large;
            left += large;
        }
        if (left == R(0.0))
            return;
    }
}

EXPORT void transient(const Task *t)
{
#pragma omp parallel for schedule(static)
    for (long block = 0; block < blocks_of(t); block++) {
        Place at;
        Own p[PARAMETERS + 1];
        Row x[UNKNOWNS], u, rate, q[CHARGES], current[CHARGES], history[CHARGES], active, failed;
        find_place(t->images, t->neurons, block, &at);
        take_parameters(t, &at, p);
        CONSTANTS(start);
        CONSTANTS(newton);
        CONSTANTS(charges);
        memset(current, 0, sizeof current);
        fill(failed, R(0.0));
        take_input(t, &at, u, 0);
        start(p, start_w, x, q);
        give_state(t, &at, x, 0);
        for (long n = 1; n < t->points; n++) {
            const real theta = t->theta[n], ratio = (R(1.0) - theta) / theta;
            look_ahead(t, &at, n + 2);
            fill(rate, R(1.0) / (t->h[n] * theta));
            if (t->input_stride)
                take_input(t, &at, u, n);
            for (int c = 0; c < CHARGES; c++)
                for (int l = 0; l < BLOCK; l++)
                    history[c][l] = rate[l] * q[c][l] + ratio * current[c][l];
            for (int l = 0; l < BLOCK; l++)
                active[l] = R(1.0) - failed[l];
            solve(t, x, u, rate, history, active, p, newton_w);
            add(failed, active);
            charges(x, p, charges_w, q);
            for (int c = 0; c < CHARGES; c++)
                for (int l = 0; l < BLOCK; l++)
                    current[c][l] = rate[l] * q[c][l] - history[c][l];
            give_state(t, &at, x, n);
        }
        for (int l = 0; l < at.count; l++)
            t->solved[at.first + l] = failed[l] == R(0.0);
    }
}

/* Linearly implicit steps. */
EXPORT void linear_transient(const Task *t)
{
#pragma omp parallel for schedule(static)
    for (long block = 0; block < blocks_of(t); block++) {
        Place at;
        Own p[PARAMETERS + 1];
        Row x[UNKNOWNS], u, rate, q[CHARGES];
        find_place(t->images, t->neurons, block, &at);
        take_parameters(t, &at, p);
        CONSTANTS(start);
        CONSTANTS(linear);
        take_input(t, &at, u, 0);
        start(p, start_w, x, q);
        give_state(t, &at, x, 0);
        for (long n = 1; n < t->points; n++) {
            fill(rate, R(1.0) / t->h[n]);
            if (t->input_stride)
                take_input(t, &at, u, n);
            look_ahead(t, &at, n + 2);
            linear(x, u, rate, p, linear_w);
            give_state(t, &at, x, n);
        }
        memset(t->solved + at.first, 1, (size_t)at.count);
    }
}

EXPORT void linear_adjoint(const Task *t)
{
#pragma omp parallel for schedule(static)
    for (long block = 0; block < blocks_of(t); block++) {
        Place at;
        Own p[PARAMETERS + 1];
        Row x[UNKNOWNS], update[UNKNOWNS], u, rate, slope[UNKNOWNS], by_input, total, by_parameter[PARAMETERS + 1];
        find_place(t->images, t->neurons, block, &at);
        take_parameters(t, &at, p);
        CONSTANTS(linear_sweep);
        CONSTANTS(linear_parameter_sweep);
        memset(slope, 0, sizeof slope);
        memset(total, 0, sizeof total);
        memset(by_parameter, 0, sizeof by_parameter);
        take_input(t, &at, u, 0);
        take_state(t, &at, x, t->points - 1);
        add_slopes(t, &at, slope, t->points - 1);
        for (long n = t->points - 1; n > 0; n--) {
            fill(rate, R(1.0) / t->h[n]);
            if (t->input_stride)
                take_input(t, &at, u, n);
            for (int i = 0; i < UNKNOWNS; i++)
                step_back(update[i], x[i], place_of(t, &at, t->x, i, n - 1), &at);
            look_ahead(t, &at, n - 3);
            if (t->by_parameter)
                linear_parameter_sweep(x, u, rate, update, slope, p, linear_parameter_sweep_w, by_input, by_parameter);
            else
                linear_sweep(x, u, rate, update, slope, p, linear_sweep_w, by_input);
            add_slopes(t, &at, slope, n - 1);
            if (t->by_time)
                give(place_of(t, &at, t->by_input, 0, n), by_input, &at);
            else
                add(total, by_input);
        }
        if (!t->by_time)
            give(t->by_input + at.first, total, &at);
        if (t->by_parameter) {
            Row mu[CHARGES];
            CONSTANTS(start_slopes);
            memset(mu, 0, sizeof mu);
            start_slopes(slope, mu, p, start_slopes_w, by_parameter);
            for (int i = 0; i < PARAMETERS; i++)
                give(t->by_parameter + i * lanes_of(t) + at.first, by_parameter[i], &at);
        }
    }
}
