"""The JSON door of searches for settings."""

import uuid
from decimal import Decimal
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import services as billing
from governance.api.answers import page
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY, PAGE
from governance.models import Scope
from training import services as training
from training.models import NAME_LENGTH_MAX, Job, Search, Tier, Trial


class SearchRequest(serializers.Serializer[Any]):
    config = serializers.JSONField(help_text="architecture, training and divergent")
    space = serializers.JSONField(help_text="paths of config, each with low and high, or choices")
    dataset = serializers.SlugField(default="digits", help_text="a dataset's slug")
    tier = serializers.ChoiceField(Tier.choices, default=Tier.NANO)
    sampler = serializers.ChoiceField(Search.Sampler.choices, default=Search.Sampler.TPE)
    objective = serializers.ChoiceField(Search.Objective.choices, default=Search.Objective.LOSS)
    trials_max = serializers.IntegerField(min_value=1, max_value=training.TRIALS_MAX)
    budget = serializers.DecimalField(
        max_digits=16, decimal_places=6, min_value=Decimal("0.000001"), help_text="in credits"
    )
    seed = serializers.IntegerField(default=0, min_value=0, max_value=training.SEED_MAX)
    name = serializers.CharField(max_length=NAME_LENGTH_MAX, default="", allow_blank=True)


def trial_body(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "params": trial.params,
        "state": trial.state,
        "value": trial.value,
        "job_id": str(trial.job_id) if trial.job_id else None,
    }


def search_summary(search: Search) -> dict[str, Any]:
    """What the row of a search alone tells."""
    return {
        "search_id": str(search.pk),
        "name": search.name,
        "status": search.status,
        "sampler": search.sampler,
        "objective": search.objective,
        "trials_max": search.trials_max,
        "budget": billing.credits(search.budget_microcredits),
        "error_code": search.error_code,
        "error_message": search.error_message,
        "created_at": search.created_at.isoformat(),
    }


def search_body(search: Search) -> dict[str, Any]:
    standing = training.search_standing(search=search)
    assert standing is not None  # nothing was seen before
    contest = standing.contest
    return search_summary(search) | {
        "credits_used_or_held": billing.credits(contest.spent_microcredits),
        "best": trial_body(contest.best) if contest.best else None,
        "trials": [trial_body(trial) for trial in contest.trials],
    }


class Searches(APIView):
    required_scope = {"POST": Scope.TRAIN, "GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_list_searches", responses=dict, parameters=PAGE)
    def get(self, request: Request) -> Response:
        """Your searches, newest first."""
        rows, following = page(request, Search.objects.of(caller(request)))
        found = [search_summary(search) for search in rows]
        return Response({"searches": found, "count": len(found), "next": following})

    @extend_schema(
        operation_id="neural_search",
        request=SearchRequest,
        responses={202: dict},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Search better settings by trials that are jobs, for no more than a budget."""
        asked = SearchRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = dict(asked.validated_data)
        owner = caller(request)
        dataset = training.find_dataset(viewer=owner, slug=data.pop("dataset"))
        budget = data.pop("budget")
        wanted = data | {
            "tier": Tier(data["tier"]),
            "sampler": Search.Sampler(data["sampler"]),
            "objective": Search.Objective(data["objective"]),
            "budget_microcredits": billing.microcredits(budget),
        }

        def act() -> tuple[int, dict[str, Any]]:
            search = training.start_search(owner=owner, dataset=dataset, **wanted)
            return 202, search_body(search)

        response = once(request, act)
        response["Location"] = f"/api/v1/searches/{response.data['search_id']}"
        return response


class SearchProposal(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_propose_search", responses=dict)
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        """A search around the settings of a job, to be changed and sent to /api/v1/searches."""
        jobs = Job.objects.of(caller(request)).select_related("dataset")
        job = get_object_or_404(jobs, pk=job_id)
        proposal = training.propose_search(job=job)
        return Response(
            {
                "config": job.config,
                "dataset": job.dataset.slug,
                "tier": job.tier,
                "name": proposal.name,
                "space": proposal.space,
                "trials_max": proposal.trials_max,
                "budget": billing.credits(proposal.budget_microcredits),
                "seed": proposal.seed,
            }
        )


class OneSearch(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "DELETE": Scope.TRAIN}

    @extend_schema(operation_id="neural_search_status", responses=dict)
    def get(self, request: Request, search_id: uuid.UUID) -> Response:
        """How a search stands: its trials, the best of them and what they cost."""
        search = get_object_or_404(Search.objects.of(caller(request)), pk=search_id)
        return Response(search_body(search))

    @extend_schema(operation_id="neural_search_cancel", responses={200: dict})
    def delete(self, request: Request, search_id: uuid.UUID) -> Response:
        """Cancel a search and the trial that runs; what was measured stays."""
        user = caller(request)
        search = get_object_or_404(Search.objects.of(user), pk=search_id)
        return Response(search_body(training.cancel_search(actor=user, search=search)))
