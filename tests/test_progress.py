"""Bars: long work that was asked to stop does so when its bar moves on."""

from __future__ import annotations

import pytest

from evalkit.interruption import ask_to_stop, noting_ctrl_c
from evalkit.progress import progress_bar


def test_work_stops_at_its_bar_when_ctrl_c_was_lost(capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def work() -> None:
        with progress_bar(3, "Working", "steps") as moved:
            for step in range(3):
                done.append(step)
                if step == 1:
                    ask_to_stop()  # as a Ctrl-C does that nobody hears
                moved(1)

    with noting_ctrl_c(), pytest.raises(KeyboardInterrupt):
        work()
    assert done == [0, 1]
    with progress_bar(2, "Working again", "steps") as moved:  # what was asked is forgotten
        moved(2)
    assert "2/2" in capsys.readouterr().err
