"""No file imports, directly or through others, a file that imports it; the layers contract sees wings only."""

from __future__ import annotations

import graphlib

import grimp


def test_files_import_in_one_direction() -> None:
    graph = grimp.build_graph("mien", exclude_type_checking_imports=True, cache_dir=None)
    order = graphlib.TopologicalSorter({m: graph.find_modules_directly_imported_by(m) for m in graph.modules})
    order.prepare()  # CycleError names the files of a circle
    assert len(graph.modules) > 150
