/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Up to WIDTH instances of a subcircuit as one OSDI device for ngspice: at each Newton iteration their currents f,
 * charges q and the slopes of both. What ngspice integrates is the charge of each node; it controls the step on it, as
 * on a capacitor's. A device of fewer cells computes the same vectors and uses a part of them, so a cell's bits do not
 * depend on its neighbours. Its terminals are those of the first cell, then those of the second, and so on; behind them
 * stand the branch currents in the same order, which are nodes inside the device. */
#include <stdio.h>

@osdi@

#define REAL double
#define INSIDE_NGSPICE
@functions@

@sizes@
enum { FLOWS = NODES - TERMINALS };

/* The place of a cell's unknown among the nodes of a device of so many cells. */
static inline uint32_t place(int cells, int cell, int unknown)
{
    return unknown < TERMINALS ? cell * TERMINALS + unknown : cells * TERMINALS + cell * FLOWS + unknown - TERMINALS;
}

typedef struct {
    double *resistive[WIDTH * ENTRIES]; /* where ngspice keeps the matrix's entries */
    double *reactive[WIDTH * ENTRIES];
    uint32_t node[WIDTH * NODES];
    uint32_t state[1];
    bool collapsed[1];
    bool given[PARAMETERS + 1];
    int cells;
    double parameter[PARAMETERS + 1]; /* the last is the multiplier m */
    double constant[CONSTANTS + 1];
    double current[NODES][WIDTH], charge[NODES][WIDTH];
    double conductance[ENTRIES][WIDTH], capacitance[ENTRIES][WIDTH];
} __attribute__((aligned(16))) Instance;

typedef struct { double unused[2]; } Model;

static void constants(Instance *const it)
{
    const double *const p = it->parameter;
    double *const w = it->constant;
    (void)p; (void)w;
    @constants@
}

static uint32_t eval(void *handle, void *instance, const void *model, const SimulatorInfo *info)
{
    Instance *const it = instance;
    const double *const p = it->parameter, *const w = it->constant;
    const double m = p[PARAMETERS];
    double x[NODES][WIDTH] = {{0.0}};
    (void)handle; (void)model; (void)p; (void)w;
    for (int c = 0; c < it->cells; c++)
        for (int i = 0; i < NODES; i++)
            x[i][c] = info->prev_solve[it->node[place(it->cells, c, i)]];
    _Pragma("omp simd")
    for (int c = 0; c < WIDTH; c++) {
        @equations@
    }
    return 0;
}

static void *access_value(void *instance, void *model, uint32_t id, uint32_t flags)
{
    Instance *const it = instance;
    (void)model;
    if (it == NULL || id > PARAMETERS)
        return NULL;
    if (flags & ACCESS_SET)
        it->given[id] = true;
    return &it->parameter[id];
}

static void setup_model(void *handle, void *model, SimulatorParameters *parameters, InitInfo *result)
{
    (void)handle; (void)model; (void)parameters;
    *result = (InitInfo){0};
}

static void setup_instance(void *handle, void *instance, void *model, double temperature, uint32_t terminals,
                           SimulatorParameters *parameters, InitInfo *result)
{
    Instance *const it = instance;
    (void)handle; (void)model; (void)temperature; (void)parameters;
    *result = (InitInfo){0};
    it->cells = (int)(terminals / TERMINALS);
    for (int i = 0; i <= PARAMETERS; i++)
        if (!it->given[i])
            it->parameter[i] = DEFAULTS[i];
    constants(it);
}

static void load_rhs(void *instance, void *model, double *rhs, double *solution, double alpha)
{
    Instance *const it = instance;
    (void)model;
    for (int c = 0; c < it->cells; c++) {
        uint32_t node[NODES];
        for (int i = 0; i < NODES; i++) {
            node[i] = it->node[place(it->cells, c, i)];
            rhs[node[i]] -= it->current[i][c];
        }
        for (int k = 0; k < ENTRIES; k++)
            rhs[node[ROW[k]]] += (it->conductance[k][c] + alpha * it->capacitance[k][c]) * solution[node[COLUMN[k]]];
    }
}

static void load_rhs_dc(void *instance, void *model, double *rhs, double *solution)
{
    load_rhs(instance, model, rhs, solution, 0.0);
}

static void load_jacobian_tran(void *instance, void *model, double alpha)
{
    Instance *const it = instance;
    (void)model;
    for (int c = 0; c < it->cells; c++)
        for (int k = 0; k < ENTRIES; k++)
            *it->resistive[c * ENTRIES + k] += it->conductance[k][c] + alpha * it->capacitance[k][c];
}

static void load_jacobian_resist(void *instance, void *model) { load_jacobian_tran(instance, model, 0.0); }

