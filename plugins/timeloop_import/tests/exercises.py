"""Inputs of Timeloop's exercises, said anew, and the words that its reference outputs count."""

CONV1D = """
problem:
  version: 0.4
  shape:
    name: Conv1D
    dimensions: [R, P]
    data_spaces:
    - {name: Weights, projection: [[[R]]]}
    - {name: Inputs, projection: [[[R], [P]]]}
    - {name: Outputs, projection: [[[P]]], read_write: true}
  instance: {R: 3, P: 16}
"""
CONV1D_OC = """
problem:
  shape:
    name: Conv1D_OC
    dimensions: [K, R, P]
    data-spaces:
    - {name: Weights, projection: [[[K]], [[R]]]}
    - {name: Inputs, projection: [[[R], [P]]]}
    - {name: Outputs, projection: [[[K]], [[P]]], read-write: True}
  K: 32
  R: 3
  P: 16
"""
_MAIN_SRAM = "!Component {name: MainMemory, class: SRAM, attributes: {depth: 32768, width: 64, datawidth: 8}}"
_MACC = "!Component {name: MACC, class: intmac, attributes: {datawidth: 8}}"


def _registers(name: str) -> str:
    return f"!Component {{name: {name}, class: regfile, attributes: {{depth: 64, width: 8, datawidth: 8}}}}"


def _arch(*nodes: str) -> str:
    system = "!Container {name: System, attributes: {technology: 40nm, global_cycle_seconds: 1e-9}}"
    return "architecture:\n  version: 0.4\n  nodes:\n" + "".join(f"  - {n}\n" for n in (system, *nodes))


ONE = _arch(_registers("Buffer"), _MACC)
TWO = _arch(_MAIN_SRAM, _registers("Buffer"), _MACC)
THREE = _arch(
    "!Component {name: MainMemory, class: DRAM, attributes: {width: 256, datawidth: 8}}",
    "!Component {name: GlobalBuffer, class: SRAM, attributes: {depth: 32768, width: 64, datawidth: 8}}",
    _registers("RegisterFile"),
    _MACC,
)


def _temporal(target: str, factors: str, permutation: str) -> str:
    return f"- {{target: {target}, type: temporal, factors: {factors}, permutation: {permutation}}}\n"


_TWO_LEVELS = (_temporal("MainMemory", '"R=1,P=16,K=16"', "PRK"), _temporal("Buffer", '"R=3,P=1,K=2"', "RPK"))
_THREE_LEVELS = (
    _temporal("MainMemory", '"R=1 P=1 K=1"', "PRK"),
    _temporal("GlobalBuffer", '"R=1 P=16 K=16"', "PRK"),
    _temporal("RegisterFile", '"R=3 P=1 K=2"', "RPK"),
)
_BYPASS = """- {target: GlobalBuffer, type: bypass, keep: [Weights, Inputs], bypass: [Outputs]}
- {target: RegisterFile, type: bypass, keep: [Outputs], bypass: [Weights, Inputs]}
"""

# (level, tensor) -> words read, filled from above, updated from below; what a level reads to move up is not counted.
Words = dict[tuple[str, str], tuple[int, int, int]]

