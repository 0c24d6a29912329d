"""The Kunming round from its announcement in September 2020 to the acceptance of a project in November 2021.

Read the steps in their order: each is a short function whose docstring says what the platform does. They are in
round_applying.py (call, units, applications, recommendation), round_choosing.py (review, vote, experts, ranking,
notice) and round_managing.py (objection, confirmation, projects).
"""

from __future__ import annotations

from tests.guide import round_applying, round_choosing, round_managing
from tests.guide.round_play import Play
from tests.guide.town import Town


async def test_the_kunming_round_from_announcement_to_acceptance(town: Town) -> None:
    play = Play(town)
    for step in (*round_applying.STEPS, *round_choosing.STEPS, *round_managing.STEPS):
        try:
            await step(play)
        except Exception as error:
            error.add_note(f"in the step: {step.__name__.replace('_', ' ')}")
            raise
