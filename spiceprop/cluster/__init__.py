# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs where: ``process`` is a process that is ended from outside, ``isolated`` and ``pool`` use it.

Nothing is imported here: a process with a simulator must not wait for what it does not need.
"""
