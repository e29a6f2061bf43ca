"""Commands on a model file: use it, explain it, make it smaller, hand it on, take it in."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kernels import build, explain, modelfile, quantise, sampling, tensors
from kernels.commands.command import Answer, Command, check_range, pairs
from kernels.commands.files import (
    check_target,
    force_option,
    is_safetensors,
    read_blob,
    read_json,
    read_model,
    read_rows,
    read_tokens,
    write,
)
from kernels.data import DataError
from kernels.exchange import onnx_reader, onnx_writer, plain, wasm
from kernels.exchange.wasm import Texts
from kernels.limits import Limits
from kernels.modelfile import Model, Signature
from kernels.predictor import Predictor

FORMATS = ("onnx", "wasm", "safetensors")
MEMORY_BYTES = 2**31
LENGTH_LIMIT = 100_000  # tokens that one call writes


def file_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a model file (.safetensors)")


def run(asked: argparse.Namespace) -> Answer:
    """Rows from standard input, answers by the names of the outputs."""
    limits = Limits(memory_bytes=MEMORY_BYTES)
    predictor = Predictor(read_blob(asked.file), module=build.module(), limits=limits)
    outputs = predictor.outputs(read_rows(predictor.model))
    answer: dict[str, Any] = {name: values.tolist() for name, values in outputs.items()}
    classes, first = predictor.model.signature.classes, next(iter(outputs.values()))
    if classes and first.ndim == 2 and "probabilities" in outputs:
        answer["labels"] = [classes[at] for at in first.argmax(axis=1).tolist()]
        return answer, answer["labels"]
    return answer, [json.dumps(values) for values in first.tolist()]


def writing_options(parser: argparse.ArgumentParser) -> None:
    file_options(parser)
    parser.add_argument("--length", type=int, default=20, help="how many tokens to write")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=0, help="of how many; default: of all")
    parser.add_argument("--seed", type=int, default=0)


def write_on(asked: argparse.Namespace) -> Answer:
    """Tokens that go on from those of standard input, a JSON list of whole numbers."""
    check_range("length", asked.length, 1, LENGTH_LIMIT)
    module = build.module()
    limits = Limits(memory_bytes=MEMORY_BYTES)
    predictor = Predictor(read_blob(asked.file), module=module, limits=limits)
    if predictor.steps is None:
        raise DataError(f"{asked.file}: foretells no next token, so it cannot write")
    found = sampling.generate(
        predictor.predict,
        read_tokens(predictor.vocabulary),
        asked.length,
        steps=predictor.steps,
        module=module,
        temperature=asked.temperature,
        top_k=asked.top_k,
        seed=asked.seed,
    )
    tokens, names = list(found), predictor.model.signature.vocabulary
    text = [names[token] for token in tokens] if names else list(map(str, tokens))
    return {"tokens": tokens, "text": text}, [" ".join(text)]


def explain_options(parser: argparse.ArgumentParser) -> None:
    file_options(parser)
    parser.add_argument("--output", type=int, help="number of the output; default: the largest")
    parser.add_argument("--points", type=int, default=explain.POINTS)


def explain_rows(asked: argparse.Namespace) -> Answer:
    """What each input contributes to one output, for each row of standard input."""
    limits, module = Limits(memory_bytes=MEMORY_BYTES), build.module()
    blob = read_blob(asked.file)
    model = modelfile.load(blob)
    explainer = explain.Explainer(model, module=module, limits=limits)
    rows = read_rows(model)
    answers = Predictor(blob, module=module, limits=limits).predict(rows)
    chosen = answers.reshape(len(rows), -1).argmax(axis=1).tolist()
    found = []
    for row, largest in zip(rows, chosen, strict=True):
        output = largest if asked.output is None else asked.output
        of = explainer.contributions(row, output, points=asked.points)
        found.append(
            {
                "output": output,
                "score": of.score,
                "baseline_score": of.baseline_score,
                "contributions": of.values.tolist(),
                "missing": of.missing,
            }
        )
    return {"rows": found}, [line for row in found for line in explained(model, row)]


def explained(model: Model, row: dict[str, Any]) -> list[str]:
    """The ten parts that contribute most."""
    values = np.array(row["contributions"]).reshape(-1)
    names = model.signature.features or tuple(map(str, range(len(values))))
    most = np.argsort(-np.abs(values), kind="stable")[:10].tolist()
    lines = [f"output {row['output']}: score {row['score']:.4f}, begins at "
             f"{row['baseline_score']:.4f}"]  # fmt: skip
    return lines + [f"  {names[at]}: {values[at]:+.4f}" for at in most]


def smaller_options(parser: argparse.ArgumentParser) -> None:
    file_options(parser)
    parser.add_argument("--output", type=Path, required=True)
    force_option(parser)


def make_smaller(asked: argparse.Namespace) -> Answer:
    check_target(asked.output, asked, asked.file)
    before = read_blob(asked.file)
    after = modelfile.dump(quantise.quantise(modelfile.load(before)))
    answer = {**write(asked.output, after), "bytes_before": len(before)}
    return answer, pairs(answer)


def export_options(parser: argparse.ArgumentParser) -> None:
    file_options(parser)
    parser.add_argument("--to", choices=FORMATS, required=True)
    parser.add_argument("--output", type=Path, help="default: beside the file")
    force_option(parser)


def export(asked: argparse.Namespace) -> Answer:
    model = read_model(asked.file)
    beside = asked.file.with_suffix(f".{asked.to}")
    target = check_target(asked.output or beside, asked, asked.file)
    texts = Texts(model.signature.to_json(), dict(model.provenance))
    match asked.to:
        case "onnx":
            found = onnx_writer.export(model.graph, model.arrays, texts)
        case "wasm":
            found = wasm.export(model.graph, model.arrays, texts, build.module())
        case _:
            found = modelfile.dump(model)
    answer = write(target, found)
    return answer, pairs(answer)


def take_in_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="an ONNX file, or with --config safetensors")
    text = "a JSON file: the network of plain safetensors, and its data under `data`"
    parser.add_argument("--config", type=Path, help=text)
    parser.add_argument("--output", type=Path, help="default: beside the file")
    force_option(parser)


def take_in(asked: argparse.Namespace) -> Answer:
    blob = asked.file.read_bytes()
    if asked.config is not None:
        model = plain.read(blob, modelfile.read_config(read_json(asked.config)))
    elif is_safetensors(blob):
        raise DataError(
            f"{asked.file}: is safetensors, no ONNX: a model file can be used as it is, and plain "
            "weights need --config"
        )
    else:
        model = from_onnx(blob)
    # beside the weights, which may be .safetensors themselves
    ending = ".safetensors" if asked.config is None else ".model.safetensors"
    sources = [asked.file] if asked.config is None else [asked.file, asked.config]
    target = check_target(asked.output or asked.file.with_suffix(ending), asked, *sources)
    model = replace(model, provenance={"imported_from": asked.file.name})
    answer = write(target, modelfile.dump(model))
    return answer, pairs(answer)


def from_onnx(blob: bytes) -> Model:
    found, signature = onnx_reader.read(blob), Signature((), ())
    if "signature" in found.texts:
        signature = modelfile.read_signature(
            tensors.parse_json(found.texts["signature"], "signature")
        )
    return Model(found.graph, signature, found.arrays)


COMMANDS = {
    "run": Command("answer the rows of standard input", run, file_options),
    "write": Command("go on from the tokens of standard input", write_on, writing_options),
    "explain": Command("what contributes to an answer", explain_rows, explain_options),
    "quantise": Command("weights of one byte", make_smaller, smaller_options),
    "export": Command("write as onnx, wasm or safetensors", export, export_options),
    "import": Command("take in ONNX, or plain safetensors", take_in, take_in_options),
}
