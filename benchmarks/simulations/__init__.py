"""Do the intervals and tests of evalkit keep what they promise? Simulations with a known truth.

`benchmarks/statistics.py` runs them. A study draws many samples from a population whose true figure
is known, lets evalkit compute its interval or its p each time, and counts. Modules:

- `rows`: what is counted, and when a count falls short of what was promised.
- `shop`, `lists`, `voters`: populations of queries, of result lists in numbers, and of votes.
- `of_*`: the studies, by what they look at; `catalogue` lists them all.
- `running`: one after another or two at a time, resumable. `page`: the tables.
"""
