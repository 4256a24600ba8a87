"""What is to be acknowledged: grouped, in parts that one turn can carry, and kept when a turn fails."""

from __future__ import annotations

from arqlite.engine import Ended, Returned
from arqlite.engine.redis import TURN_LIMIT
from arqlite.runtime.acker import Acker


def filled(*ends: tuple[str, int], returned: int = 0) -> Acker:
    acker = Acker()
    for job_id, keep_ms in ends:
        acker.end(job_id, keep_ms, b"S" + job_id.encode())
    for n in range(returned):
        acker.give_back(Returned(f"r{n}", "ready", 0, ""))
    return acker


def test_ends_are_grouped_by_lifetime() -> None:
    """Jobs whose results live equally long travel together, each with its own body."""
    acker = filled(("a", 5), ("b", 0), ("c", 5), returned=1)
    assert acker

    batch = acker.take()

    assert batch.ended == {5: Ended(["a", "c"], [b"Sa", b"Sc"]), 0: Ended(["b"], [b"Sb"])}
    assert [one.job_id for one in batch.returned] == ["r0"]
    assert list(batch.job_ids()) == ["a", "c", "b", "r0"]
    assert batch
    assert not acker


def test_nothing_to_acknowledge() -> None:
    """Without ends and returns there is nothing, and taking it is harmless."""
    acker = Acker()

    assert not acker
    assert not acker.take()


def test_turn_is_never_too_big() -> None:
    """What is more than one turn may carry goes in parts; every job in exactly one of them."""
    ends = [(f"j{n}", n % 3) for n in range(2 * TURN_LIMIT)]
    acker = filled(*ends, returned=700)
    seen: list[str] = []
    sizes = []

    while acker:
        ids = list(acker.take().job_ids())
        sizes.append(len(ids))
        seen += ids

    assert sizes == [TURN_LIMIT, TURN_LIMIT, 700]
    assert len(seen) == len(set(seen)) == 2 * TURN_LIMIT + 700


def test_parts_keep_ids_and_bodies_together() -> None:
    """Cut anywhere, each id keeps its own body."""
    acker = filled(*[(f"j{n}", 7) for n in range(TURN_LIMIT + 3)])

    for _ in range(2):
        for ended in acker.take().ended.values():
            assert [b"S" + job_id.encode() for job_id in ended.job_ids] == ended.bodies


def test_failed_batch_goes_again_alone() -> None:
    """A batch whose turn failed goes again as it was, before what has come since, and is marked."""
    acker = filled(("a", 5))
    batch = acker.take()
    acker.put_back(batch)
    acker.end("b", 5, b"Sb")

    again, rest = acker.take(), acker.take()

    assert again is batch
    assert again.resent
    assert list(rest.job_ids()) == ["b"]
    assert not rest.resent


def test_empty_batch_is_not_put_back() -> None:
    """A failed turn that carried nothing leaves nothing to resend."""
    acker = Acker()

    acker.put_back(acker.take())

    assert not acker


def test_clear_forgets_everything() -> None:
    """When the session is dead, its acks are worth nothing, those waiting included."""
    acker = filled(("a", 5))
    acker.put_back(acker.take())
    acker.end("b", 5, b"Sb")

    acker.clear()

    assert not acker
    assert not acker.take()
