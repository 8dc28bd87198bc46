# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress, tables and figures for people."""

from spiceprop.report.console import FolderLog, ProgressBar, progress_bar, result_table

__all__ = ["FolderLog", "ProgressBar", "progress_bar", "result_table"]
