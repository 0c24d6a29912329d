"""What an operator may tune in the scoring service."""

from __future__ import annotations

from typing import Annotated

from services.shared.settings import Doc, ServiceSettings


class ScoringSettings(ServiceSettings, frozen=True, kw_only=True):
    """Settings of the scoring service."""

    tally_key_file: Annotated[str, Doc(description="File with the secret that sealed tallies are opened with.")]
    comment_length_max: Annotated[int, Doc(description="Longest comment on a score sheet, in characters.", ge=0)] = 4000
