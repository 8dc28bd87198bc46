/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Kernels of columns of live synapses, each column with a neuron at its end, over many lanes (image, neuron). The
 * equations are in spiceprop/compile/live_steps.py. Lanes go in blocks as in kernels.c; inside a block the synapses of
 * a column follow each other, and what they add to their column is summed in the order of the rows.
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

/* Mirrored in spiceprop/compile/live.py. Arrays of neurons are (..., points, images, neurons); those of synapses have
 * the rows in front of the points. */
typedef struct {
    long points, images, neurons, rows;
    long row_stride;         /* of v, from point to point: 0 where rows are constant */
    const real *p, *synapse_p; /* (parameters,) of the neuron and of the synapse */
    const real *v;           /* (points, images, rows), or (images, rows): voltages of the rows */
    const real *programmed;  /* (rows, neurons) */
    const real *h, *theta;   /* (points, images), or (points,) in the transient */
    real *x;                 /* (unknowns, points, images, neurons) of the neurons */
    real *z;                 /* (unknowns, rows, points, images, neurons) of the synapses */
    const real *by_state[UNKNOWNS]; /* dL/dx of each unknown of the neuron, or NULL */
    long state_stride;       /* of these, from point to point: 0 where they are the same at all */
    real *by_row;            /* (rows, points, images, neurons), or NULL */
    real *by_input;          /* (points, images, neurons): by a current into the column */
    real *by_programmed;     /* (rows, images, neurons) */
    real *trapezoid, *euler; /* (points, images, neurons): squares of each rule's residual, summed over synapses */
    real *drawn;             /* (points, images, neurons): the current that leaves each column */
    unsigned char *solved;   /* (images, neurons) */
    real relative, absolute[UNKNOWNS], synapse_absolute[SYNAPSE_UNKNOWNS]; /* below which Newton's update is small */
    long most_iterations;
} Task;

/* A column's synapse as long as a block is computed. */
typedef struct {
    Row row, z[SYNAPSE_UNKNOWNS], q[SYNAPSE_CHARGES], current[SYNAPSE_CHARGES], a[SYNAPSE_UNKNOWNS], b[SYNAPSE_UNKNOWNS];
} Forward;

typedef struct {
    Row row, later[SYNAPSE_CHARGES], mu[SYNAPSE_CHARGES], mu_slope[SYNAPSE_CHARGES], by_row, row_slope;
} Backward;

static long lanes_of(const Task *t) { return t->images * t->neurons; }
static long blocks_of(const Task *t) { return (lanes_of(t) + BLOCK - 1) / BLOCK; }

INLINE real *point_of(const Task *t, const Place *at, real *array, long row, long point)
{
    return array + (row * t->points + point) * lanes_of(t) + at->first;
}

INLINE real *state_of(const Task *t, const Place *at, int unknown, long synapse, long point)
{
    return point_of(t, at, t->z, unknown * t->rows + synapse, point);
}

/* Rows' voltages stand by images, programmed states by neurons. */
INLINE void take_row(const Task *t, const Place *at, Row row, long synapse, long point)
{
    const real *const from = t->v + t->row_stride * point + synapse;
    for (int l = 0; l < BLOCK; l++)
        row[l] = from[at->image[l] * t->rows];
}

INLINE void take_programmed(const Task *t, const Place *at, Row programmed, long synapse)
{
    for (int l = 0; l < BLOCK; l++)
        programmed[l] = t->programmed[synapse * t->neurons + at->neuron[l]];
}

static void take_parameters(Own *own, const real *from, int count)
{
    for (int i = 0; i < count; i++)
        own[i][0] = from[i];
}

/* A program's parameters and constants. */
#define CONSTANTS(name, p) \
    Own name##_w[name##_CONSTANTS + 1]; \
    name##_constants(p, name##_w)

#define PARAMETERS_OF_BOTH \
    Own p[PARAMETERS + 1], of_synapse[SYNAPSE_PARAMETERS + 1]; \
    take_parameters(p, t->p, PARAMETERS); \
    take_parameters(of_synapse, t->synapse_p, SYNAPSE_PARAMETERS)

static void *room_for(size_t size) { return aligned_alloc(64, (size + 63) / 64 * 64); }

INLINE void step_of(const Task *t, const Place *at, long point, Row h, Row theta)
{
    for (int l = 0; l < BLOCK; l++) {
        h[l] = t->h[point * t->images + at->image[l]];
        theta[l] = t->theta[point * t->images + at->image[l]];
    }
}

/* One step to the new states, by Newton's iteration from the old ones; a lane that has converged rests. What comes out
 * as `active` has not converged. */
