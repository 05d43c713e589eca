"""Draws the pictures of docs/concepts.md: ``python docs/images/concepts.py``.

The numbers in them come from mapping the page's own example, so that they are those of the text; a test compares the
files with what this script draws.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

import ffcore as ff
from ffcore.render.palette import tensor_colours

HERE = Path(__file__).resolve().parent
COLOURS = tensor_colours(["T0", "W0", "T1", "W1", "T2"])
INK, SOFT, LINE, LOOP, PAPER = "#22303c", "#5b6b79", "#b8c4ce", "#fde7c3", "#ffffff"


class Drawing:
    """An SVG of a given size on white, put together shape by shape."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self.parts: list[str] = []

    def box(self, x: float, y: float, w: float, h: float, fill: str = PAPER, stroke: str = LINE, r: int = 6) -> None:
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{r}" fill="{fill}" stroke="{stroke}"/>'
        )

    def text(self, x: float, y: float, text: str, *, size: int = 14, colour: str = INK, **style: str) -> None:
        extra = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
        self.parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}"{extra}>{escape(text)}</text>')

    def label(self, x: float, y: float, text: str, *, size: int = 14, colour: str = INK, **style: str) -> None:
        """Text around its middle."""
        self.text(x, y + size * 0.35, text, size=size, colour=colour, text_anchor="middle", **style)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, colour: str = SOFT, *, arrow: bool = False, **style: str
    ) -> None:
        extra = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
        head = ' marker-end="url(#head)"' if arrow else ""
        self.parts.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" stroke-width="1.6"{extra}{head}/>'
        )

    def chip(self, x: float, y: float, tensor: str, w: float = 40, h: float = 26) -> None:
        """A tensor in its colour."""
        self.box(x, y, w, h, COLOURS[tensor], "none")
        self.label(x + w / 2, y + h / 2, tensor, font_weight="bold")

    def svg(self) -> str:
        head = (
            '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            f'<path d="M0 0 8 4 0 8z" fill="{SOFT}"/></marker>'
        )
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" font-family="Helvetica, Arial, sans-serif" role="img">',
                f"<title>{escape(self.title)}</title>",
                f"<defs>{head}</defs>",
                f'<rect width="{self.width}" height="{self.height}" rx="8" fill="{PAPER}"/>',
                *self.parts,
                "</svg>\n",
            ]
        )


def example(size: int | None = None, by_hand: bool = True) -> ff.Spec:
    """The spec of the page, read from its blocks; with the mapping written by hand, or without."""
    page = (HERE.parent / "concepts.md").read_text()
    files = dict(re.findall(r'^```yaml title="([^"]+)"\n(.*?)^```$', page, re.MULTILINE | re.DOTALL))
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        names = [str(Path(folder) / n) for n in ("tiny.arch.yaml", *(("fused.yaml",) if by_hand else ()))]
        parameters = {"M": 8, "KN": 4} | ({"SIZE": size} if size else {})
        return ff.Spec.from_yaml(names[0], "matmuls", *names[1:], **parameters)


def workload() -> Drawing:
    """Einsums and tensors."""
    d = Drawing(760, 214, "Two Einsums: T0 and W0 make T1, T1 and W1 make T2")
    problem = example().problem()
    bits = {t.name: 8 * _size(t.name) for e in problem.einsums for t in e.tensors}
    ranks = {"T0": "M × N0", "W0": "N0 × N1", "T1": "M × N1", "W1": "N1 × N2", "T2": "M × N2"}

    def tensor(name: str, x: float, y: float, note: str = "") -> None:
        d.box(x, y, 104, 54, COLOURS[name], "none")
        d.label(x + 52, y + 16, name, size=15, font_weight="bold")
        d.label(x + 52, y + 38, f"{ranks[name]}, {bits[name]} bit", size=11)
        if note:
            d.label(x + 52, y + 68, note, size=12, colour=SOFT)

    def einsum(name: str, x: float, y: float) -> None:
        d.box(x, y, 96, 40, "#eef2f5", SOFT, 20)
        d.label(x + 48, y + 20, name)

    tensor("T0", 16, 50)
    tensor("W0", 16, 142)
    einsum("Matmul0", 172, 103)
    tensor("W1", 316, 12)
    tensor("T1", 316, 96, "intermediate, shared")
    einsum("Matmul1", 484, 103)
    tensor("T2", 636, 96)
    d.line(120, 77, 176, 108, arrow=True)
    d.line(120, 169, 176, 138, arrow=True)
    d.line(268, 123, 314, 123, arrow=True)
    d.line(420, 123, 482, 123, arrow=True)
    d.line(420, 39, 506, 101, arrow=True)
    d.line(580, 123, 634, 123, arrow=True)
    return d


def _size(tensor: str) -> int:
    return 16 if tensor.startswith("W") else 32


