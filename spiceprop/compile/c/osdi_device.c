/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A subcircuit as an OSDI device for ngspice: at each Newton iteration its currents f, charges q and their slopes.
 * What ngspice integrates is the charge of each node; it controls the step on it, as on a capacitor's. */
#include <string.h>

@osdi@

#define REAL double
#define INSIDE_NGSPICE
@functions@

@tables@

typedef struct {
    double *resistive[ENTRIES]; /* where ngspice keeps the matrix's entries */
    double *reactive[ENTRIES];
    uint32_t node[NODES];
    uint32_t state[1];
    bool collapsed[1];
    bool given[PARAMETERS + 1];
    double parameter[PARAMETERS + 1]; /* the last is the multiplier m */
    double constant[CONSTANTS + 1];
    double current[NODES], charge[NODES];
    double conductance[ENTRIES], capacitance[ENTRIES];
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
    double x[NODES];
    (void)handle; (void)model; (void)p; (void)w;
    for (int i = 0; i < NODES; i++)
        x[i] = info->prev_solve[it->node[i]];
    @equations@
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
    (void)handle; (void)model; (void)temperature; (void)terminals; (void)parameters;
    *result = (InitInfo){0};
    for (int i = 0; i <= PARAMETERS; i++)
        if (!it->given[i])
            it->parameter[i] = DEFAULTS[i];
    constants(it);
}

static void load_rhs(void *instance, void *model, double *rhs, double *solution, double alpha)
{
    Instance *const it = instance;
    (void)model;
    for (int i = 0; i < NODES; i++)
        rhs[it->node[i]] -= it->current[i];
    for (int k = 0; k < ENTRIES; k++)
        rhs[it->node[ROW[k]]] += (it->conductance[k] + alpha * it->capacitance[k]) * solution[it->node[COLUMN[k]]];
}

static void load_rhs_dc(void *instance, void *model, double *rhs, double *solution)
{
    load_rhs(instance, model, rhs, solution, 0.0);
}

static void load_jacobian_tran(void *instance, void *model, double alpha)
{
    Instance *const it = instance;
    (void)model;
    for (int k = 0; k < ENTRIES; k++)
        *it->resistive[k] += it->conductance[k] + alpha * it->capacitance[k];
}

static void load_jacobian_resist(void *instance, void *model) { load_jacobian_tran(instance, model, 0.0); }

static void load_jacobian_react(void *instance, void *model, double alpha)
{
    Instance *const it = instance;
    (void)model;
    for (int k = 0; k < ENTRIES; k++)
        *it->reactive[k] += alpha * it->capacitance[k];
}

static void load_nothing(void *instance, void *model, double *target) { (void)instance; (void)model; (void)target; }

static void load_no_noise(void *instance, void *model, double frequency, double *density)
{
    (void)instance; (void)model; (void)frequency; (void)density;
}

#define VISIBLE __attribute__((visibility("default")))
VISIBLE const uint32_t OSDI_VERSION_MAJOR = 0;
VISIBLE const uint32_t OSDI_VERSION_MINOR = 3;
VISIBLE const uint32_t OSDI_NUM_DESCRIPTORS = 1;
VISIBLE const Descriptor OSDI_DESCRIPTORS[1] = {{
    .name = NAME,
    .num_nodes = NODES,
    .num_terminals = NODES,
    .nodes = NODE_TABLE,
    .num_jacobian_entries = ENTRIES,
    .jacobian_entries = ENTRY_TABLE,
    .collapsed_offset = offsetof(Instance, collapsed),
    .num_params = PARAMETERS + 1,
    .num_instance_params = PARAMETERS + 1,
    .params = PARAMETER_TABLE,
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
}};
