"""The five-minute notebook runs in Jupyter, and its page shows the pictures that it draws.

`python python/tests/peers/test_notebook.py` writes them anew.
"""

import base64
import os
import re
import runpy
from pathlib import Path

import nbformat
from nbclient import NotebookClient

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = "five-minutes.md"


def drawn() -> dict[str, bytes]:
    """The pictures of the executed notebook under the names of the page: those of thoughtcache as SVG, those of Matplotlib as PNG."""
    build = runpy.run_path(str(DOCS / "build.py"))
    text = (DOCS / PAGE).read_text()
    notebook = nbformat.reads(build["notebook"](text), as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = {}
    for cell, block in zip(cells, build["CELL"].finditer(text), strict=True):
        names = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", block[2])
        shown = [output.data for output in cell.outputs if output.output_type in ("display_data", "execute_result")]
        shown = [data for data in shown if {"image/svg+xml", "image/png"} & data.keys()]
        assert len(names) == len(shown), f"{names} of {PAGE}: {len(shown)} pictures are drawn\n{cell.source}"
        for name, data in zip(names, shown, strict=True):
            found[name] = data["image/svg+xml"].encode() if name.endswith(".svg") else base64.b64decode(data["image/png"])
    return found


def test_the_notebook_runs_and_draws_the_pictures_of_its_page():
    pictures = drawn()
    assert len(pictures) == 4
    for name, picture in pictures.items():
        committed = (DOCS / name).read_bytes()
        if name.endswith(".svg"):
            assert committed == picture, f"docs/{name} is stale; type: python python/tests/peers/test_notebook.py"
        else:
            # Matplotlib's pixels depend on its version and on fonts.
            assert committed[:4] == picture[:4] == b"\x89PNG"


if __name__ == "__main__":
    for name, picture in drawn().items():
        (DOCS / name).write_bytes(picture)
