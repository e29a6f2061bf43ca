"""The same model as most would serve it: FastAPI and ONNX Runtime, on the same server (uvicorn).

It knows no keys, meters nothing, logs nothing and bounds nothing, so it is a yardstick of speed and
not of the same work. One thread computes, as here; the handler is asynchronous, since a thread for
each call costs more than the network does.
"""

import importlib
import os
from typing import Annotated, Any

import numpy as np

# Yardsticks, never needed to run.
fastapi = importlib.import_module("fastapi")
runtime = importlib.import_module("onnxruntime")

options = runtime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = runtime.InferenceSession(
    os.environ["BENCH_ONNX"], options, providers=["CPUExecutionProvider"]
)
taken = session.get_inputs()[0].name


async def predict(
    input_data: Annotated[list[list[float]], fastapi.Body(embed=True)],
) -> dict[str, list[list[float]]]:
    found: Any = session.run(None, {taken: np.array(input_data, np.float32)})[0]
    return {"probabilities": found.tolist()}


application = fastapi.FastAPI()
application.post("/predict")(predict)
