"""From a path to a plain file on disk: standard input, decompression, fingerprint, format.

DuckDB decompresses gzip and zstd itself, but takes a truncated file for a short one (1.5.6) and
checks no checksum, so compressed input is unpacked here, checked to its last byte, into a
temporary file that DuckDB can then read with all cores.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import sys
import tempfile
import threading
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem
from evalkit.tables.schema import FORMATS, SCHEMAS, TREC_FIELDS, Format, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Scan", "Source", "format_of_name", "open_source", "recognise_format"]

_BLOCK = 1 << 20
_HEAD = 1 << 16
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_EXTENSIONS: dict[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".qrel": "trec",
    ".qrels": "trec",
    ".run": "trec",
    ".trec": "trec",
    ".tsv": "tsv",
}
_GLOB = re.compile(r"[*?\[\]{}]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf)", re.IGNORECASE)


@dataclass
class Scan:
    """What one pass over the bytes of a plain file says, beside its fingerprint."""

    fingerprint: str = ""
    tabs: bool = False
    spaces: bool = False
    nuls: bool = False
    newlines: bool = False

    def see(self, block: bytes) -> None:
        """Look at one block (each test is a memchr)."""
        self.tabs = self.tabs or b"\t" in block
        self.spaces = self.spaces or b" " in block
        self.nuls = self.nuls or b"\0" in block
        self.newlines = self.newlines or b"\n" in block


@dataclass
class Source:
    """A plain, seekable file that holds the table.

    Attributes:
        path: as the user gave it.
        plain: the file that is read.
        head: its first bytes, without a byte order mark.
        starts_with_bom: whether a byte order mark was there.
        compression: `gzip`, `zstd`, or None, of the file as stored.
    """

    path: str
    plain: str
    head: bytes
    starts_with_bom: bool
    compression: str | None
    _scan: Scan = field(default_factory=Scan)
    _thread: threading.Thread | None = None
    _failure: list[OSError] = field(default_factory=list)

    def scan(self) -> Scan:
        """The result of the scan, once it is through."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure:
            raise _unreadable(self.path, self._failure[0])
        return self._scan

    def first_lines(self) -> list[str]:
        """The complete lines at the start of the file (at least one)."""
        text = self.head.decode("utf-8", errors="replace")
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return lines[:-1] if len(lines) > 1 and len(self.head) >= _HEAD - 3 else lines

    def first_record(self, delimiter: str) -> list[str]:
        """The fields of the first record that is not blank: the header of CSV and TSV."""
        lines = iter(line + "\n" for line in self.first_lines())
        first = self.head.lstrip(b"\r\n").partition(b"\n")[0]
        try:
            first.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                self.path,
                [Problem("the header is not UTF-8 text", row=1, value=repr(first[:60])[2:-1])],
                remedy="Save the file as UTF-8.",
            ) from error
        return next((record for record in csv.reader(lines, delimiter=delimiter) if record), [])


def _unreadable(path: str, error: Exception | str) -> InputError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(
        path,
        [Problem(f"cannot be read ({reason})")],
        remedy="Check the path, the permissions and whether the file is complete.",
    )


@contextmanager
def open_source(path: str | os.PathLike[str], stdin: IO[bytes] | None = None) -> Iterator[Source]:
    """Make `path` a plain local file for as long as the context lasts.

    Args:
        path: a file, or `-` for standard input, which is copied to a temporary file.
        stdin: the stream that stands for standard input; the process's own by default.

    Raises:
        InputError: nothing is there, it is a folder, it is empty, or it cannot be unpacked.
    """
    name = os.fspath(path)
    with tempfile.TemporaryDirectory(prefix="evalkit-read-") as folder:
        stored = os.path.join(folder, "stored")
        try:
            if name == "-":
                with open(stored, "wb") as copy:
                    shutil.copyfileobj(stdin or sys.stdin.buffer, copy, _BLOCK)
            elif not os.path.exists(name):
                raise InputError(
                    name,
                    [Problem("there is no such file")],
                    remedy="Check the path and its spelling.",
                )
            elif os.path.isdir(name):
                raise InputError(
                    name, [Problem("is a folder")], remedy="Name one of the files in it."
                )
            elif not os.path.isfile(name):
                # A pipe, such as `<(zcat today.run.gz)` of a shell, can be read only once.
                with open(name, "rb") as pipe, open(stored, "wb") as copy:
                    shutil.copyfileobj(pipe, copy, _BLOCK)
            else:
                stored = name
            with open(stored, "rb") as file:
                magic = file.read(4)
        except OSError as error:
            raise _unreadable(name, error) from error
        if not magic:
            raise _empty(name)
        source = _unpack(name, stored, folder, magic)
        if not source.head:
            raise _empty(name)
        try:
            yield source
        finally:
            if source._thread is not None:
                source._thread.join()


def _empty(path: str) -> InputError:
    return InputError(
        path, [Problem("is empty")], remedy="Check the command that should have written it."
    )


