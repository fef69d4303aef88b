"""`python -m annotate_app --db URL --host H --port N`, which `evalkit annotate` starts."""

from __future__ import annotations

import argparse
import os
import sys

from annotate_app.server import serve
from annotate_app.session import open_database
from evalkit.errors import EvalkitError


def main() -> int:
    """Check the database, then serve."""
    parser = argparse.ArgumentParser(prog="python -m annotate_app", description=__doc__)
    parser.add_argument("--db", help="database URL (else EVALKIT_DB, else sqlite:///evalkit.db)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8501, help="port to listen on")
    options = parser.parse_args()
    if options.db:
        os.environ["EVALKIT_DB"] = options.db
    try:
        open_database()
    except EvalkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    try:
        serve(options.host, options.port)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