CASES: dict[str, tuple[str, Words]] = {
    "00": (
        ONE + CONV1D + "mapping:\n" + _temporal("Buffer", "R=3 P=16", "RP"),
        {("Buffer", "Weights"): (48, 0, 0), ("Buffer", "Inputs"): (48, 0, 0), ("Buffer", "Outputs"): (32, 0, 48)},
    ),
    "01-os": (
        TWO + CONV1D + "mapping:\n" + _temporal("MainMemory", "R=1 P=16", "PR") + _temporal("Buffer", "R=3 P=1", "RP"),
        {
            ("MainMemory", "Weights"): (3, 0, 0),
            ("MainMemory", "Inputs"): (18, 0, 0),
            ("MainMemory", "Outputs"): (0, 0, 16),
            ("Buffer", "Weights"): (48, 3, 0),
            ("Buffer", "Inputs"): (48, 18, 0),
            ("Buffer", "Outputs"): (32, 0, 48),
        },
    ),
    "01-ws": (
        TWO + CONV1D + "mapping:\n" + _temporal("MainMemory", "R=3 P=1", "RP") + _temporal("Buffer", "R=0 P=16", "PR"),
        {
            ("MainMemory", "Weights"): (3, 0, 0),
            ("MainMemory", "Inputs"): (18, 0, 0),
            ("MainMemory", "Outputs"): (0, 0, 16),
            ("Buffer", "Weights"): (48, 3, 0),
            ("Buffer", "Inputs"): (48, 18, 0),
            ("Buffer", "Outputs"): (32, 0, 48),
        },
    ),
    "02-tiling": (
        TWO + CONV1D_OC + "mapping:\n" + "".join(_TWO_LEVELS),
        {
            ("MainMemory", "Weights"): (96, 0, 0),
            ("MainMemory", "Inputs"): (288, 0, 0),
            ("MainMemory", "Outputs"): (0, 0, 512),
            ("Buffer", "Weights"): (1536, 96, 0),
            ("Buffer", "Inputs"): (1536, 288, 0),
            ("Buffer", "Outputs"): (1024, 0, 1536),
        },
    ),
    "02-no-tiling": (
        TWO
        + CONV1D_OC
        + "mapping:\n"
        + _temporal("MainMemory", '"R=1,P=16,K=32"', "PRK")
        + _temporal("Buffer", '"R=3,P=1,K=1"', "RPK"),
        {
            ("MainMemory", "Weights"): (96, 0, 0),
            ("MainMemory", "Inputs"): (576, 0, 0),
            ("MainMemory", "Outputs"): (0, 0, 512),
            ("Buffer", "Weights"): (1536, 96, 0),
            ("Buffer", "Inputs"): (1536, 576, 0),
            ("Buffer", "Outputs"): (1024, 0, 1536),
        },
    ),
    "03-no-bypass": (
        THREE + CONV1D_OC + "mapping:\n" + "".join(_THREE_LEVELS),
        {
            ("MainMemory", "Weights"): (96, 0, 0),
            ("MainMemory", "Inputs"): (18, 0, 0),
            ("MainMemory", "Outputs"): (0, 0, 512),
            ("GlobalBuffer", "Weights"): (96, 96, 0),
            ("GlobalBuffer", "Inputs"): (288, 18, 0),
            ("GlobalBuffer", "Outputs"): (0, 0, 512),
            ("RegisterFile", "Weights"): (1536, 96, 0),
            ("RegisterFile", "Inputs"): (1536, 288, 0),
            ("RegisterFile", "Outputs"): (1024, 0, 1536),
        },
    ),
    "03-bypass": (
        THREE + CONV1D_OC + "mapping:\n" + "".join(_THREE_LEVELS) + _BYPASS,
        {
            ("MainMemory", "Weights"): (96, 0, 0),
            ("MainMemory", "Inputs"): (18, 0, 0),
            ("MainMemory", "Outputs"): (0, 0, 512),
            ("GlobalBuffer", "Weights"): (1536, 96, 0),
            ("GlobalBuffer", "Inputs"): (1536, 18, 0),
            ("RegisterFile", "Outputs"): (1024, 0, 1536),
        },
    ),
}

