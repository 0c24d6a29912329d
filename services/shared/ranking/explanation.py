"""A ranking in sentences, for people at a terminal: what gave way, what broke ties, what to know."""

from services.shared.ranking.ranking import Ranking


def explain_ranking(ranking: Ranking) -> list[str]:
    """Return one sentence for each note, fallback and tie-break, and the digest of the rules first."""
    sentences = [f"rules digest {ranking.rules_digest}"]
    sentences += [f"note: {note}" for note in ranking.notes]
    for each in ranking.fallbacks:
        sentences.append(
            f"fallback: {each.candidate} ({each.group}) has {each.marks} of {each.panel_min} marks, "
            f"aggregated by {each.method}"
        )
    for tie in ranking.tie_breaks:
        sentences.append(f"tie-break: {tie.candidate} ({tie.group}) was separated by {tie.link}")
    return sentences
