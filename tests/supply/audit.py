"""``python -m tests.supply.audit DIR``: a bill of materials of what an installation of ffcore brings, and its faults.

Writes ``sbom.json`` (CycloneDX 1.5: each distribution that core and the plugins need, with version, licence and hash of
its record) and ``requirements.txt``, the same set with exact versions, and asks pip-audit (in a virtual environment of
its own) whether any of them has a known vulnerability. Exit code: 0 none; 1 some; 2 nobody could be asked.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

OURS = re.compile(r"ffcore(-[a-z-]+)?")


def resolved(names: Iterable[str]) -> dict[str, metadata.Distribution]:
    """The distributions of these names, and all that they need here, by normalised name."""
    found: dict[str, metadata.Distribution] = {}
    pending = [(name, "") for name in names]
    while pending:
        name, extra = pending.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if (new := key not in found) or extra:
            found[key] = distribution = metadata.distribution(name)
            for text in distribution.requires or ():
                need = Requirement(text)
                if need.marker is None or need.marker.evaluate({"extra": extra}):
                    only_by_extra = need.marker is not None and not need.marker.evaluate({"extra": ""})
                    if new or only_by_extra:
                        pending += [(need.name, e) for e in (need.extras or {""})]
    return dict(sorted(found.items()))


def installed() -> list[str]:
    """Core and the plugins that are installed."""
    names = {str(d.name) for d in metadata.distributions()}
    return sorted(name for name in names if OURS.fullmatch(name.lower().replace("_", "-")))


def bill(distributions: dict[str, metadata.Distribution]) -> dict[str, Any]:
    """The bill of materials as CycloneDX has it."""
    components = []
    for name, distribution in distributions.items():
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": f"{name}=={distribution.version}",
            "name": name,
            "version": distribution.version,
            "purl": f"pkg:pypi/{name}@{distribution.version}",
        }
        if (said := licence(distribution)) is not None:
            component["licenses"] = [{"license": {"name": said}}]
        if (record := distribution.read_text("RECORD")) is not None:  # names and hashes of all files
            digest = hashlib.sha256(record.encode()).hexdigest()
            component["properties"] = [{"name": "ffcore:record-sha256", "value": digest}]
        components.append(component)
    about = {"type": "application", "name": "ffcore", "version": metadata.version("ffcore")}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": about},
        "components": components,
    }


def licence(distribution: metadata.Distribution) -> str | None:
    """What a distribution says of its licence, in short."""
    about = distribution.metadata
    classifiers = [c.rpartition(" :: ")[2] for c in about.get_all("Classifier") or () if c.startswith("License ::")]
    said = about.get("License-Expression") or "; ".join(classifiers) or (about.get("License") or "").splitlines()[:1]
    return (said if isinstance(said, str) else next(iter(said), "")) or None


def ask(requirements: Path, folder: Path) -> int:
    """What pip-audit says of exact versions; its own dependencies stay out of ours."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(folder / "venv", with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pip-audit"]
    if subprocess.run(install, check=False).returncode:
        return 2
    report = folder / "vulnerabilities.json"
    command = [str(python), "-m", "pip_audit", "--requirement", str(requirements), "--no-deps", "--disable-pip"]
    done = subprocess.run([*command, "--format", "json", "--output", str(report)], check=False)
    if done.returncode not in (0, 1) or not report.is_file():
        return 2
    return verdict(json.loads(report.read_text())["dependencies"])


def verdict(dependencies: list[dict[str, Any]]) -> int:
    """Exit code for what pip-audit reports; it calls clean what it could not find out about."""
    if any(one.get("vulns") for one in dependencies):
        return 1
    return 2 if any("vulns" not in one for one in dependencies) else 0


def main() -> int:
    """See above."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/audit")
    folder.mkdir(parents=True, exist_ok=True)
    distributions = resolved(installed())
    (folder / "sbom.json").write_text(json.dumps(bill(distributions), indent=2) + "\n")
    lines = [f"{name}=={d.version}\n" for name, d in distributions.items() if not OURS.fullmatch(name)]
    (folder / "requirements.txt").write_text("".join(lines))
    print(f"{folder / 'sbom.json'}: {len(distributions)} distributions, {len(lines)} of others")
    (folder / "vulnerabilities.json").unlink(missing_ok=True)
    code = ask(folder / "requirements.txt", folder)
    said = {0: "no known vulnerability", 1: f"known vulnerabilities: {folder / 'vulnerabilities.json'}"}
    print(said.get(code, "pip-audit could not be asked of all (it needs pypi.org): not all vulnerabilities are known"))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