static void load_jacobian_react(void *instance, void *model, double alpha)
{
    Instance *const it = instance;
    (void)model;
    for (int c = 0; c < it->cells; c++)
        for (int k = 0; k < ENTRIES; k++)
            if (it->reactive[c * ENTRIES + k] != NULL) /* not every entry has a capacitance */
                *it->reactive[c * ENTRIES + k] += alpha * it->capacitance[k][c];
}

static void load_nothing(void *instance, void *model, double *target) { (void)instance; (void)model; (void)target; }

static void load_no_noise(void *instance, void *model, double frequency, double *density)
{
    (void)instance; (void)model; (void)frequency; (void)density;
}

#define VISIBLE __attribute__((visibility("default")))
VISIBLE const uint32_t OSDI_VERSION_MAJOR = 0;
VISIBLE const uint32_t OSDI_VERSION_MINOR = 3;
VISIBLE const uint32_t OSDI_NUM_DESCRIPTORS = WIDTH;
VISIBLE Descriptor OSDI_DESCRIPTORS[WIDTH];

static char device_names[WIDTH][NAME_LENGTH], node_names[WIDTH * NODES][NAME_LENGTH];
static Node nodes[WIDTH][WIDTH * NODES];
static JacobianEntry entries[WIDTH][WIDTH * ENTRIES];
static char *parameter_names[PARAMETERS + 1][1];
static Parameter parameters[PARAMETERS + 1];

static void describe_cell(int cells, int c)
{
    for (int i = 0; i < NODES; i++) {
        const bool is_flow = i >= TERMINALS;
        nodes[cells - 1][place(cells, c, i)] = (Node){
            .name = node_names[c * NODES + i],
            .units = is_flow ? "A" : "V",
            .residual_units = is_flow ? "V" : "A",
            .resist_residual_off = offsetof(Instance, current) + sizeof(double) * (i * WIDTH + c),
            .react_residual_off = CHARGED[i] ? offsetof(Instance, charge) + sizeof(double) * (i * WIDTH + c) : UNUSED,
            .resist_limit_rhs_off = UNUSED,
            .react_limit_rhs_off = UNUSED,
            .is_flow = is_flow,
        };
    }
    for (int k = 0; k < ENTRIES; k++)
        entries[cells - 1][c * ENTRIES + k] = (JacobianEntry){
            .nodes = {place(cells, c, ROW[k]), place(cells, c, COLUMN[k])},
            .react_ptr_off = REACTIVE[k] ? offsetof(Instance, reactive) + sizeof(double *) * (c * ENTRIES + k) : UNUSED,
            .flags = JACOBIAN_RESISTIVE | (REACTIVE[k] ? JACOBIAN_REACTIVE : 0),
        };
}

__attribute__((constructor)) static void describe(void)
{
    for (int i = 0; i <= PARAMETERS; i++) {
        parameter_names[i][0] = (char *)PARAMETER_NAMES[i];
        parameters[i] = (Parameter){parameter_names[i], 0, "", "", PARAMETER_OF_INSTANCE, 0};
    }
    for (int c = 0; c < WIDTH; c++)
        for (int i = 0; i < NODES; i++)
            snprintf(node_names[c * NODES + i], NAME_LENGTH, "%s_%d", NODE_NAMES[i], c + 1);
    for (int cells = 1; cells <= WIDTH; cells++) {
        snprintf(device_names[cells - 1], NAME_LENGTH, "%s_x%d", NAME, cells);
        for (int c = 0; c < cells; c++)
            describe_cell(cells, c);
        OSDI_DESCRIPTORS[cells - 1] = (Descriptor){
            .name = device_names[cells - 1],
            .num_nodes = cells * NODES,
            .num_terminals = cells * TERMINALS,
            .nodes = nodes[cells - 1],
            .num_jacobian_entries = cells * ENTRIES,
            .jacobian_entries = entries[cells - 1],
            .collapsed_offset = offsetof(Instance, collapsed),
            .num_params = PARAMETERS + 1,
            .num_instance_params = PARAMETERS + 1,
            .params = parameters,
            .node_mapping_offset = offsetof(Instance, node),
            .jacobian_ptr_resist_offset = offsetof(Instance, resistive),
            .state_idx_off = offsetof(Instance, state),
            .bound_step_offset = UNUSED,
            .instance_size = sizeof(Instance),
            .model_size = sizeof(Model),
            .access = access_value,
            .setup_model = setup_model,
            .setup_instance = setup_instance,
            .eval = eval,
            .load_noise = load_no_noise,
            .load_residual_resist = load_nothing,
            .load_residual_react = load_nothing,
            .load_limit_rhs_resist = load_nothing,
            .load_limit_rhs_react = load_nothing,
            .load_spice_rhs_dc = load_rhs_dc,
            .load_spice_rhs_tran = load_rhs,
            .load_jacobian_resist = load_jacobian_resist,
            .load_jacobian_react = load_jacobian_react,
            .load_jacobian_tran = load_jacobian_tran,
        };
    }
}
