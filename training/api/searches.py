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
from governance.api.answers import Millionths, listed, page_of, tagged, told
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY, PAGE
from governance.models import Scope
from training import services as training
from training.models import NAME_LENGTH_MAX, Job, Search, Tier, Trial

SPACE = {"type": "object", "additionalProperties": True}


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


class TrialSerializer(serializers.ModelSerializer[Trial]):
    job_id = serializers.UUIDField(allow_null=True)
    params = told(SPACE, help_text="paths of config, each with its value")

    class Meta:
        model = Trial
        fields = ("number", "params", "state", "value", "job_id")


class SearchSummarySerializer(serializers.ModelSerializer[Search]):
    """What the row of a search alone tells."""

    search_id = serializers.UUIDField(source="pk")
    budget = Millionths(source="budget_microcredits", help_text="in credits")

    class Meta:
        model = Search
        fields: tuple[str, ...] = (
            *("search_id", "name", "status", "sampler", "objective", "trials_max", "budget"),
            *("error_code", "error_message", "created_at"),
        )


class StandingSerializer(serializers.Serializer[Any]):
    credits_used_or_held = Millionths(source="spent_microcredits")
    best = TrialSerializer(allow_null=True)
    trials = TrialSerializer(many=True)


class SearchSerializer(StandingSerializer, SearchSummarySerializer):
    """How a search stands: its trials, the best of them and what they cost."""


SEARCHES = page_of("searches", SearchSummarySerializer)


def search_body(search: Search) -> dict[str, Any]:
    standing = training.search_standing(search=search)
    assert standing is not None  # nothing was seen before
    return SearchSummarySerializer(search).data | StandingSerializer(standing.contest).data


class ProposalSerializer(serializers.Serializer[Any]):
    """As a request for a search takes it."""

    config = told(SPACE, source="job.config")
    dataset = serializers.SlugField(source="job.dataset.slug")
    tier = serializers.ChoiceField(Tier.choices, source="job.tier")
    name = serializers.CharField(source="proposal.name")
    space = told(SPACE, source="proposal.space")
    trials_max = serializers.IntegerField(source="proposal.trials_max")
    budget = Millionths(source="proposal.budget_microcredits", help_text="in credits")
    seed = serializers.IntegerField(source="proposal.seed")


class Searches(APIView):
    required_scope = {"POST": Scope.TRAIN, "GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_list_searches", responses=SEARCHES, parameters=PAGE)
    def get(self, request: Request) -> Response:
        """Your searches, newest first."""
        return listed(request, SEARCHES, Search.objects.of(caller(request)))

    @extend_schema(
        operation_id="neural_search",
        request=SearchRequest,
        responses={202: SearchSerializer},
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

    @extend_schema(operation_id="neural_propose_search", responses=ProposalSerializer)
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        """A search around the settings of a job, to be changed and sent to /api/v1/searches."""
        jobs = Job.objects.of(caller(request)).select_related("dataset")
        job = get_object_or_404(jobs, pk=job_id)
        proposal = training.propose_search(job=job)
        return Response(ProposalSerializer({"job": job, "proposal": proposal}).data)


class OneSearch(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "DELETE": Scope.TRAIN}

    @extend_schema(operation_id="neural_search_status", responses=SearchSerializer)
    def get(self, request: Request, search_id: uuid.UUID) -> Response:
        """How a search stands: its trials, the best of them and what they cost."""
        search = get_object_or_404(Search.objects.of(caller(request)), pk=search_id)
        return tagged(request, search_body(search))

    @extend_schema(operation_id="neural_search_cancel", responses={200: SearchSerializer})
    def delete(self, request: Request, search_id: uuid.UUID) -> Response:
        """Cancel a search and the trial that runs; what was measured stays."""
        user = caller(request)
        search = get_object_or_404(Search.objects.of(user), pk=search_id)
        return Response(search_body(training.cancel_search(actor=user, search=search)))
