"""Addresses of training."""

from django.urls import path

from training.api import datasets as dataset_api
from training.api import jobs as job_api
from training.api import models as model_api
from training.api import reproductions as reproduction_api
from training.api import searches as search_api
from training.api import validations as validation_api
from training.views import datasets, jobs, models, patterns, searches, streams, studio

app_name = "training"
urlpatterns = [
    # /datasets/
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/new/", datasets.new_dataset, name="new_dataset"),
    path("datasets/<slug:slug>/", datasets.dataset, name="dataset"),
    path("datasets/<slug:slug>/schema/", datasets.schema, name="schema"),
    path("datasets/<slug:slug>/rename/", datasets.rename_dataset, name="rename_dataset"),
    path("datasets/<slug:slug>/delete/", datasets.delete_dataset, name="delete_dataset"),
    path("datasets/<slug:slug>/file/", datasets.brought_file, name="dataset_file"),
    path("datasets/<slug:slug>/rows/", datasets.prepared_rows, name="dataset_rows"),
    path("datasets/<slug:slug>/croissant.json", datasets.croissant, name="croissant"),
    # /jobs/
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/new/", studio.new_job, name="new_job"),
    path("jobs/<uuid:job_id>/", jobs.job, name="job"),
    path("jobs/compare/", jobs.compare, name="compare"),
    path("jobs/<uuid:job_id>/stream/", streams.job_stream, name="job_stream"),
    path("jobs/<uuid:job_id>/cancel/", jobs.cancel_job, name="cancel_job"),
    path("jobs/<uuid:job_id>/search/", searches.new_search, name="new_search"),
    path("jobs/<uuid:job_id>/again/", jobs.retrain_job, name="retrain_job"),
    path("jobs/<uuid:job_id>/baseline/", jobs.run_baseline, name="run_baseline"),
    # /patterns/
    path("patterns/", patterns.patterns, name="patterns"),
    # /searches/
    path("searches/", searches.searches, name="searches"),
    path("searches/<uuid:search_id>/", searches.search, name="search"),
    path("searches/<uuid:search_id>/cancel/", searches.cancel_search, name="cancel_search"),
    # /models/
    path("models/", models.models, name="models"),
    path("models/<uuid:model_id>/", models.model, name="model"),
    path("models/<uuid:model_id>/try/", models.try_model, name="try_model"),
    path("models/<uuid:model_id>/card/", models.document_model, name="document_model"),
    path("models/<uuid:model_id>/validate/", models.validate_model, name="validate_model"),
    path("models/<uuid:model_id>/reproduce/", models.reproduce_model, name="reproduce_model"),
    path("models/<uuid:model_id>/exports/", models.export_model, name="export_model"),
    path("models/<uuid:model_id>/files/<slug:kind>", models.model_file, name="model_file"),
    path("models/<uuid:model_id>/card.md", models.model_card, name="model_card"),
    path("models/<uuid:model_id>/bom.json", models.model_bill, name="model_bill"),
    # /api/v1/
    path("api/v1/datasets", dataset_api.Datasets.as_view(), name="api_datasets"),
    path("api/v1/datasets/<slug:slug>", dataset_api.OneDataset.as_view(), name="api_dataset"),
    path("api/v1/training-jobs", job_api.TrainingJobs.as_view(), name="api_jobs"),
    path("api/v1/training-jobs/<uuid:job_id>", job_api.TrainingJob.as_view(), name="api_job"),
    path(
        "api/v1/training-jobs/<uuid:job_id>/curves",
        job_api.TrainingCurves.as_view(),
        name="api_curves",
    ),
    path(
        "api/v1/training-jobs/<uuid:job_id>/search",
        search_api.SearchProposal.as_view(),
        name="api_search_proposal",
    ),
    path("api/v1/searches", search_api.Searches.as_view(), name="api_searches"),
    path("api/v1/searches/<uuid:search_id>", search_api.OneSearch.as_view(), name="api_search"),
    path("api/v1/models", model_api.Models.as_view(), name="api_models"),
    path("api/v1/models/<uuid:model_id>", model_api.ModelDetail.as_view(), name="api_model"),
    path("api/v1/models/<uuid:model_id>/card", model_api.Card.as_view(), name="api_card"),
    path("api/v1/models/<uuid:model_id>/bom", model_api.Bill.as_view(), name="api_bom"),
    path(
        "api/v1/models/<uuid:model_id>/reproductions",
        reproduction_api.Reproductions.as_view(),
        name="api_reproductions",
    ),
    path(
        "api/v1/models/<uuid:model_id>/validations",
        validation_api.Validations.as_view(),
        name="api_validations",
    ),
    path(
        "api/v1/models/<uuid:model_id>/benchmarks",
        validation_api.Benchmarks.as_view(),
        name="api_benchmarks",
    ),
]
