"""A table as an HTML fragment; the same template stands in the report. Every text is escaped by jinja2."""

from __future__ import annotations

import os
from functools import cache

import jinja2

from repro.core import paths
from repro.core.plain_text import shown
from repro.report.table import Table, mark, marks


def render_html(table: Table, *, linked: bool = False) -> str:
    """Table and footnotes; a full one scrolls in its box. With `linked`, values link, as in the report."""
    name = "short.html" if table.short else "table.html"
    return shown(environment().get_template(name).render(table=table, linked=linked).strip()) + "\n"


@cache
def environment() -> jinja2.Environment:
    """Templates of this package: autoescaped, and an unknown name in one is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("repro.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_compiled(),
    )
    made.filters.update(mark=mark, marks=marks)
    return made


def _compiled() -> jinja2.BytecodeCache | None:
    """Where templates are kept compiled, if that can be written to: compiling them takes longer than filling them."""
    folder = paths.cache() / "templates"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return jinja2.FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK) else None
