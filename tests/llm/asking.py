"""A run in a process of its own: python -m tests.llm.asking URL CACHE COUNT CONCURRENCY.

Prints a line for each answer when it has arrived, and at last the number of requests.
"""

import sys
from pathlib import Path

from evalkit.llm import Message, open_cache
from evalkit.llm.openai_endpoint import EndpointSettings, open_endpoint


def main() -> None:
    url, path, count, concurrency = sys.argv[1:5]
    model = open_endpoint(
        "fake",
        base_url=url,
        cache=open_cache(Path(path)),
        settings=EndpointSettings(concurrency=int(concurrency), timeout=20, first_wait=0.02),
    )
    questions = [[Message("user", f"question {number}")] for number in range(int(count))]
    answers = model.generate(questions, progress=lambda _: print("one", flush=True))
    wrong = [answer for answer in answers if answer.error]
    print("requests", model.counts.requests, "errors", len(wrong), flush=True)


if __name__ == "__main__":
    main()
