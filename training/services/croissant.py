"""A dataset's description as Croissant 1.1, JSON-LD in the words of schema.org: which files there
are and under which hashes, what a record is, and which records train, validate and test.
"""

from typing import Any

from django.conf import settings
from django.urls import reverse

from training.models import Dataset
from training.runner.recipes import Column, Form, Kind, Recipe, Role, shape_of
from training.services.uploads import LICENCES

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
CROISSANT_TYPE = f'application/ld+json; profile="{CONFORMS_TO}"'
CROISSANT_TERMS = (
    "annotation",
    "arrayShape",
    "citeAs",
    "column",
    "containedIn",
    "equivalentProperty",
    "excludes",
    "extract",
    "field",
    "fileObject",
    "fileProperty",
    "fileSet",
    "format",
    "includes",
    "isArray",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "readLines",
    "recordSet",
    "references",
    "regex",
    "repeated",
    "replace",
    "samplingRate",
    "sdVersion",
    "separator",
    "source",
    "subField",
    "transform",
    "unArchive",
    "value",
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
} | {term: f"cr:{term}" for term in CROISSANT_TERMS}
Format = Dataset.Format
MEDIA_TYPES = {
    Format.CSV: "text/csv",
    Format.TSV: "text/tab-separated-values",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.JSONL: "application/jsonl",
    Format.NPZ: "application/zip",
    Format.NPY: "application/octet-stream",
    Format.ZIP: "application/zip",
    Format.TEXT: "text/plain",
}
DATA_TYPES = {
    Kind.NUMBER: "sc:Float",
    Kind.CATEGORY: "sc:Text",
    Kind.TEXT: "sc:Text",
    Kind.DATE: "sc:DateTime",
    Kind.IMAGE: "sc:ImageObject",
}
BY_COLUMN = (Format.CSV, Format.TSV, Format.PARQUET)
BY_PATH = (Format.JSONL,)
SPLITS = {
    "train": "cr:TrainingSplit",
    "validation": "cr:ValidationSplit",
    "test": "cr:TestSplit",
}
BROUGHT, PREPARED, PICTURES = "brought", "rows.safetensors", "pictures"


def describe_dataset(*, dataset: Dataset) -> dict[str, Any]:
    """The description; the rows of a dataset that is still being prepared are not in it."""
    page = f"{settings.SITE_URL}{dataset.get_absolute_url()}"
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": dataset.name,
        "description": dataset.description or f"{dataset.name}, {dataset.rows:,} rows.",
        "url": page,
        "version": f"{dataset.version}.0.0",
        "license": licence(dataset.licence),
        "creator": creator(dataset),
        "datePublished": dataset.created_at.date().isoformat(),
        "keywords": [dataset.get_category_display().lower()],
        "isLiveDataset": False,
        "distribution": files(dataset),
    }
    if dataset.recipe and dataset.sha256:
        recipe = Recipe.from_json(dataset.recipe)
        found["recordSet"] = [splits(dataset), records(dataset, recipe)]
    return found


def licence(name: str) -> str | dict[str, str]:
    """The address of a known licence; else what is known of it."""
    if url := LICENCES.get(name):
        return url
    return {"@type": "sc:CreativeWork", "name": name or "Not stated: ask the owner"}


def creator(dataset: Dataset) -> dict[str, str]:
    if dataset.owner is not None:
        return {"@type": "sc:Person", "name": dataset.owner.get_username()}
    return {"@type": "sc:Organization", "name": dataset.source}


