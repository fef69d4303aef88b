"""Do the intervals and tests of evalkit keep what they promise? Measure it by simulation.

Every study draws samples from a population whose true figure is known, lets evalkit compute its
interval or its p, and counts how often the interval holds the truth and how often the test rejects
a true null hypothesis. What is simulated and how it came out: docs/statistics.md.

It is a report: the exit code is 0 whatever the counts are.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

# This script has the name of a module of the standard library, and the folder of a script comes
# first among the places where modules are looked for. So the folder is taken out before anything
# is imported, and if a neighbouring script finds this file when it imports `statistics`, it is
# given the module that it meant.
FOLDER = os.path.dirname(os.path.realpath(__file__))


def _elsewhere() -> list[str]:
    return [place for place in sys.path if os.path.realpath(place or os.curdir) != FOLDER]


if __name__ == "statistics":
    _spec = PathFinder.find_spec("statistics", _elsewhere())
    if _spec is None or _spec.loader is None:
        raise ModuleNotFoundError("No module named 'statistics'", name="statistics")
    sys.modules["statistics"] = module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["statistics"])
elif __name__ == "__main__":
    sys.path[:] = [os.path.dirname(FOLDER), *_elsewhere()]
    from benchmarks.simulations.running import main

    sys.exit(main())
