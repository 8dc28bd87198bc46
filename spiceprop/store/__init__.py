# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on disk: ``record`` is what they hold, ``run_file`` the HDF5 schema, ``atomic`` writes files that appear whole.

Nothing is imported here: a simulator's process writes texts and must not wait for h5py.
"""