static void solve(const Task *t, Forward *synapses, Row *x, const Row rate, const Row ratio, const Row *history, Row active,
                  const Own *p, const Own *w, const Own *of_synapse, const Own *synapse_w)
{
    for (long iteration = 0; iteration < t->most_iterations; iteration++) {
        Row load, drawn, u, update[UNKNOWNS], before[SYNAPSE_CHARGES], large;
        real left = R(0.0);
        fill(load, R(0.0));
        fill(drawn, R(0.0));
        for (Forward *s = synapses; s < synapses + t->rows; s++) {
            for (int c = 0; c < SYNAPSE_CHARGES; c++) {
                VECTORS
                for (int l = 0; l < BLOCK; l++)
                    before[c][l] = rate[l] * s->q[c][l] + ratio[l] * s->current[c][l];
            }
            synapse_reduced(s->z, s->row, x[PORT], rate, before, of_synapse, synapse_w, s->a, s->b, load, drawn);
        }
        VECTORS
        for (int l = 0; l < BLOCK; l++)
            u[l] = load[l] * x[PORT][l] - drawn[l];
        newton(x, u, rate, history, load, p, w, update);
        fill(large, R(0.0));
        for (Forward *s = synapses; s < synapses + t->rows; s++)
            for (int i = 0; i < SYNAPSE_UNKNOWNS; i++) {
                VECTORS
                for (int l = 0; l < BLOCK; l++) {
                    const real d = active[l] > R(0.0) ? s->a[i][l] + s->b[i][l] * update[PORT][l] : R(0.0);
                    s->z[i][l] += d;
                    large[l] = magnitude(d) > t->relative * magnitude(s->z[i][l]) + t->synapse_absolute[i] ? R(1.0) : large[l];
                }
            }
        _Pragma("omp simd reduction(+:left)")
        for (int l = 0; l < BLOCK; l++) {
            for (int i = 0; i < UNKNOWNS; i++) {
                const real d = active[l] > R(0.0) ? update[i][l] : R(0.0);
                x[i][l] += d;
                large[l] = magnitude(d) > t->relative * magnitude(x[i][l]) + t->absolute[i] ? R(1.0) : large[l];
            }
            active[l] = large[l];
            left += large[l];
        }
        if (left == R(0.0))
            return;
    }
}

/* The charges behind a step and their currents, w q - b. */
INLINE void follow(Row *q, Row *current, const Row *now, int count, const Row rate, const Row ratio)
{
    for (int c = 0; c < count; c++) {
        VECTORS
        for (int l = 0; l < BLOCK; l++) {
            current[c][l] = rate[l] * (now[c][l] - q[c][l]) - ratio[l] * current[c][l];
            q[c][l] = now[c][l];
        }
    }
}

static void give_point(const Task *t, const Place *at, const Row *x, const Forward *synapses, long point)
{
    for (int i = 0; i < UNKNOWNS; i++)
        give(point_of(t, at, t->x, i, point), x[i], at);
    for (int i = 0; i < SYNAPSE_UNKNOWNS; i++)
        for (long s = 0; s < t->rows; s++)
            give(state_of(t, at, i, s, point), synapses[s].z[i], at);
}

EXPORT void transient(const Task *t)
{
#pragma omp parallel for schedule(dynamic)
    for (long block = 0; block < blocks_of(t); block++) {
        Place at;
        Row x[UNKNOWNS], q[CHARGES], current[CHARGES], now[CHARGES + SYNAPSE_CHARGES], rate, ratio, history[CHARGES];
        Row active, failed, programmed;
        Forward *const synapses = room_for(sizeof(Forward) * (size_t)t->rows);
        PARAMETERS_OF_BOTH;
        CONSTANTS(start, p);
        CONSTANTS(charges, p);
        CONSTANTS(newton, p);
        CONSTANTS(synapse_start, of_synapse);
        CONSTANTS(synapse_charges, of_synapse);
        CONSTANTS(synapse_reduced, of_synapse);
        find_place(t->images, t->neurons, block, &at);
        start(p, start_w, x, q);
        memset(current, 0, sizeof current);
        fill(failed, R(0.0));
        for (long s = 0; s < t->rows; s++) {
            take_programmed(t, &at, programmed, s);
            take_row(t, &at, synapses[s].row, s, 0);
            synapse_start(programmed, of_synapse, synapse_start_w, synapses[s].z, synapses[s].q);
            memset(synapses[s].current, 0, sizeof synapses[s].current);
        }
        give_point(t, &at, x, synapses, 0);
        for (long n = 1; n < t->points; n++) {
            const real theta = t->theta[n];
            fill(rate, R(1.0) / (t->h[n] * theta));
            fill(ratio, (R(1.0) - theta) / theta);
            for (long s = 0; s < t->rows && t->row_stride; s++)
                take_row(t, &at, synapses[s].row, s, n);
            for (int c = 0; c < CHARGES; c++)
                for (int l = 0; l < BLOCK; l++)
                    history[c][l] = rate[l] * q[c][l] + ratio[l] * current[c][l];
            for (int l = 0; l < BLOCK; l++)
                active[l] = R(1.0) - failed[l];
            solve(t, synapses, x, rate, ratio, history, active, p, newton_w, of_synapse, synapse_reduced_w);
            add(failed, active);
            charges(x, p, charges_w, now);
            follow(q, current, now, CHARGES, rate, ratio);
            for (Forward *s = synapses; s < synapses + t->rows; s++) {
                synapse_charges(s->z, s->row, x[PORT], of_synapse, synapse_charges_w, now);
                follow(s->q, s->current, now, SYNAPSE_CHARGES, rate, ratio);
            }
            give_point(t, &at, x, synapses, n);
        }
        for (int l = 0; l < at.count; l++)
            t->solved[at.first + l] = failed[l] == R(0.0);
        free(synapses);
    }
}

