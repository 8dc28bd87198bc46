# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer of neurons forward and backward: time and memory of each method, at training size and at larger ones.

The task and its two discretisations are in `baselines/task.py`. Methods take turns, and the best call counts, because
a machine is rarely ours alone. `gradient_deviation` is from the kernel by hand in float64; under euler that one
differentiates implicitly, and autograd goes through four iterations that have not all converged.
"""

import statistics
from contextlib import ExitStack

from common import CORES, leave_csv
from measured import Measured

# A method is a module with the `prepare` of baselines/task.py.
METHODS = {
    "torch eager": "baselines.torch_eager",
    "torch.compile": "baselines.torch_compiled",
    "diffrax": "baselines.diffrax_solver",
    "C by hand": "baselines.hand_kernel",
    "spiceprop": "our_kernels",
}
REFERENCE = "C by hand"
SIZES = (  # scheme, images, neurons, steps, cores
    ("linear", 128, 100, 100, CORES),
    ("linear", 128, 100, 100, 1),
    ("euler", 128, 100, 100, CORES),
    ("linear", 32, 100, 100, CORES),
    ("linear", 512, 100, 100, CORES),
    ("linear", 128, 100, 400, CORES),
)
ROUNDS = 8
TURN = 400.0  # milliseconds


def measure(scheme: str, images: int, neurons: int, steps: int, cores: int) -> list[dict]:
    with ExitStack() as stack:
        methods = {
            name: stack.enter_context(Measured(module, scheme, images, neurons, steps, cores))
            for name, module in METHODS.items()
        }
        times = {name: [] for name in methods}
        for _ in range(ROUNDS):
            for name, method in methods.items():
                times[name] += method.milliseconds(TURN)
        return [
            {
                "method": name,
                "scheme": scheme,
                "images": images,
                "neurons": neurons,
                "steps": steps,
                "cores": cores,
                "best_ms": f"{min(times[name]):.2f}",
                "median_ms": f"{statistics.median(times[name]):.2f}",
                "over_hand": f"{min(times[name]) / min(times[REFERENCE]):.1f}",
                "memory_MB": f"{method.megabytes():.1f}",
                "first_call_s": f"{method.first_seconds:.1f}",
                "gradient_deviation": f"{method.deviation():.1e}",
            }
            for name, method in methods.items()
        ]


def main() -> None:
    leave_csv(__file__, [row for size in SIZES for row in measure(*size)])


if __name__ == "__main__":
    main()
