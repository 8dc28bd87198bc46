/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All transconductances of a crossbar between two layers as one OSDI device for ngspice. Its terminals are the
 * membranes that drive rows, the reference, the bias where there is one, and the neurons, place by place. It has no
 * entry in the matrix: what the rows carry is that of the last iteration (see crossbars.py). */
#include <stdio.h>

@osdi@

#define VISIBLE __attribute__((visibility("default")))

@sizes@
enum { REFERENCE = DRIVEN, NEURONS = PLACES * COLUMNS, FIRST_NEURON = DRIVEN + 1 + BIAS };
enum { TERMINALS = FIRST_NEURON + NEURONS, NAME_LENGTH = 16 };

/* (inputs and bias, columns) in siemens; whoever loads the circuit writes them here */
VISIBLE double transconductances[(INPUTS + BIAS) * COLUMNS];

typedef struct {
    uint32_t node[TERMINALS];
    uint32_t state[1];
    bool collapsed[1];
    double unknown; /* where descriptions must point to something */
    double current[PLACES][COLUMNS];
} __attribute__((aligned(16))) Instance;

typedef struct { double unused[2]; } Model;

static uint32_t eval(void *handle, void *instance, const void *model, const SimulatorInfo *info)
{
    Instance *const it = instance;
    const double *const x = info->prev_solve;
    const double reference = x[it->node[REFERENCE]];
    (void)handle; (void)model;
    for (int place = 0; place < PLACES; place++) {
        double sum[COLUMNS] = {0.0};
        const double *row = transconductances;
        for (int input = 0; input < INPUTS; input++, row += COLUMNS) {
            const double volts = x[it->node[ROW[place][input]]] - reference;
            for (int column = 0; column < COLUMNS; column++)
                sum[column] += row[column] * volts;
        }
        for (int column = 0; column < COLUMNS; column++)
            it->current[place][column] = sum[column] + (BIAS ? row[column] * x[it->node[REFERENCE + 1]] : 0.0);
    }
    return 0;
}

static void load_rhs(void *instance, void *model, double *rhs, double *solution, double alpha)
{
    Instance *const it = instance;
    const double *const current = it->current[0];
    (void)model; (void)solution; (void)alpha;
    for (int neuron = 0; neuron < NEURONS; neuron++)
        rhs[it->node[FIRST_NEURON + neuron]] += current[neuron];
}

static void load_rhs_dc(void *instance, void *model, double *rhs, double *solution)
{
    load_rhs(instance, model, rhs, solution, 0.0);
}

static void *access_value(void *instance, void *model, uint32_t id, uint32_t flags)
{
    (void)instance; (void)model; (void)id; (void)flags;
    return NULL;
}

static void setup_model(void *handle, void *model, SimulatorParameters *parameters, InitInfo *result)
{
    (void)handle; (void)model; (void)parameters;
    *result = (InitInfo){0};
}

static void setup_instance(void *handle, void *instance, void *model, double temperature, uint32_t terminals,
                           SimulatorParameters *parameters, InitInfo *result)
{
    (void)handle; (void)instance; (void)model; (void)temperature; (void)terminals; (void)parameters;
    *result = (InitInfo){0};
}

static void load_no_noise(void *instance, void *model, double frequency, double *density)
{
    (void)instance; (void)model; (void)frequency; (void)density;
}

static void load_nothing(void *instance, void *model, double *target) { (void)instance; (void)model; (void)target; }
static void load_no_entry(void *instance, void *model) { (void)instance; (void)model; }
static void load_no_charge(void *instance, void *model, double alpha) { (void)instance; (void)model; (void)alpha; }

VISIBLE const uint32_t OSDI_VERSION_MAJOR = 0;
VISIBLE const uint32_t OSDI_VERSION_MINOR = 3;
VISIBLE const uint32_t OSDI_NUM_DESCRIPTORS = 1;
VISIBLE Descriptor OSDI_DESCRIPTORS[1];

static char node_names[TERMINALS][NAME_LENGTH];
static Node nodes[TERMINALS];

__attribute__((constructor)) static void describe(void)
{
    for (int i = 0; i < TERMINALS; i++) {
        snprintf(node_names[i], NAME_LENGTH, "node%d", i);
        nodes[i] = (Node){
            .name = node_names[i],
            .units = "V",
            .residual_units = "A",
            .resist_residual_off = offsetof(Instance, unknown),
            .react_residual_off = UNUSED,
            .resist_limit_rhs_off = UNUSED,
            .react_limit_rhs_off = UNUSED,
        };
    }
    OSDI_DESCRIPTORS[0] = (Descriptor){
        .name = NAME,
        .num_nodes = TERMINALS,
        .num_terminals = TERMINALS,
        .nodes = nodes,
        .collapsed_offset = offsetof(Instance, collapsed),
        .node_mapping_offset = offsetof(Instance, node),
        .jacobian_ptr_resist_offset = offsetof(Instance, unknown),
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
        .load_jacobian_resist = load_no_entry,
        .load_jacobian_react = load_no_charge,
        .load_jacobian_tran = load_no_charge,
    };
}
