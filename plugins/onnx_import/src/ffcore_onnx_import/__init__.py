"""ONNX networks as ffcore workloads: `ff map ARCH network.onnx`, and `ff convert` to native YAML."""
