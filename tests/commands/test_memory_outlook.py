"""What ``ablate plan`` says of memory, beside what there is."""

from ablate.commands.memory_outlook import memory_outlook
from ablate.execute.fitting import Fitted, Room


def test_workers_are_counted_that_share_the_memory_they_are_set_against():
    found = memory_outlook(Fitted([], [300, 200, 100], {}), Room(at_hand=400, workers=2))
    assert found == {"worker": 300, "workers": 500, "at_hand": 400, "smaller": {}}
    assert memory_outlook(Fitted([], [300, 200, 100], {}), Room(400, 1))["workers"] == 300
    assert memory_outlook(Fitted([], [300, None], {}), Room(None, 2))["worker"] is None