EXPORT void adjoint(const Task *t)
{
#pragma omp parallel for schedule(dynamic)
    for (long block = 0; block < blocks_of(t); block++) {
        Place at;
        Row x[UNKNOWNS], z[SYNAPSE_UNKNOWNS], u, h, theta, rate, slope[UNKNOWNS], mu[CHARGES], s[CHARGES], by_input;
        Row carried[SYNAPSE_CHARGES], load, passed, part, rest, by_programmed, programmed;
        Backward *const synapses = room_for(sizeof(Backward) * (size_t)t->rows);
        PARAMETERS_OF_BOTH;
        CONSTANTS(sweep, p);
        CONSTANTS(synapse_reduced_back, of_synapse);
        CONSTANTS(synapse_start_slope, of_synapse);
        find_place(t->images, t->neurons, block, &at);
        memset(synapses, 0, sizeof(Backward) * (size_t)t->rows);
        memset(mu, 0, sizeof mu);
        memset(s, 0, sizeof s);
        fill(rest, R(0.0));
        fill(u, R(0.0));
        for (long r = 0; r < t->rows; r++)
            take_row(t, &at, synapses[r].row, r, 0);
        for (long n = t->points - 1; n > 0; n--) {
            step_of(t, &at, n, h, theta);
            for (int l = 0; l < BLOCK; l++)
                rate[l] = R(1.0) / (h[l] * theta[l]);
            for (int i = 0; i < UNKNOWNS; i++)
                take(x[i], point_of(t, &at, t->x, i, n), &at);
            fill(load, R(0.0));
            fill(passed, R(0.0));
            for (long r = 0; r < t->rows; r++) {
                Backward *const b = synapses + r;
                if (t->row_stride)
                    take_row(t, &at, b->row, r, n);
                for (int i = 0; i < SYNAPSE_UNKNOWNS; i++)
                    take(z[i], state_of(t, &at, i, r, n), &at);
                for (int c = 0; c < SYNAPSE_CHARGES; c++)
                    for (int l = 0; l < BLOCK; l++)
                        carried[c][l] = rest[l] * b->later[c][l];
                synapse_reduced_back(z, b->row, x[PORT], rate, b->later, carried, of_synapse, synapse_reduced_back_w,
                                     b->mu, b->mu_slope, b->by_row, b->row_slope, load, passed);
            }
            memset(slope, 0, sizeof slope);
            for (int i = 0; i < UNKNOWNS; i++)
                if (t->by_state[i]) {
                    take(part, t->by_state[i] + n * t->state_stride + at.first, &at);
                    add(slope[i], part);
                }
            for (int l = 0; l < BLOCK; l++)
                slope[PORT][l] -= passed[l];
            sweep(x, u, rate, slope, mu, s, load, p, sweep_w, by_input);
            give(point_of(t, &at, t->by_input, 0, n), by_input, &at);
            /* the input current stands in the row of the port alone, with the factor -1: -by_input is its multiplier */
            for (long r = 0; r < t->rows; r++) {
                Backward *const b = synapses + r;
                for (int c = 0; c < SYNAPSE_CHARGES; c++) {
                    VECTORS
                    for (int l = 0; l < BLOCK; l++)
                        b->later[c][l] = b->mu[c][l] - b->mu_slope[c][l] * by_input[l];
                }
                if (t->by_row) {
                    for (int l = 0; l < BLOCK; l++)
                        part[l] = b->by_row[l] - b->row_slope[l] * by_input[l];
                    give(point_of(t, &at, t->by_row, r, n), part, &at);
                }
            }
            for (int l = 0; l < BLOCK; l++)
                rest[l] = h[l] * (R(1.0) - theta[l]);
            for (int c = 0; c < CHARGES; c++)
                for (int l = 0; l < BLOCK; l++)
                    s[c][l] = rest[l] * mu[c][l];
        }
        for (long r = 0; r < t->rows; r++) {
            for (int c = 0; c < SYNAPSE_CHARGES; c++)
                for (int l = 0; l < BLOCK; l++)
                    carried[c][l] = -synapses[r].later[c][l];
            take_programmed(t, &at, programmed, r);
            synapse_start_slope(programmed, carried, of_synapse, synapse_start_slope_w, by_programmed);
            give(t->by_programmed + r * lanes_of(t) + at.first, by_programmed, &at);
        }
        free(synapses);
    }
}

