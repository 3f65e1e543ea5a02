"""Tables on the terminal and between the markers of a page in docs/, and the picture beside docs/performance.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PICTURE = DOCS / "performance.md", DOCS / "performance.svg"


class Report:
    """Where results go; lives as long as one run. With `write` they are kept, else only printed."""

    def __init__(self, *, write: bool, page: Path = PAGE) -> None:
        self._write, self._page = write, page

    def table(self, name: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table, and keep it between its markers."""
        lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        print(text, "\n", flush=True)
        if self._write:
            page, marked = self._page.read_text(), rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
            self._page.write_text(re.sub(marked, lambda found: f"{found[1]}{text}\n{found[2]}", page, flags=re.DOTALL))

    def plot(self, lines: Mapping[str, Sequence[tuple[int, float]]]) -> None:
        """Cost against size, both by powers of ten."""
        if not self._write:
            return
        import matplotlib

        matplotlib.use("svg")
        matplotlib.rcParams["svg.hashsalt"] = "performance"
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(8, 5))
        for name, points in lines.items():
            if points:
                axes.loglog(*zip(*points, strict=True), marker="o", label=name, linewidth=2.5 if name.startswith("ours") else 1)
        axes.set_xlabel("memberships")
        axes.set_ylabel("microseconds a decision")
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        figure.savefig(PICTURE, bbox_inches="tight", metadata={"Date": None})