def mapping() -> Drawing:
    """The nest of the mapping by hand."""
    d = Drawing(760, 408, "The mapping as a nest: the loop over m above both Einsums, T1 below it")
    d.box(12, 12, 736, 384, "#f6f8fa")
    d.text(28, 40, "MainMemory holds")
    for i, name in enumerate(("T0", "W0", "W1", "T2")):
        d.chip(160 + 48 * i, 22, name)
    d.text(380, 40, "backing holders of T0, W0, W1, T2", size=12, colour=SOFT)
    d.text(28, 80, "Buffer holds")
    d.chip(160, 62, "W0")
    d.chip(208, 62, "W1")
    d.text(380, 80, "level 0: above all loops", size=12, colour=SOFT)

    d.box(28, 100, 704, 284, LOOP, "#e3b261")
    d.text(44, 126, "for m in 8 (tile 1)", font_weight="bold")
    d.text(380, 126, "fused loop: both Einsums run inside", size=12, colour=SOFT)
    d.text(44, 162, "Buffer holds")
    d.chip(160, 144, "T1")
    d.text(380, 162, "backing holder of T1: one row, 32 bit, level 1", size=12, colour=SOFT)

    for x, name, held, loops in ((44, "Matmul0", "T0", ("n0", "n1")), (394, "Matmul1", "T2", ("n1", "n2"))):
        d.box(x, 184, 322, 188, "#ffffff")
        d.text(x + 14, 212, "Buffer holds")
        d.chip(x + 116, 194, held)
        d.text(x + 14, 248, f"for {loops[0]} in 4")
        d.text(x + 34, 276, f"for {loops[1]} in 4")
        d.box(x + 54, 292, 180, 34, "#eef2f5", SOFT, 17)
        d.label(x + 144, 309, f"{name} on MAC", font_weight="bold")
        d.text(x + 14, 356, "first" if name == "Matmul0" else "then, for the same m", size=12, colour=SOFT)
    d.line(368, 278, 392, 278, arrow=True)
    return d


def occupancy() -> Drawing:
    """What the buffer holds while each Einsum runs."""
    d = Drawing(760, 330, "What the buffer holds while each Einsum runs")
    (joint,) = ff.evaluate_mapping(example()).evaluations
    size = 320
    base, scale = 282, 0.72
    d.line(60, base, 700, base)
    d.line(60, base - size * scale, 700, base - size * scale, "#c0392b", stroke_dasharray="6 4")
    d.text(560, base - size * scale - 8, f"size of the buffer: {size} bit", size=12, colour="#c0392b")
    rooms = {n.einsum: {r.tensor: r for r in n.reservations if r.component == "Buffer"} for n in joint.evaluations}
    for x, runs, beside in ((120, "Matmul0", "Matmul1"), (420, "Matmul1", "Matmul0")):
        stay = [rooms[beside][t] for t in ("W0", "W1") if t in rooms[beside]]
        stack = sorted([*rooms[runs].values(), *stay], key=lambda r: (r.level, r.tensor))
        y = float(base)
        for r in stack:
            h = r.bits * scale
            y -= h
            d.box(x, y, 120, h, COLOURS[r.tensor], PAPER, 0)
            if h > 12:
                d.label(x + 60, y + h / 2, f"{r.tensor}  {r.bits:g} bit", size=13, font_weight="bold")
            else:
                d.text(x - 70, y + 8, f"{r.tensor}  {r.bits:g} bit", size=12, font_weight="bold")
            note = f"level {r.level}" + (", shared" if r.tensor == "T1" else f", of {beside}" if r in stay else "")
            d.text(x + 130, y + h / 2 + 4, note, size=12, colour=SOFT)
        total = joint.usage[runs, "Buffer"]
        assert total == sum(r.bits for r in stack)
        d.label(x + 60, base + 20, f"while {runs} runs: {total:g} bit")
    return d


def groups() -> Mapping[str, list[tuple[str, int, float, float]]]:
    """Einsum -> (compatibility in words, loops over M, least J, its bits) of groups without loops over N1."""
    pmappings = ff.mapper.FFM.make_pmappings(example(by_hand=False))
    found: dict[str, list[tuple[str, int, float, float]]] = {}
    for einsum, all_groups in pmappings.einsum2pmappings.items():
        for group in all_groups:
            (t,) = group.compatibility.tensors
            if any("N1" in loop.ranks for loop in t.loops):
                continue
            words = f"T1 in {t.memory}" + "".join(f" under M × {loop.trips}" for loop in t.loops)
            rows = group.mappings.data
            best = rows.loc[rows["Total<SEP>energy"].idxmin()]
            joules, bits = float(best["Total<SEP>energy"]), float(best["usage<SEP>Buffer"]) * 320
            found.setdefault(einsum, []).append((words, len(group), joules, bits))
    return found


