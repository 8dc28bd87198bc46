# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch one published file, whole and checked, or leave nothing behind.

The file appears under its own name only after its sha256 was found right: it is written beside its place and
then renamed, which is one step for the file system. So an interrupted download is never taken for a file, and
several processes that fetch the same one at once do no harm.
"""

import hashlib
import http.client
import sys
import urllib.request
from pathlib import Path

from spiceprop.data.official import OfficialFile
from spiceprop.errors import UserError
from spiceprop.store.atomic import written_beside

# Seconds without a single byte after which a server counts as gone.
TIMEOUT = 30.0


def download_file(url: str, official: OfficialFile, target: Path) -> None:
    """Fetch `url` into `target`, whose folder is made when it is missing.

    Raises UserError when the server cannot be reached or refuses, when what it sends is not the file that
    `official` describes, and when `target` cannot be written.
    """
    print(f"downloading {url} ({official.size / 1e6:.1f} MB)", file=sys.stderr)
    content = _fetch(url, official.size)
    found = hashlib.sha256(content).hexdigest()
    if found != official.sha256:
        raise UserError(
            f"{url} sent something other than the published file: its sha256 begins with {found[:12]}, "
            f"expected {official.sha256[:12]}"
        )
    with written_beside(target) as beside:
        beside.write_bytes(content)


def _fetch(url: str, size: int) -> bytes:
    """What `url` holds, but never more than one byte beyond `size`: enough for the checksum to fail."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            return response.read(size + 1)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"{url} could not be fetched: {error}") from None
