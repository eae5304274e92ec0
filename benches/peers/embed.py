# SPDX-License-Identifier: MIT OR Apache-2.0
"""timm's networks in PyTorch, and the same exported to ONNX in onnxruntime.

Both load the very weights file that Eosin loads. Normalising and transposing are not timed here;
they are part of Eosin's figure.
"""

import json
import pathlib
import time
import warnings

import numpy as np
import onnxruntime

from serve import serve

# Positions of the answer that are compared with Eosin's.
CHECKED_ROWS = 4


class Network:
    """One network in both peers."""

    def __init__(self, request, threads):
        self.onnx = pathlib.Path(request["onnx"])
        self.model = self.torch_model(request, threads) if request["torch"] else None
        if not self.onnx.exists():
            export(self.model, request["px"], self.onnx)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(
            self.onnx, options, providers=["CPUExecutionProvider"])

    @staticmethod
    def torch_model(request, threads):
        import timm
        import torch
        from safetensors.torch import load_file

        torch.set_num_threads(threads)
        timm.layers.set_exportable(True)
        model = timm.create_model(request["timm"], num_classes=0, **request["arguments"]).eval()
        missing, unexpected = model.load_state_dict(load_file(request["weights"]), strict=False)
        wrong = [m for m in missing if not m.endswith("num_batches_tracked")] + unexpected
        assert not wrong, wrong
        return model

    def by_onnxruntime(self, x):
        return self.session.run(None, {"image": x})[0]

    def by_torch(self, x):
        import torch

        with torch.inference_mode():
            return self.model(torch.from_numpy(x)).numpy()


def export(model, px, path):
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, torch.zeros(1, 3, px, px), path, dynamo=False, opset_version=20,
            input_names=["image"], output_names=["embedding"],
            dynamic_axes={"image": {0: "n"}, "embedding": {0: "n"}})


networks, inputs = {}, {}


def images(request):
    key = json.dumps([request["tiles"], request["mean"]])
    if key not in inputs:
        px = request["px"]
        x = np.fromfile(request["tiles"], np.uint8).reshape(-1, px, px, 3).astype(np.float32)
        x = (x / 255 - np.float32(request["mean"])) / np.float32(request["std"])
        inputs[key] = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return inputs[key][: request["n_tiles"]]


def measure(system, version, run, x, request):
    batch = request["batch"]
    started = time.perf_counter()
    rows = [run(x[i : i + batch]) for i in range(0, len(x), batch)]
    seconds = time.perf_counter() - started
    check = np.concatenate(rows)[:CHECKED_ROWS].ravel() if request["check"] else []
    return {
        "system": system, "version": version, "seconds": seconds,
        "check": [float(v) for v in check],
    }


def peak_mb():
    status = pathlib.Path("/proc/self/status").read_text()
    line = next(l for l in status.splitlines() if l.startswith("VmHWM:"))
    return float(line.split()[1]) / 1024


def handle(request, threads):
    if request["weights"] not in networks:
        networks[request["weights"]] = Network(request, threads)
    network, x = networks[request["weights"]], images(request)
    answers = [measure(
        "onnxruntime", onnxruntime.__version__, network.by_onnxruntime, x, request)]
    if network.model is None:
        return [{**answers[0], "check": [peak_mb()]}]
    import torch

    version = torch.__version__.split("+")[0]
    return answers + [measure("torch", version, network.by_torch, x, request)]


if __name__ == "__main__":
    serve(handle)
