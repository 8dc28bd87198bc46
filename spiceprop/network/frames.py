# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs that change in time: values at equally spaced frames, straight lines between them.

Frame k of F stands at t_k = k t_stop / (F - 1), the first at 0 and the last at the end. Between frames a row's voltage
is linear, so it is a sum of hat functions of the frames, and so is what is linear in it, a crossbar's currents:

    u(t) = sum_k H_k(t) u_k,        H_k(t_l) = 1 where k = l, else 0;        sum_k H_k(t) = 1.

A gradient goes back by the transpose, dL/du_k = sum_n H_k(t_n) dL/du(t_n). In ngspice these are PWL sources, with a
breakpoint at every frame. A network whose samples have no frames (0) has constant inputs.
"""

import numpy as np


def frame_times(frames: int, t_stop: float) -> np.ndarray:
    """(frames,) in seconds."""
    return np.linspace(0.0, t_stop, frames)


def hats(times: np.ndarray, frames: int, t_stop: float) -> np.ndarray:
    """H, (points, frames), at times (points,) within [0, t_stop]."""
    place = np.clip(times * ((frames - 1) / t_stop), 0.0, frames - 1)
    return np.clip(1.0 - np.abs(place[:, None] - np.arange(frames)), 0.0, None)


def at_points(matrix: np.ndarray, by_frame: np.ndarray) -> np.ndarray:
    """(points, images, neurons) from (images, frames, neurons); one product an image: its bits depend on it alone.

    matrix: H (points, frames) of all images, or (images, points, frames) of each.
    """
    return np.moveaxis(matrix @ by_frame, 1, 0)


def to_frames(matrix: np.ndarray, by_point: np.ndarray) -> np.ndarray:
    """The transpose of `at_points`: (images, frames, neurons) from (points, images, neurons)."""
    return np.swapaxes(matrix, -1, -2) @ np.moveaxis(by_point, 0, 1)