/* Squares of the rules' residuals as in kernels.c, and what the synapses of a column draw from it. A state that hardly
 * moves has a range of little more than Newton's error, and says nothing of the rule. */
#define SMALLEST_RANGE R(1e-2)

EXPORT void rule_residuals(const Task *t)
{
#pragma omp parallel for schedule(dynamic)
    for (long block = 0; block < blocks_of(t); block++) {
        Place at;
        Row z[SYNAPSE_UNKNOWNS], row, column, h, theta, total, part, smallest[SYNAPSE_CHARGES], largest[SYNAPSE_CHARGES];
        Row q[SYNAPSE_CHARGES], current[SYNAPSE_CHARGES], q_before[SYNAPSE_CHARGES], before[SYNAPSE_CHARGES];
        Row trapezoid, euler;
        PARAMETERS_OF_BOTH;
        CONSTANTS(synapse_flows, of_synapse);
        CONSTANTS(synapse_charges, of_synapse);
        find_place(t->images, t->neurons, block, &at);
        for (long s = 0; s < t->rows; s++) {
            for (long n = 0; n < t->points; n++) {
                for (int i = 0; i < SYNAPSE_UNKNOWNS; i++)
                    take(z[i], state_of(t, &at, i, s, n), &at);
                take(column, point_of(t, &at, t->x, PORT, n), &at);
                take_row(t, &at, row, s, n);
                synapse_charges(z, row, column, of_synapse, synapse_charges_w, q);
                for (int c = 0; c < SYNAPSE_CHARGES; c++)
                    for (int l = 0; l < BLOCK; l++) {
                        smallest[c][l] = n ? smaller(smallest[c][l], q[c][l]) : q[c][l];
                        largest[c][l] = n ? larger(largest[c][l], q[c][l]) : q[c][l];
                    }
            }
            for (long n = 0; n < t->points; n++) {
                for (int i = 0; i < SYNAPSE_UNKNOWNS; i++)
                    take(z[i], state_of(t, &at, i, s, n), &at);
                take(column, point_of(t, &at, t->x, PORT, n), &at);
                take_row(t, &at, row, s, n);
                step_of(t, &at, n, h, theta);
                synapse_flows(z, row, column, of_synapse, synapse_flows_w, q, current, total);
                fill(trapezoid, R(0.0));
                fill(euler, R(0.0));
                for (int c = 0; c < SYNAPSE_CHARGES; c++) {
                    VECTORS
                    for (int l = 0; l < BLOCK; l++) {
                        const real size = larger(magnitude(largest[c][l]), magnitude(smallest[c][l]));
                        const real range = larger(largest[c][l] - smallest[c][l], SMALLEST_RANGE * size);
                        const real scale = range > R(0.0) ? R(1.0) / range : R(0.0);
                        const real i = current[c][l], i_before = n ? before[c][l] : i;
                        const real change = q[c][l] - (n ? q_before[c][l] : q[c][l]);
                        trapezoid[l] += power_2((change - h[l] * (i + i_before) * R(0.5)) * scale);
                        euler[l] += power_2((change - h[l] * i) * scale);
                        before[c][l] = i;
                        q_before[c][l] = q[c][l];
                    }
                }
                real *const targets[] = {t->trapezoid, t->euler, t->drawn};
                const real *const parts[] = {trapezoid, euler, total};
                for (int k = 0; k < 3; k++) {
                    real *const target = point_of(t, &at, targets[k], 0, n);
                    if (s) {
                        take(part, target, &at);
                        add(part, parts[k]);
                        give(target, part, &at);
                    } else
                        give(target, parts[k], &at);
                }
            }
        }
    }
}
