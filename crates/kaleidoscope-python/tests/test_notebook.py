"""The notebook of the examples runs in Jupyter, and its magics do."""

import pathlib

import nbformat
from nbclient import NotebookClient

TOUR = pathlib.Path(__file__).parents[1] / "examples" / "tour.ipynb"


def test_the_tour_runs():
    notebook = nbformat.read(TOUR, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [
        output.get("data", {}).get("text/plain", output.get("text", ""))
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    assert "6765.0" in outputs
    assert "array([1., 3., 9.])" in outputs
    assert any("42" in output for output in outputs)