# Exercise 04, output channels over 16 instances: words of one instance.
SPATIAL = (
    _arch(
        "!Component {name: MainMemory, class: DRAM, attributes: {width: 256, datawidth: 8}}",
        "!Container {name: inter_PE_spatial, spatial: {meshX: 16}}",
        "!Component {name: GlobalBuffer, class: SRAM, attributes: {depth: 32768, width: 64, datawidth: 8}}",
        _registers("RegisterFile"),
        _MACC,
    )
    + """
problem:
  shape:
    name: Conv1D_ICOC
    dimensions: [C, K, R, P]
    data_spaces:
    - {name: Weights, projection: [[[C]], [[K]], [[R]]]}
    - {name: Inputs, projection: [[[C]], [[R], [P]]]}
    - {name: Outputs, projection: [[[K]], [[P]]], read_write: true}
  instance: {C: 32, K: 32, R: 3, P: 16}
mapping:
- {target: MainMemory, type: temporal, factors: "R=1,P=1,K=1,C=1", permutation: PRKC}
- {target: inter_PE_spatial, type: spatial, factors: "R=1,P=1,K=16,C=1", permutation: PRKC}
- {target: inter_PE_spatial, type: bypass, bypass: [Weights, Inputs, Outputs]}
- {target: GlobalBuffer, type: temporal, factors: "R=3,P=1,K=2,C=32", permutation: PRKC}
- {target: RegisterFile, type: temporal, factors: "R=1,P=16,K=1,C=1", permutation: RPKC}
"""
)
SPATIAL_WORDS: Words = {
    ("MainMemory", "Weights"): (3072, 0, 0),
    ("MainMemory", "Inputs"): (576, 0, 0),
    ("MainMemory", "Outputs"): (0, 0, 512),
    ("GlobalBuffer", "Weights"): (192, 192, 0),
    ("GlobalBuffer", "Inputs"): (1152, 576, 0),
    ("GlobalBuffer", "Outputs"): (992, 0, 1024),
    ("RegisterFile", "Weights"): (3072, 192, 0),
    ("RegisterFile", "Inputs"): (3072, 1152, 0),
    ("RegisterFile", "Outputs"): (3040, 992, 3072),
}

# Exercise 05 with all factors as constraints of the search.
BAKED = """
architecture_constraints:
  targets:
  - {target: MainMemory, type: temporal, factors: "R=1,P=1,K=1", permutation: PRK}
  - {target: GlobalBuffer, type: temporal, factors: "R=1,P=16,K=16", permutation: PRK}
  - {target: GlobalBuffer, type: bypass, keep: [Weights, Inputs, Outputs]}
  - {target: RegisterFile, type: temporal, factors: "R=3,P=1,K=2", permutation: RPK}
  - {target: RegisterFile, type: bypass, keep: [Weights, Inputs, Outputs]}
"""
GIVEN = "mapping:\n" + "".join(_THREE_LEVELS)

_EYERISS = """
architecture:
  version: 0.2
  subtree:
  - name: System
    local:
    - {name: DRAM, class: DRAM, attributes: {width: 64, word-bits: 16, block-size: 4}}
    subtree:
    - name: Eyeriss
      attributes: {technology: 40nm}
      local:
      - name: GlobalBuffer
        class: SRAM
        attributes: {depth: 16384, width: 64, block-size: 4, word-bits: 16, meshX: 1, read_bandwidth: 16}
      - {name: "DummyBuffer[0..15]", class: dummy_regfile, attributes: {depth: 16, width: 16, word-bits: 16, meshX: 16}}
      subtree:
      - name: PE[0..255]
        local:
        - {name: InputRegFile, class: regfile, attributes: {depth: 12, width: 16, word-bits: 16, meshX: 16}}
        - {name: WeightRegFile, class: regfile, attributes: {depth: 192, width: 16, word-bits: 16, meshX: 16}}
        - {name: PsumRegFile, class: regfile, attributes: {depth: 16, width: 16, word-bits: 16, meshX: 16}}
        - {name: MACs, class: intmac, attributes: {datawidth: 16, meshX: 16}}
"""
_LAYER = """
problem:
  shape:
    name: CNN_Layer
    dimensions: [R, S, P, Q, C, K, N]
    coefficients: [{name: Wstride, default: 1}, {name: Hstride, default: 1}]
    data-spaces:
    - {name: Weights, projection: [[[C]], [[K]], [[R]], [[S]]]}
    - {name: Inputs, projection: [[[N]], [[C]], [[R], [P, Wstride]], [[S], [Q, Hstride]]]}
    - {name: Outputs, projection: [[[N]], [[K]], [[Q]], [[P]]], read-write: True}
  instance: {R: 3, S: 3, P: 56, Q: 56, C: 256, K: 512, N: 16, Wstride: 1, Hstride: 1}
"""
_ROW_STATIONARY = """
mapping:
- {target: DRAM, type: temporal, factors: Q=14 N=8 K=4 C=32, permutation: RSPCKNQ}
- {target: GlobalBuffer, type: datatype, keep: [Inputs, Outputs], bypass: [Weights]}
- {target: GlobalBuffer, type: temporal, factors: K=2 N=2 P=56, permutation: QRSCPNK}
- {target: GlobalBuffer, type: spatial, factors: K=4 Q=4, permutation: NCPRSQK, split: 7}
- {target: DummyBuffer, type: datatype, bypass: [Inputs, Outputs, Weights]}
- {target: DummyBuffer, type: spatial, factors: K=2 C=2 S=3, permutation: NPQRSCK, split: 4}
- {target: InputRegFile, type: datatype, keep: [Inputs], bypass: [Weights, Outputs]}
- {target: WeightRegFile, type: datatype, keep: [Weights], bypass: [Inputs, Outputs]}
- {target: WeightRegFile, type: temporal, factors: R=3 C=4, permutation: NKPQSCR}
- {target: PsumRegFile, type: datatype, keep: [Outputs], bypass: [Inputs, Weights]}
- {target: PsumRegFile, type: temporal, factors: K=8, permutation: NCPQRSK}
"""
EYERISS = _EYERISS + _LAYER + _ROW_STATIONARY

