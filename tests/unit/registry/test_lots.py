"""Numbers by lot: what anybody computes from the published seed."""

from __future__ import annotations

from services.registry.rounds.lots import draw_numbers, new_seed


def test_numbers_follow_the_hashes_in_ascending_order() -> None:
    # SHA-256 of "seed:a", "seed:b", "seed:c" begin with 3055…, e362…, e1c7….
    assert draw_numbers(["a", "b", "c"], "seed") == {"a": 1, "c": 2, "b": 3}
    assert draw_numbers(["c", "b", "a"], "seed") == {"a": 1, "c": 2, "b": 3}


def test_another_seed_draws_another_order() -> None:
    candidates = [f"K{k:02d}" for k in range(40)]
    assert draw_numbers(candidates, "one") != draw_numbers(candidates, "two")
    assert sorted(draw_numbers(candidates, "one").values()) == list(range(1, 41))


def test_seeds_are_128_bits_and_never_the_same() -> None:
    seeds = {new_seed() for _ in range(50)}
    assert len(seeds) == 50
    assert all(len(bytes.fromhex(seed)) == 16 for seed in seeds)
