/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The binary interface OSDI 0.3 as far as ngspice 44 and newer use it: the order and the types of its fields. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JACOBIAN_RESISTIVE = 4, JACOBIAN_REACTIVE = 8 };
enum { ACCESS_SET = 1, ACCESS_INSTANCE = 4 };
#define PARAMETER_OF_INSTANCE (1u << 30)
#define UNUSED UINT32_MAX

typedef struct { char **names; double *vals; char **names_str; char **vals_str; } SimulatorParameters;
typedef struct {
    SimulatorParameters parameters;
    double abstime;
    double *prev_solve, *prev_state, *next_state;
    uint32_t flags;
} SimulatorInfo;
typedef struct { uint32_t flags, num_errors; void *errors; } InitInfo;
typedef struct { uint32_t a, b; } Pair;
typedef struct { Pair nodes; uint32_t react_ptr_off, flags; } JacobianEntry;
typedef struct {
    char *name, *units, *residual_units;
    uint32_t resist_residual_off, react_residual_off, resist_limit_rhs_off, react_limit_rhs_off;
    bool is_flow;
} Node;
typedef struct { char **name; uint32_t num_alias; char *description, *units; uint32_t flags, len; } Parameter;
typedef struct { char *name; Pair nodes; } Noise;
typedef struct {
    char *name;
    uint32_t num_nodes, num_terminals;
    Node *nodes;
    uint32_t num_jacobian_entries;
    JacobianEntry *jacobian_entries;
    uint32_t num_collapsible;
    Pair *collapsible;
    uint32_t collapsed_offset;
    Noise *noise_sources;
    uint32_t num_noise_sources;
    uint32_t num_params, num_instance_params, num_opvars;
    Parameter *params;
    uint32_t node_mapping_offset, jacobian_ptr_resist_offset, num_states, state_idx_off, bound_step_offset;
    uint32_t instance_size, model_size;
    void *(*access)(void *, void *, uint32_t, uint32_t);
    void (*setup_model)(void *, void *, SimulatorParameters *, InitInfo *);
    void (*setup_instance)(void *, void *, void *, double, uint32_t, SimulatorParameters *, InitInfo *);
    uint32_t (*eval)(void *, void *, const void *, const SimulatorInfo *);
    void (*load_noise)(void *, void *, double, double *);
    void (*load_residual_resist)(void *, void *, double *);
    void (*load_residual_react)(void *, void *, double *);
    void (*load_limit_rhs_resist)(void *, void *, double *);
    void (*load_limit_rhs_react)(void *, void *, double *);
    void (*load_spice_rhs_dc)(void *, void *, double *, double *);
    void (*load_spice_rhs_tran)(void *, void *, double *, double *, double);
    void (*load_jacobian_resist)(void *, void *);
    void (*load_jacobian_react)(void *, void *, double);
    void (*load_jacobian_tran)(void *, void *, double);
} Descriptor;