# Per instance where there are several (192 in use), as the reference output says.
EYERISS_WORDS: Words = {
    ("DRAM", "Weights"): (132120576, 0, 0),
    ("DRAM", "Inputs"): (79822848, 0, 0),
    ("DRAM", "Outputs"): (0, 0, 25690112),
    ("GlobalBuffer", "Inputs"): (319291392, 79822848, 0),
    ("GlobalBuffer", "Outputs"): (796393472, 0, 822083584),
    ("InputRegFile", "Inputs"): (308281344, 13303808, 0),
    ("WeightRegFile", "Weights"): (308281344, 2752512, 0),
    # Of 25690112 fills those of values that are still zero, 802816, are none here.
    ("PsumRegFile", "Outputs"): (307478528, 25690112 - 802816, 308281344),
}
EYERISS_INSTANCES = 192
# (level, tensor) -> words that a level reads to move outputs up, per instance: no reads in Timeloop's count.
MOVED_UP: dict[str, dict[str, int]] = {
    "01-os": {"Buffer": 16},
    "01-ws": {"Buffer": 16},
    "02-tiling": {"Buffer": 512},
    "02-no-tiling": {"Buffer": 512},
    "04": {"GlobalBuffer": 32, "RegisterFile": 1024},
    "03-no-bypass": {"GlobalBuffer": 512, "RegisterFile": 512},
    "03-bypass": {"RegisterFile": 512},
    "06": {"GlobalBuffer": 25690112, "PsumRegFile": 25690112},
}
ERT = """
ERT:
  version: 0.4
  tables:
  - {name: System.MainMemory, actions: [{name: read, energy: 8}, {name: write, energy: 8}, {name: leak, energy: 0}]}
  - {name: System.GlobalBuffer, actions: [{name: read, energy: 2}, {name: write, energy: 3}, {name: leak, energy: 0}]}
  - {name: System.RegisterFile, actions: [{name: read, energy: 1}, {name: write, energy: 1}, {name: leak, energy: 0}]}
  - {name: System.MACC, actions: [{name: compute, energy: 0.5}, {name: leak, energy: 0}]}
ART:
  version: 0.4
  tables:
  - {name: System.MainMemory, area: 0}
  - {name: System.GlobalBuffer, area: 0}
  - {name: System.RegisterFile, area: 0}
  - {name: System.MACC, area: 0}
"""
