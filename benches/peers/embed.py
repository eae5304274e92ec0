# SPDX-License-Identifier: MIT OR Apache-2.0
"""onnxruntime on the very weights that Eosin embeds, as a graph with batch norm folded in."""

import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from serve import serve

# Kernel, stride, repeats of the seven stages.
STAGES = [(3, 1, 1), (3, 2, 2), (5, 2, 2), (3, 2, 3), (5, 1, 3), (5, 2, 4), (3, 1, 1)]
EPS = 1e-3


class Graph:
    """Convolutions with folded batch norm in TensorFlow's SAME padding."""

    def __init__(self, path):
        tensors = load_file(path)
        self.weights = {k: v.astype(np.float64) for k, v in tensors.items()}
        for name, low in tensors.items():
            if name.endswith(".remainder"):
                # As Eosin reads them: so many 256ths of the float16's last place.
                half = tensors[name.removesuffix(".remainder")]
                exponent = np.maximum((half.view(np.uint16) >> 10) & 31, 1).astype(np.float64)
                last_place = 2.0 ** (exponent - 25)
                self.weights[name.removesuffix(".remainder")] += low / 256.0 * last_place
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def conv(self, x, name, norm, kernel, stride, groups, relu6):
        w = self.weights[f"{name}.weight"]
        bn = {p: self.weights[f"{norm}.{p}"] for p in ("weight", "bias", "running_mean", "running_var")}
        scale = bn["weight"] / np.sqrt(bn["running_var"] + EPS)
        weight = self.constant(f"{name}.w", w * scale[:, None, None, None])
        bias = self.constant(f"{name}.b", bn["bias"] - bn["running_mean"] * scale)
        x = self.node(
            "Conv", [x, weight, bias], f"{name}.out", kernel_shape=[kernel, kernel],
            strides=[stride, stride], group=groups, auto_pad="SAME_UPPER",
        )
        if relu6:
            x = self.node("Clip", [x, "zero", "six"], f"{name}.clip")
        return x

    def build(self):
        self.constant("zero", np.array(0.0))
        self.constant("six", np.array(6.0))
        x = self.conv("image", "conv_stem", "bn1", 3, 2, 1, True)
        for s, (kernel, stride, repeats) in enumerate(STAGES):
            for r in range(repeats):
                p, shortcut = f"blocks.{s}.{r}", x
                channels = self.weights[f"{p}.conv_dw.weight"].shape[0]
                step = stride if r == 0 else 1
                if s == 0:
                    x = self.conv(x, f"{p}.conv_dw", f"{p}.bn1", kernel, step, channels, True)
                    x = self.conv(x, f"{p}.conv_pw", f"{p}.bn2", 1, 1, 1, False)
                else:
                    x = self.conv(x, f"{p}.conv_pw", f"{p}.bn1", 1, 1, 1, True)
                    x = self.conv(x, f"{p}.conv_dw", f"{p}.bn2", kernel, step, channels, True)
                    x = self.conv(x, f"{p}.conv_pwl", f"{p}.bn3", 1, 1, 1, False)
                if r > 0:
                    x = self.node("Add", [x, shortcut], f"{p}.sum")
        x = self.conv(x, "conv_head", "bn2", 1, 1, 1, True)
        x = self.node("GlobalAveragePool", [x], "pooled")
        self.node("Flatten", [x], "embedding")
        graph = helper.make_graph(
            self.nodes, "efficientnet-lite0",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 224, 224])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 1280])],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        return model.SerializeToString()


sessions, inputs = {}, {}


def handle(request, threads):
    weights, tiles, batch = request["weights"], request["tiles"], request["batch"]
    if weights not in sessions:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        sessions[weights] = onnxruntime.InferenceSession(
            Graph(weights).build(), options, providers=["CPUExecutionProvider"]
        )
    if tiles not in inputs:
        # Normalising and transposing are not timed here; they are in Eosin's figure.
        x = np.fromfile(tiles, np.uint8).reshape(-1, 224, 224, 3).astype(np.float32)
        inputs[tiles] = np.ascontiguousarray(((x - 127.0) / 128.0).transpose(0, 3, 1, 2))
    x, session = inputs[tiles], sessions[weights]
    started = time.perf_counter()
    rows = [session.run(None, {"image": x[i : i + batch]})[0] for i in range(0, len(x), batch)]
    seconds = time.perf_counter() - started
    return [{
        "system": "onnxruntime",
        "version": onnxruntime.__version__,
        "seconds": seconds,
        "check": [float(v) for v in np.concatenate(rows)[0]],
    }]


serve(handle)
