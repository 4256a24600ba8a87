"""Interrupts of threads: one each, and never into what comes after the call."""

from __future__ import annotations

import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from arqlite.errors import JobInterrupted
from arqlite.runtime.interrupts import InterruptibleCall


def spin(times: int) -> int:
    n = 0
    for _ in range(times):
        n += 1
    return n


def test_call_that_is_left_alone() -> None:
    """A call has its value, or its error."""
    good, bad = InterruptibleCall(lambda: 5), InterruptibleCall(lambda: 1 // 0)

    good()
    bad()

    assert (good.has_returned, good.value, good.error) == (True, 5, None)
    assert not bad.has_returned
    assert isinstance(bad.error, ZeroDivisionError)


def test_call_that_was_interrupted_before_it_began() -> None:
    """An interrupt ahead of the call keeps the function from being called at all."""
    called: list[int] = []
    call = InterruptibleCall(lambda: called.append(1))

    call.interrupt()
    call()

    assert called == []
    assert isinstance(call.error, JobInterrupted)


def test_interrupt_after_the_end_does_nothing() -> None:
    """A call that has ended is not touched, nor is its thread."""
    call = InterruptibleCall(lambda: "done")
    call()

    call.interrupt()

    assert spin(1000) == 1000
    assert call.value == "done"


def test_second_interrupt_does_nothing() -> None:
    """A function may clean up undisturbed: only one interrupt ever comes."""
    inside, cleaning, go_on = threading.Event(), threading.Event(), threading.Event()

    def function() -> str:
        try:
            inside.set()
            while True:
                spin(10)
        except JobInterrupted:
            cleaning.set()
            assert go_on.wait(10)
            spin(1000)
        return "clean"

    call = InterruptibleCall(function)
    thread = threading.Thread(target=call)
    thread.start()
    assert inside.wait(10)
    call.interrupt()
    assert cleaning.wait(10)
    call.interrupt()
    go_on.set()
    thread.join(10)

    assert call.value == "clean"


def test_shielded_part_is_interrupted_at_its_end() -> None:
    """An interrupt that comes in a shielded part is raised when that is over."""
    shielded, go_on = threading.Event(), threading.Event()
    passed: list[str] = []

    def function() -> None:
        assert call.shield()
        shielded.set()
        assert go_on.wait(10)
        passed.append("shielded part")
        call.unshield()
        passed.append("never")

    call = InterruptibleCall(function)
    thread = threading.Thread(target=call)
    thread.start()
    assert shielded.wait(10)
    call.interrupt()
    go_on.set()
    thread.join(10)

    assert passed == ["shielded part"]
    assert isinstance(call.error, JobInterrupted)


@pytest.mark.parametrize("is_shielded", [False, True])
def test_nothing_leaks_however_the_two_race(is_shielded: bool) -> None:
    """Thousands of interrupts around the very end of a call: the thread's next work never meets one."""
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    dice = random.Random(5)
    interrupted = 0
    try:
        with ThreadPoolExecutor(1) as pool:
            for _ in range(2000):
                call = racer(dice.randrange(20_000), is_shielded)
                future = pool.submit(call)
                while call.thread_id is None:
                    pass
                spin(dice.randrange(10_000))
                call.interrupt()
                after = pool.submit(spin, 300)

                assert future.result(10) is None
                assert after.result(10) == 300
                assert call.has_returned or isinstance(call.error, JobInterrupted)
                interrupted += not call.has_returned
    finally:
        sys.setswitchinterval(switch)

    assert 0 < interrupted < 2000


def racer(times: int, is_shielded: bool) -> InterruptibleCall:
    def function() -> int:
        if is_shielded and call.shield():
            try:
                spin(times // 2)
            finally:
                call.unshield()
        return spin(times)

    call = InterruptibleCall(function)
    return call
