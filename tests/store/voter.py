"""An annotator in a process of its own: votes until nothing is left, saying what was stored.

python voter.py URL STUDY_ID PERSON_ID...   one thread a person
"""

from __future__ import annotations

import os
import sys
import threading
import time

from evalkit.store import Ballot, Finished, Person, Store, mark_shown, next_task, open_store, submit


def vote_until_done(store: Store, study_id: int, person: Person) -> list[int]:
    """Return the votes that were acknowledged; print each before the next is given."""
    stored = []
    while True:
        served = next_task(store, study_id, person)
        if isinstance(served, Finished):
            if served.reason != "waiting":
                return stored
            time.sleep(0.01)
            continue
        mark_shown(store, served.assignment_id, person)
        done = submit(store, served.assignment_id, served.revision, Ballot(1), person)
        if done.status == "stored":
            assert done.vote_id is not None
            stored.append(done.vote_id)
            line = f"{done.vote_id} {served.assignment_id}\n"
            os.write(1, line.encode())  # one call, so that threads do not mix their lines


def main(url: str, study_id: int, people: list[int]) -> None:
    with open_store(url) as store:
        threads = [
            threading.Thread(
                target=vote_until_done, args=(store, study_id, Person(number, "", "annotator"))
            )
            for number in people
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), [int(number) for number in sys.argv[3:]])