def _unpack(name: str, stored: str, folder: str, magic: bytes) -> Source:
    """Unpack what is compressed, checking it as it goes; scan what is not, in a thread."""
    compression = "gzip" if magic[:2] == _GZIP else "zstd" if magic == _ZSTD else None
    suffix = os.path.splitext(name)[1].lower()
    claimed = {".gz": "gzip", ".zst": "zstd"}.get(suffix)
    if claimed is not None and claimed != compression:
        raise InputError(
            name,
            [Problem(f"ends in {suffix} but is no {claimed} file")],
            remedy=f"Rename it without {suffix}, or compress it.",
        )
    scan = Scan()
    if compression is not None:
        plain = os.path.join(folder, "plain")
        try:
            _decompress(stored, plain, compression, scan)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(
                name,
                [Problem(f"is a damaged or incomplete {compression} file ({error})")],
                remedy="Copy or write it again.",
            ) from error
    else:
        plain = os.path.abspath(stored)
        if _GLOB.search(plain):
            # DuckDB would take these characters of a path for a pattern.
            os.symlink(plain, os.path.join(folder, "plain"))
            plain = os.path.join(folder, "plain")
    with open(plain, "rb") as file:
        head = file.read(_HEAD)
    bom = head.startswith(_BOM)
    source = Source(name, plain, head[3:] if bom else head, bom, compression, scan)
    if compression is None:

        def look() -> None:
            try:
                _scan_plain(plain, scan)
            except OSError as error:
                source._failure.append(error)

        source._thread = threading.Thread(target=look, name="evalkit-fingerprint", daemon=True)
        source._thread.start()
    return source


def _scan_plain(plain: str, scan: Scan) -> None:
    digest = hashlib.sha256()
    with open(plain, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            scan.see(block)
    scan.fingerprint = f"sha256:{digest.hexdigest()}"


def _decompress(stored: str, plain: str, compression: str, scan: Scan) -> None:
    digest = hashlib.sha256()
    with open(stored, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    scan.fingerprint = f"sha256:{digest.hexdigest()}"
    stream: Any
    if compression == "gzip":
        import gzip

        stream = gzip.open(stored, "rb")  # noqa: SIM115
    else:
        # The standard library reads zstd from Python 3.14 on; Arrow does in all that we support.
        import pyarrow as pa

        stream = pa.CompressedInputStream(pa.OSFile(stored), "zstd")
    with stream, open(plain, "wb") as out:
        while block := stream.read(_BLOCK):
            scan.see(block)
            out.write(block)


def recognise_format(kind: Kind, source: Source, asked: str | None) -> Format:
    """Tell the format: the one asked for, or the one of the name, or the one of the content.

    Parquet is known by its first bytes whatever the name. A `.csv`, `.tsv`, `.run`, `.qrels` or
    any other text file is looked at: without a header that fits, it is TREC if it has the shape.

    Raises:
        InputError: the format cannot be told, or is not one.
    """
    if asked is not None:
        for known in FORMATS:
            if asked == known:
                return known
        raise InputError(
            source.path,
            [Problem(f"unknown format {asked!r}")],
            remedy=f"Use one of {', '.join(FORMATS)}.",
        )
    if source.head.startswith(b"PAR1"):
        return "parquet"
    named = format_of_name(source.path)
    if named in ("jsonl", "parquet"):
        return named
    if source.head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(source.path, [Problem("is UTF-16 text")], remedy="Save it as UTF-8 text.")
    first = next((line for line in source.first_lines() if line.strip()), "")
    shaped = kind in TREC_FIELDS and _has_trec_shape(kind, first)
    for delimiter, delimited in ((",", "csv"), ("\t", "tsv")):
        if _looks_like_header(kind, source.first_record(delimiter)):
            return "csv" if delimited == "csv" else "tsv"
    if shaped:
        return "trec"
    if named is not None:
        return named
    if first.lstrip().startswith(("{", "[")):
        return "jsonl"
    if "," in first:
        return "csv"
    if "\t" in first:
        return "tsv"
    if kind in TREC_FIELDS and len(first.split()) > 1:
        return "trec"
    if kind not in TREC_FIELDS:
        return "csv"
    raise InputError(
        source.path,
        [Problem("cannot tell the format from the name or the content", row=1, value=first[:60])],
        remedy=f"Say which format it is ({', '.join(FORMATS)}) or end its name in that.",
    )


def format_of_name(path: str) -> Format | None:
    """The format that the end of the name stands for."""
    stem, suffix = os.path.splitext(path.lower())
    if suffix in (".gz", ".zst"):
        suffix = os.path.splitext(stem)[1]
    return _EXTENSIONS.get(suffix)


def _has_trec_shape(kind: Kind, line: str) -> bool:
    fields = line.split()
    width = len(TREC_FIELDS[kind])
    # A tag of several words makes a run's line too long: to be refused, but as TREC.
    if len(fields) < width or (len(fields) > width and kind != "run"):
        return False
    numeric = fields[3:5] if kind == "run" else fields[3:4]
    return all(_NUMBER.fullmatch(value) for value in numeric)


def _looks_like_header(kind: Kind, names: list[str]) -> bool:
    """Whether the fields name at least two columns of this kind, or all that it requires."""
    schema = SCHEMAS[kind]
    plain = [name.strip().lower().replace("-", "_").replace(" ", "_") for name in names]
    known = {schema.aliases.get(name, name) for name in plain}
    known |= {schema.weak_aliases[name] for name in plain if name in schema.weak_aliases}
    found = known & set(schema.roles)
    return len(found) >= 2 or set(schema.required) <= found
