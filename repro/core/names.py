"""Names that a record can bear: they become folders and files, parts of addresses, and words of a shell."""

from __future__ import annotations

import re
import unicodedata

#: what a record takes as paper, table, row or cell
PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.+@=-]{0,119}$"
#: signs of a name that others are put together with
MOST_SIGNS = 64


def is_name(text: str) -> bool:
    """Whether a name can be registered: a record can bear it, also with another name beside it."""
    return re.fullmatch(PATTERN, text) is not None and len(text) <= MOST_SIGNS


def name_like(text: str) -> str:
    """The name that is most like a text: `my data` becomes `my-data`, `é` becomes `e`; `data` where nothing is left.
    There is room for a digest behind it.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.+=-]+", "-", plain).lstrip("_.+=-").rstrip("-")[: MOST_SIGNS - 16] or "data"