def compatibility() -> Drawing:
    """Groups of both Einsums; equal ones match."""
    found = groups()
    d = Drawing(760, 330, "Groups of Matmul0 and of Matmul1, of which those of equal compatibility match")
    chosen = found["Matmul0"][-1][0]
    for x, einsum in ((20, "Matmul0"), (460, "Matmul1")):
        d.label(x + 140, 22, f"groups of {einsum}", font_weight="bold")
        for i, (words, count, joules, bits) in enumerate(found[einsum]):
            y = 44 + 54 * i
            d.box(x, y, 280, 44, COLOURS["T1"] if words == chosen else "#f6f8fa", SOFT if words == chosen else LINE)
            d.text(x + 12, y + 19, words, size=13, font_weight="bold")
            d.text(x + 12, y + 36, f"{count} kept; least {joules:g} J in {bits:g} bit", size=11, colour=SOFT)
    for i, (words, *_) in enumerate(found["Matmul0"]):
        (other,) = [k for k, (w, *_) in enumerate(found["Matmul1"]) if w == words]
        d.line(302, 66 + 54 * i, 456, 66 + 54 * other, SOFT if words == chosen else LINE, arrow=words == chosen)
    y = 66.0
    d.line(302, y, 456, y + 54, "#c0392b", stroke_dasharray="4 4")
    d.label(379, y + 27, "✗", size=18, colour="#c0392b", font_weight="bold")
    d.label(380, 318, "equal compatibility: may be joined", size=12, colour=SOFT)
    return d


def join() -> Drawing:
    """Two pmappings joined, and what consolidation leaves."""
    d = Drawing(760, 280, "The join of two pmappings, and what is left of their reservations")
    (joint,) = ff.evaluate_mapping(example()).evaluations
    levels: dict[str, dict[int, list[tuple[str, float]]]] = {}
    for n in joint.evaluations:
        for r in n.reservations:
            if r.component == "Buffer":
                levels.setdefault(n.einsum, {}).setdefault(r.level, []).append((r.tensor, r.bits))

    def words(items: list[tuple[str, float]]) -> str:
        return " + ".join(f"{t} {b:g}" for t, b in items)

    for x, n in ((16, joint.evaluations[0]), (198, joint.evaluations[1])):
        d.box(x, 40, 168, 176, "#f6f8fa")
        d.label(x + 84, 62, n.einsum, font_weight="bold")
        d.label(x + 84, 82, f"{n.total_energy:g} J, {n.total_latency:g} s", size=12, colour=SOFT)
        for level, items in levels[n.einsum].items():
            d.text(x + 12, 112 + 32 * level, f"level {level}", size=12, colour=SOFT)
            d.text(x + 66, 112 + 32 * level, words(items), size=13)
    d.label(191, 128, "+", size=20, font_weight="bold")
    d.label(191, 240, "equal compatibility: T1 in Buffer under M × 8", size=12, colour=SOFT)
    d.line(376, 128, 400, 128, arrow=True)

    x = 408
    d.box(x, 40, 216, 176, "#f6f8fa")
    d.label(x + 108, 62, "joined", font_weight="bold")
    d.label(x + 108, 82, f"{joint.total_energy:g} J, {joint.total_latency:g} s", size=12, colour=SOFT)
    both = levels["Matmul0"][0] + levels["Matmul1"][0]
    d.text(x + 12, 112, "level 0", size=12, colour=SOFT)
    d.text(x + 66, 112, f"{words(both)} = {sum(b for _, b in both):g}", size=13)
    d.line(x + 108, 120, x + 56, 140)
    d.line(x + 108, 120, x + 160, 140)
    d.label(x + 56, 150, "T1 32 + T0 8", size=13)
    d.label(x + 160, 150, "T1 32 + T2 32", size=13)
    sides = [sum(b for level, items in levels[e].items() if level for _, b in items) for e in ("Matmul0", "Matmul1")]
    d.label(x + 56, 170, f"= {sides[0]:g}", size=12, colour=SOFT)
    d.label(x + 160, 170, f"= {sides[1]:g}", size=12, colour=SOFT)
    d.label(x + 108, 198, "take turns: the greater counts", size=12, colour=SOFT)
    d.line(632, 128, 656, 128, arrow=True)

    peak = joint.peak_bits("Buffer")
    assert peak == sum(b for _, b in both) + max(sides)
    d.box(664, 40, 84, 176, COLOURS["T1"], SOFT)
    d.label(706, 62, "closed", font_weight="bold")
    d.label(706, 118, f"{peak:g} bit", size=15, font_weight="bold")
    d.label(706, 146, f"{sum(b for _, b in both):g} + {max(sides):g}", size=12)
    d.label(576, 240, "T1 is needed no more, so the loop over m is closed:", size=12, colour=SOFT)
    d.label(576, 260, "one number is left, the greatest room so far", size=12, colour=SOFT)
    return d


def pictures() -> Iterator[tuple[Path, str]]:
    """Path and content of each picture."""
    for draw in (workload, mapping, occupancy, compatibility, join):
        yield HERE / f"concept-{draw.__name__}.svg", draw().svg()


if __name__ == "__main__":
    for path, content in pictures():
        path.write_text(content)
        print(path)
