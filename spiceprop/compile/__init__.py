# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell as machine code: its symbolic equations printed as C once, and compiled for each use."""
