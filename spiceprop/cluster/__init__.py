# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs where: worker processes with a simulator each."""

from spiceprop.cluster.pool import CHUNK, Pool, chunks
from spiceprop.cluster.worker import Job, Result, Task, Worker

__all__ = ["CHUNK", "Job", "Pool", "Result", "Task", "Worker", "chunks"]
