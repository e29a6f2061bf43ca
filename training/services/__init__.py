"""What people may ask of training. One noun per file; this list is the app's specification."""

from kernels.predictor import Port
from training.runner.answers import AnswerKind, Prediction
from training.runner.augmentation import said as augmentation_said
from training.runner.blobs import get as load_blob
from training.runner.blobs import lock as lock_blob
from training.runner.blobs import put as store_blob
from training.runner.caps import Caps, Load, Room, TooMuchAtOnce, caps_of, rooms_of
from training.runner.copies import leaks as leaks_of
from training.runner.descriptions import Description, Field
from training.runner.files import ModelFile, files_of
from training.runner.hints import hint
from training.runner.leases import LeaseLost, claim, fault_code, heartbeat, noted, write
from training.runner.placing import SEED_MAX
from training.runner.quotes import (
    InvalidConfig,
    NotReady,
    Quote,
    TierTooSmall,
    judge_config,
    quote_job,
)
from training.runner.recipes import Form, SplitKind
from training.runner.recipes import Kind as ColumnKind
from training.runner.recipes import Role as ColumnRole
from training.runner.rows import Part
from training.runner.sweeps import ago, forget_blob, hint_again, retention
from training.runner.tensors import Tensors
from training.runner.tiers import TIERS
from training.services.asking import Sheet, ask_model, blank_sheet
from training.services.beginnings import InvalidBeginning, UnknownJob, find_beginning
from training.services.bundled import BUNDLED, add_bundled_dataset, add_bundled_datasets
from training.services.comparisons import Comparison, TooManyJobs, compare_jobs
from training.services.compositions import Preview, network_layers, preview_job
from training.services.croissant import CROISSANT_TYPE, describe_dataset
from training.services.datasets import (
    PreviewRow,
    UnknownDataset,
    dataset_health,
    dataset_steps,
    find_dataset,
    preview_rows,
)
from training.services.distributed import (
    FAULTS,
    Division,
    Progress,
    advance_job,
    begin_job,
    divide,
    fail_job,
    finish_job,
    model_origin,
    model_signature,
    node_trainer,
    submit_distributed_job,
)
from training.services.documents import TEXT_LENGTH_MAX as CARD_TEXT_LENGTH_MAX
from training.services.documents import (
    InvalidCard,
    LicenceFixed,
    card_of,
    document_model,
    fix_licence,
)
from training.services.exports import (
    UnknownKind,
    export_model,
    open_made_file,
    open_model_file,
    order_export,
)
from training.services.files import FileUnreadable, open_file
from training.services.gates import Fault, publication_faults
from training.services.inline import add_inline_dataset
from training.services.jobs import (
    JobIsOver,
    Kept,
    Use,
    cancel_job,
    kept_checkpoints,
    submit_job,
    tier_use,
)
from training.services.models import (
    Lineage,
    UnknownModel,
    describe_model,
    find_model,
    lineage_of,
    model_layers,
    write_bill,
    write_card,
)
from training.services.predictions import (
    COMPUTE_PRICE_MICROCREDITS,
    AnswerLate,
    InvalidRows,
    Ports,
    TooManyCalls,
    count_rows,
    infer,
    ports,
    predict,
    predict_with_file,
    prediction_kind,
    require_one_row,
    too_many_calls,
)
from training.services.presets import ALL as ALL_PRESETS
from training.services.presets import PRESETS, Preset, presets_of
from training.services.progress import (
    JobProgress,
    Learning,
    job_curves,
    job_place,
    job_progress,
    job_version,
    learning_of,
)
from training.services.questions import example_question
from training.services.repetitions import NothingDivergent, retrain_job, run_baseline
from training.services.reproductions import (
    NotReproducible,
    Reproduced,
    count_reproductions,
    quote_reproduction,
    reproduce_model,
)
from training.services.samples import Picture, Sample, Spread, sample_rows
from training.services.schemas import (
    DEFAULT_SPLIT,
    DatasetInUse,
    InvalidSchema,
    as_last_read,
    correct_schema,
    delete_dataset,
    is_used,
    rename_dataset,
    unfitted,
)
from training.services.searches import (
    TRIALS_MAX,
    InvalidSearch,
    Plan,
    Proposal,
    SearchIsOver,
    Standing,
    TooManySearches,
    cancel_search,
    plan_search,
    propose_search,
    search_standing,
    start_search,
)
from training.services.signatures import take_the_same
from training.services.starts import Start, starting_points
from training.services.studies import Effect, Pattern, patterns, study_patterns
from training.services.uploads import (
    LICENCES,
    CapReached,
    InvalidUpload,
    UploadTooLarge,
    upload_dataset,
)
from training.services.validations import FOLDS_MAX, InvalidValidation, NotOwner, validate_model