def files(dataset: Dataset) -> list[dict[str, Any]]:
    """The file as it was brought, and the rows as they were made of it."""
    found: list[dict[str, Any]] = []
    if dataset.upload_sha256:
        brought = reverse("training:dataset_file", args=[dataset.slug])
        found.append(
            {
                "@type": "cr:FileObject",
                "@id": BROUGHT,
                "name": dataset.upload_name,
                "contentUrl": f"{settings.SITE_URL}{brought}",
                "contentSize": f"{dataset.upload_bytes} B",
                "encodingFormat": MEDIA_TYPES[Format(dataset.format)],
                "sha256": dataset.upload_sha256,
            }
        )
    if dataset.format == Format.ZIP:
        found.append(
            {
                "@type": "cr:FileSet",
                "@id": PICTURES,
                "name": PICTURES,
                "containedIn": {"@id": BROUGHT},
                "encodingFormat": "image/*",
                "includes": "*/*",
            }
        )
    if dataset.sha256:
        rows = reverse("training:dataset_rows", args=[dataset.slug])
        found.append(
            {
                "@type": "cr:FileObject",
                "@id": PREPARED,
                "name": PREPARED,
                "description": "safetensors: features, targets, and the part of each row",
                "contentUrl": f"{settings.SITE_URL}{rows}",
                "contentSize": f"{dataset.size_bytes} B",
                "encodingFormat": "application/octet-stream",
                "sha256": dataset.sha256,
            }
        )
    return found


def splits(dataset: Dataset) -> dict[str, Any]:
    """The three parts, with the meaning that Croissant gives each and its number of rows."""
    counts = {
        "train": dataset.train_rows,
        "validation": dataset.validation_rows,
        "test": dataset.test_rows,
    }
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            described("splits/name", "name", "sc:Text"),
            described("splits/url", "url", "cr:Split"),
            described("splits/rows", "rows", "sc:Integer"),
        ],
        "data": [
            {"splits/name": name, "splits/url": url, "splits/rows": counts[name]}
            for name, url in SPLITS.items()
        ],
    }


def records(dataset: Dataset, recipe: Recipe) -> dict[str, Any]:
    """A record for each row: its columns, and the part it belongs to."""
    part = described("rows/split", "split", "cr:Split") | {
        "description": f"{dataset.split.get('kind', 'stratified')} split; 0 train, 1 validation, "
        "2 test, in the order of `splits`",
        "source": {"fileObject": {"@id": PREPARED}, "extract": {"column": "parts"}},
        "references": {"@id": "splits/name"},
    }
    kept = [column for column in recipe.columns if column.role is not Role.IGNORED]
    fields = [column_field(dataset, column) for column in kept]
    return {
        "@type": "cr:RecordSet",
        "@id": "rows",
        "name": "rows",
        "description": f"{dataset.rows:,} rows",
        "field": [*fields, *array_field(recipe, bool(kept)), part],
    }


def column_field(dataset: Dataset, column: Column) -> dict[str, Any]:
    found = described(f"rows/{column.name}", column.name, DATA_TYPES[column.kind])
    if column.role is Role.TARGET:
        found["dataType"] = [DATA_TYPES[column.kind], "cr:Label"]
    return found | {"source": source(dataset, column)}


def source(dataset: Dataset, column: Column) -> dict[str, Any]:
    """Where the values of a column are read from."""
    if dataset.format in BY_COLUMN:
        return {"fileObject": {"@id": BROUGHT}, "extract": {"column": column.name}}
    if dataset.format in BY_PATH:
        return {"fileObject": {"@id": BROUGHT}, "extract": {"jsonPath": f"$['{column.name}']"}}
    if dataset.format == Format.ZIP and column.kind is Kind.IMAGE:
        return {"fileSet": {"@id": PICTURES}, "extract": {"fileProperty": "content"}}
    if dataset.format == Format.ZIP:
        return {
            "fileSet": {"@id": PICTURES},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": "([^/]+)/[^/]+$"},
        }
    place = "targets" if column.role is Role.TARGET else "features"
    return {"fileObject": {"@id": PREPARED}, "extract": {"column": place}}


def array_field(recipe: Recipe, has_columns: bool) -> list[dict[str, Any]]:
    """Of rows that have no columns of their own, the array that each is."""
    if has_columns and recipe.kind is not Form.ARRAYS:
        return []
    return [
        described("rows/features", "features", "sc:Float")
        | {
            "isArray": True,
            "arrayShape": ",".join(map(str, shape_of(recipe).input)),
            "source": {"fileObject": {"@id": PREPARED}, "extract": {"column": "features"}},
        }
    ]


def described(identity: str, name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": identity, "name": name, "dataType": kind}
