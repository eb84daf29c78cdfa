"""The picture in the README: DNR's Table 6 in the report, with one cell open. `tox -e picture` makes it anew."""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from repro import papers
from repro.core import paths
from repro.records.index import Index
from repro.report import write_report

from .chromium import Chromium

WIDTH, HEIGHT = 1280, 720
_OPEN = """(() => {
  document.getElementById("dnr/table6").scrollIntoView();
  document.querySelector('table.brief a[href="#dnr/table6/tanet_r50/gflops"]').click();
})()"""


def main(target: Path) -> None:
    """The report of the committed records, in a browser; few colours keep the file small."""
    with tempfile.TemporaryDirectory() as folder, Chromium(Path(folder) / "profile", WIDTH, HEIGHT) as browser:
        page = Path(folder) / "report.html"
        index = Index(paths.published().parent / "records")
        write_report(page, [papers.find(name) for name in papers.TABLES], index)
        browser.open(page.as_uri())
        browser.run(_OPEN)
        browser.wait("document.querySelector('#detail pre') && document.querySelector('#detail .verdict')")
        browser.run("document.getElementById('dnr/table6').scrollIntoView()")
        shot = base64.b64decode(browser.call("Page.captureScreenshot", format="png")["data"])
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(96).save(target, optimize=True)
    print(f"wrote {target}, {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
