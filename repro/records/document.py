"""A record as a file: its bytes, which carry their own sha256, and the checks of what is read."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pydantic
from pydantic_core import from_json, to_json

from repro.core.errors import RecordError
from repro.core.files import parse_json
from repro.records.schema import SCHEMA_VERSION, Record, faults

#: bytes of a record at most
_LARGEST = 50_000_000
_LAST = b'"digest":'


def load(path: Path) -> Record:
    """One record, checked; `RecordError` names the file and the fault."""
    content = content_of(path)
    document = _parsed(path, content)
    if document.get("schema_version") != SCHEMA_VERSION:
        raise RecordError(
            f"{path}: schema version {document.get('schema_version')!r}; this program reads {SCHEMA_VERSION}",
            fix="python -m repro records upgrade",
        )
    if document.pop("digest", None) != _digest(content):
        raise RecordError(f"{path}: content does not fit its own sha256; it was damaged or edited")
    record = validated(document, path)
    if Path(path).name != f"{record.name}.json":
        raise RecordError(f"{path}: the name should be {record.name}.json")
    return record


def content_of(path: Path) -> bytes:
    """The bytes of a file of reasonable size; of nothing else, such as a pipe, which would never end."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise RecordError(f"{path}: no file")
        if facts.st_size > _LARGEST:
            raise RecordError(f"{path}: {facts.st_size / 1e6:.0f} MB; a record has at most {_LARGEST / 1e6:.0f}")
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: not readable: {error.strerror}") from error


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    """The JSON object of a record; numbers are finite, text is Unicode: no half of a surrogate pair."""
    try:
        document = from_json(content, allow_inf_nan=False)  # words that many records have are one string
        if b"Infinity" in to_json(document, inf_nan_mode="constants"):  # perhaps a number beyond all floats
            parse_json(content)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(document, dict):
        raise RecordError(f"{path}: holds {type(document).__name__}, not a record")
    return document


def validated(document: dict[str, Any], path: Path) -> Record:
    """The document as a record; `RecordError` names the first fields at fault."""
    try:
        return Record.model_validate(document)
    except pydantic.ValidationError as error:
        raise RecordError(f"{path}: {faults(error)}") from error


def _digest(content: bytes) -> str:
    """sha256 of a file's bytes before its digest, the last field; ends of lines as they were written."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n").rpartition(_LAST)[0]).hexdigest()


def document_of(record: Record) -> bytes:
    """The bytes of a record's file."""
    try:
        return signed(record.model_dump(mode="json"))
    except ValueError as error:  # pydantic's for what is no plain data, json's for NaN and infinity
        raise RecordError(f"record {record.name} holds what JSON cannot: {error}") from error


def signed(document: dict[str, Any]) -> bytes:
    """A document as a file's bytes, its digest last."""
    text = json.dumps({**document, "digest": ""}, indent=1, allow_nan=False).encode()
    return text.rpartition(_LAST)[0] + _LAST + f' "{_digest(text)}"\n}}\n'.encode()
