"""Background work leaves room for what cannot wait."""

from connectors.budget import Background, LocalBudget, Rate

RATE = Rate(1.0, 8)


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_background_work_leaves_a_quarter_of_the_bucket_and_then_keeps_the_rate():
    clock = Clock()
    shared = LocalBudget(clock.now)
    slow = Background(shared, keep=0.25, now=clock.now, sleep=clock.sleep)
    for _ in range(6):
        assert slow.reserve("a", RATE, 1, 60) == 0
    assert clock.at == 0
    slow.reserve("a", RATE, 1, 60)
    assert clock.at == 1  # the seventh waits for a token of its own …
    assert [shared.reserve("a", RATE, 1, 60) for _ in range(2)] == [
        0,
        0,
    ]  # … two are left for who cannot wait
    for _ in range(20):
        slow.reserve("a", RATE, 1, 60)
    assert clock.at == 1 + 2 + 20  # the rate, once what was borrowed is restored


def test_background_work_without_room_in_time_takes_nothing():
    clock = Clock()
    shared = LocalBudget(clock.now)
    slow = Background(shared, keep=0.25, now=clock.now, sleep=clock.sleep)
    shared.reserve("a", RATE, 8, 0)
    assert slow.reserve("a", RATE, 1, 2.5) > 2.5
    assert clock.at == 0
    assert shared.reserve("a", RATE, 1, 60) == 1
