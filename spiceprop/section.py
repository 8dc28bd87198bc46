# SPDX-License-Identifier: GPL-3.0-or-later
"""What all sections of an experiment share: unknown keys and numbers that are not finite are errors."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
