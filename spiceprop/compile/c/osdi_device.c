/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Up to WIDTH instances of a subcircuit as one OSDI device for ngspice: at each Newton iteration their currents f,
 * charges q and the slopes of both. What ngspice integrates is the charge of each node; it controls the step on it, as
 * on a capacitor's. A device of fewer cells computes the same vectors and uses a part of them, so a cell's bits do not
 * depend on its neighbours. Its nodes are those of the first cell, then those of the second, and so on. */

@osdi@

#define REAL double
#define INSIDE_NGSPICE
@functions@

@sizes@

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
            x[i][c] = info->prev_solve[it->node[c * NODES + i]];
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
    it->cells = (int)(terminals / NODES);
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
        const uint32_t *const node = it->node + c * NODES;
        for (int i = 0; i < NODES; i++)
            rhs[node[i]] -= it->current[i][c];
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

@tables@

#define VISIBLE __attribute__((visibility("default")))
VISIBLE const uint32_t OSDI_VERSION_MAJOR = 0;
VISIBLE const uint32_t OSDI_VERSION_MINOR = 3;
VISIBLE const uint32_t OSDI_NUM_DESCRIPTORS = WIDTH;

#define DEVICE(count)                                                                                                  \
    {                                                                                                                  \
        .name = NAME "_x" #count,                                                                                      \
        .num_nodes = count * NODES,                                                                                    \
        .num_terminals = count * NODES,                                                                                \
        .nodes = NODE_TABLE,                                                                                           \
        .num_jacobian_entries = count * ENTRIES,                                                                       \
        .jacobian_entries = ENTRY_TABLE,                                                                               \
        .collapsed_offset = offsetof(Instance, collapsed),                                                             \
        .num_params = PARAMETERS + 1,                                                                                  \
        .num_instance_params = PARAMETERS + 1,                                                                         \
        .params = PARAMETER_TABLE,                                                                                     \
        .node_mapping_offset = offsetof(Instance, node),                                                               \
        .jacobian_ptr_resist_offset = offsetof(Instance, resistive),                                                   \
        .state_idx_off = offsetof(Instance, state),                                                                    \
        .bound_step_offset = UNUSED,                                                                                   \
        .instance_size = sizeof(Instance),                                                                             \
        .model_size = sizeof(Model),                                                                                   \
        .access = access_value,                                                                                        \
        .setup_model = setup_model,                                                                                    \
        .setup_instance = setup_instance,                                                                              \
        .eval = eval,                                                                                                  \
        .load_noise = load_no_noise,                                                                                   \
        .load_residual_resist = load_nothing,                                                                          \
        .load_residual_react = load_nothing,                                                                           \
        .load_limit_rhs_resist = load_nothing,                                                                         \
        .load_limit_rhs_react = load_nothing,                                                                          \
        .load_spice_rhs_dc = load_rhs_dc,                                                                              \
        .load_spice_rhs_tran = load_rhs,                                                                               \
        .load_jacobian_resist = load_jacobian_resist,                                                                  \
        .load_jacobian_react = load_jacobian_react,                                                                    \
        .load_jacobian_tran = load_jacobian_tran,                                                                      \
    }

VISIBLE const Descriptor OSDI_DESCRIPTORS[WIDTH] = {
    @devices@
};
