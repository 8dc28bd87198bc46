# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on disk: ``run_file`` is the HDF5 schema, ``atomic`` writes files that appear whole or not at all.

Nothing is imported here: a simulator's process writes texts and must not wait for h5py.
"""
