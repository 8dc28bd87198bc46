# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress, tables and figures for people."""

from spiceprop.report.console import ProgressBar, comparison_table, log_file, progress_bar, result_table

__all__ = ["ProgressBar", "comparison_table", "log_file", "progress_bar", "result_table"]
