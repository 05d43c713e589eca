"""Map a spec with AccelForge, by its public calls only, and print JSON; run by the peer's own Python."""

import importlib.metadata
import json
import math
import sys
import time


def main() -> None:
    """One job, given as a JSON object: files, parameters, max_fused_loops (null: any number), jobs."""
    start = time.perf_counter()
    import accelforge as af  # type: ignore[import-not-found,unused-ignore]

    job = json.loads(sys.argv[1])
    imported = time.perf_counter()
    af.set_n_parallel_jobs(job["jobs"])
    spec = af.Spec.from_yaml(*job["files"], jinja_parse_data=job["parameters"])
    spec.mapper.metrics = af.Metrics.ENERGY | af.Metrics.LATENCY
    spec.mapper.max_fused_loops = math.inf if job["max_fused_loops"] is None else job["max_fused_loops"]
    loaded = time.perf_counter()
    mappings = spec.map_workload_to_arch(print_progress=False)
    mapped = time.perf_counter()
    columns = [[float(v) for v in mappings.data[f"Total<SEP>{name}"]] for name in ("energy", "latency")]
    result = {
        "version": importlib.metadata.version("accelforge"),
        "seconds": {"import": imported - start, "spec": loaded - imported, "map": mapped - loaded},
        "points": [list(point) for point in zip(*columns, strict=True)],
    }
    print("\n" + json.dumps(result))  # the last line; what the mapper itself prints stands above


if __name__ == "__main__":  # its worker processes import this file again
    main()