__all__ = [
    "ALL_PRESETS",
    "AnswerLate",
    "AnswerKind",
    "BUNDLED",
    "COMPUTE_PRICE_MICROCREDITS",
    "CARD_TEXT_LENGTH_MAX",
    "CROISSANT_TYPE",
    "CapReached",
    "Caps",
    "ColumnKind",
    "ColumnRole",
    "Comparison",
    "DEFAULT_SPLIT",
    "DatasetInUse",
    "Description",
    "Division",
    "Effect",
    "FAULTS",
    "FOLDS_MAX",
    "Field",
    "FileUnreadable",
    "Fault",
    "Form",
    "InvalidBeginning",
    "InvalidCard",
    "InvalidConfig",
    "InvalidRows",
    "InvalidSchema",
    "InvalidSearch",
    "InvalidUpload",
    "InvalidValidation",
    "JobIsOver",
    "JobProgress",
    "Kept",
    "Learning",
    "LICENCES",
    "LicenceFixed",
    "LeaseLost",
    "Lineage",
    "Load",
    "ModelFile",
    "NotOwner",
    "NotReady",
    "NotReproducible",
    "NothingDivergent",
    "PRESETS",
    "Part",
    "Pattern",
    "Picture",
    "Plan",
    "Port",
    "Ports",
    "Prediction",
    "Preset",
    "Preview",
    "PreviewRow",
    "Progress",
    "Proposal",
    "Quote",
    "Reproduced",
    "Room",
    "SEED_MAX",
    "Sample",
    "SearchIsOver",
    "Sheet",
    "SplitKind",
    "Spread",
    "Standing",
    "Start",
    "TIERS",
    "TRIALS_MAX",
    "Tensors",
    "TierTooSmall",
    "TooManyCalls",
    "TooManyJobs",
    "TooMuchAtOnce",
    "TooManySearches",
    "UnknownDataset",
    "UnknownJob",
    "UnknownKind",
    "UnknownModel",
    "UploadTooLarge",
    "Use",
    "add_bundled_dataset",
    "add_bundled_datasets",
    "add_inline_dataset",
    "advance_job",
    "ago",
    "ask_model",
    "augmentation_said",
    "begin_job",
    "blank_sheet",
    "cancel_job",
    "cancel_search",
    "caps_of",
    "card_of",
    "claim",
    "compare_jobs",
    "as_last_read",
    "correct_schema",
    "count_reproductions",
    "count_rows",
    "dataset_health",
    "dataset_steps",
    "delete_dataset",
    "describe_dataset",
    "describe_model",
    "divide",
    "document_model",
    "example_question",
    "export_model",
    "fail_job",
    "fault_code",
    "files_of",
    "find_beginning",
    "find_dataset",
    "find_model",
    "finish_job",
    "fix_licence",
    "forget_blob",
    "heartbeat",
    "hint",
    "hint_again",
    "infer",
    "is_used",
    "job_curves",
    "job_place",
    "job_progress",
    "job_version",
    "judge_config",
    "kept_checkpoints",
    "learning_of",
    "leaks_of",
    "lineage_of",
    "load_blob",
    "lock_blob",
    "model_layers",
    "model_origin",
    "model_signature",
    "network_layers",
    "node_trainer",
    "noted",
    "open_file",
    "open_made_file",
    "open_model_file",
    "order_export",
    "patterns",
    "plan_search",
    "ports",
    "predict",
    "predict_with_file",
    "prediction_kind",
    "presets_of",
    "preview_job",
    "preview_rows",
    "propose_search",
    "publication_faults",
    "quote_job",
    "quote_reproduction",
    "rename_dataset",
    "reproduce_model",
    "require_one_row",
    "retention",
    "retrain_job",
    "rooms_of",
    "run_baseline",
    "sample_rows",
    "search_standing",
    "start_search",
    "starting_points",
    "store_blob",
    "study_patterns",
    "submit_distributed_job",
    "submit_job",
    "take_the_same",
    "tier_use",
    "too_many_calls",
    "unfitted",
    "upload_dataset",
    "validate_model",
    "write",
    "write_bill",
    "write_card",
]
