"""The bundle of a ranking as one zip: the files kept with the ranking, and their manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from services.scoring.combination import AUDITORS
from services.scoring.records import Ranking
from services.shared.ranking.bundle import write_bundle


def bundle_files(files: Mapping[str, bytes], auditor: bool) -> dict[str, bytes]:
    """The public files, or with an auditor's files in their place."""
    public = {name: data for name, data in files.items() if not name.startswith(AUDITORS)}
    if not auditor:
        return public
    own = {name.removeprefix(AUDITORS): data for name, data in files.items() if name.startswith(AUDITORS)}
    return public | own


def bundle_zip(ranking: Ranking, files: Mapping[str, bytes], auditor: bool) -> bytes:
    """The same bytes for the same ranking, today and in ten years."""
    with tempfile.TemporaryDirectory(prefix="pingxuan-bundle-") as folder:
        path = Path(folder) / "bundle.zip"
        chosen = bundle_files(files, auditor)
        write_bundle(chosen, path, rules_digest=ranking.rules_digest, software=ranking.software)
        return path.read_bytes()
