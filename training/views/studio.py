"""The studio: where a network is composed, and what it will cost is seen before it starts.

While one types, only what was worked out is sent anew, never what is typed in; a button's answer is
the whole of the studio. Without scripts the same buttons bring the same page.
"""

import uuid
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect

from governance.models import User
from governance.services import Refusal
from governance.views import MemberRequest, PageRequest, View, led_once, visitor
from training import services as training
from training.forms.compositions import Config, NotComposable, composed, edited
from training.forms.jobs import JobForm
from training.forms.readings import Reading, read
from training.forms.studio import Studio
from training.models import Checkpoint, Dataset, Job, Model, Tier, Work

JOBS_SHOWN = 8
STEP_DIGITS_MAX = 18
KEPT = "composition"  # in a session: the studio as somebody sent it who was not signed in
KEPT_LENGTH_MAX = 100_000
FIRST = "digits"  # the dataset to begin with where none is named
ANEW = "anew"  # the button that gives up what the job was to begin from
JUDGED = ("start", "check", "apply")  # after these buttons a person is led to what is wrong


@dataclass
class Desk:
    """All that one answer of the studio is drawn from."""

    user: User
    form: JobForm
    dataset: Dataset
    tier: Tier
    reading: Reading
    action: str = ""
    focus: str = ""
    refusal: str = ""
    parent: Model | Checkpoint | None = None  # whose weights it begins from
    parent_name: str = ""  # as it was asked for, and stays where that is gone
    lost: str = ""  # why that is not to be had
    preview: training.Preview = field(default_factory=training.Preview)

    def begin_from(self, name: str) -> None:
        """Where that is gone meanwhile, what was composed is kept, and nothing else is begun."""
        self.parent_name = name
        try:
            self.parent = parent_of(self.user, name)
        except Refusal as refusal:
            reasons = [each["reason"] for each in refusal.invalid_parameters]
            said = f"What this job was to begin from {reasons[0]}." if reasons else str(refusal)
            self.lost = said

    def look(self) -> "Desk":
        """Work out what can be said of the network as it stands."""
        self.preview = self.previewed(self.reading.config)
        if self.reading.raw is not None:
            said = " ".join(f"{problem}." for problem in self.previewed(self.reading.raw).problems)
            error = said or "This cannot be shown as a list."
            self.reading = Reading(self.reading.config, self.reading.text, error)
        return self

    def previewed(self, config: object) -> training.Preview:
        return training.preview_job(
            dataset=self.dataset, config=config, tier=self.tier, parent=self.parent
        )

    @property
    def is_right(self) -> bool:
        preview = self.preview
        wrong = self.lost or self.reading.error or preview.problems or preview.tier_problem
        return not wrong and self.form.is_valid()

    def context(self) -> dict[str, Any]:
        studio = Studio(self.reading.config, self.dataset.data_shape, self.preview, self.focus)
        return {
            "form": self.form,
            "studio": studio,
            "room": training.rooms_of(self.user.pk)[training.Load.JOBS],
            "told": {"told-studio": f"{self.lost} {studio.told}".strip()},
            "preview": self.preview,
            "reading": self.reading,
            "dataset": self.dataset,
            "parent": self.parent,
            "parent_name": self.parent_name,
            "lost": self.lost,
            "starts": training.starting_points(dataset=self.dataset),
            "earlier": Job.objects.of(self.user).filter(dataset=self.dataset)[:JOBS_SHOWN],
            "summary": self.summary(studio) if self.action in JUDGED else [],
        }

    def summary(self, studio: Studio) -> list[tuple[str, str, str]]:
        """Everything that is wrong: where it is, what that is called, and why."""
        found = [("", "", self.refusal)] if self.refusal else []
        found += [("lost", "Where it begins", self.lost)] if self.lost else []
        for name, errors in self.form.errors.items():
            found += [(f"id_{name}", str(self.form[name].label), str(error)) for error in errors]
        found += studio.mistakes
        if self.reading.error:
            found.append(("config", "As JSON", self.reading.error))
        if self.preview.tier_problem:
            found.append(("id_tier", "Tier", self.preview.tier_problem))
        return found


def composing(view: View) -> View:
    """For who is signed in. What somebody had composed who is not any more, as after too long a
    pause, waits for them in their session until they are: it is shown anew, and nothing is begun.
    """

    @wraps(view)
    def answer(request: PageRequest) -> HttpResponse:
        if visitor(request) is not None:
            return view(request)
        typed = request.POST.urlencode()
        if typed and len(typed) <= KEPT_LENGTH_MAX:
            request.session[KEPT] = typed
        asking = redirect_to_login(request.get_full_path())
        return HttpResponseClientRedirect(asking.url) if request.htmx else asking

    return answer


@composing
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def new_job(request: MemberRequest) -> HttpResponse:
    """The studio; while one types it answers with shapes, price and mistakes, each in its place."""
    slug = request.GET.get("dataset", "")
    if (unread := unready(request.user, slug)) is not None:
        how = "could not be read" if unread.is_over else "is still being read"
        messages.warning(request, f"“{unread.name}” {how}, so nothing can be trained on it yet.")
        return redirect(unread)
    known = Dataset.objects.visible_to(request.user).ready()
    default = known.filter(slug=slug or FIRST).first() or known.first()
    if default is None:
        return render(request, "training/studio.html", {"dataset": None})
    if request.method == "GET":
        kept = request.session.pop(KEPT, "")
        if kept and not request.GET:
            messages.info(request, "What you composed is here again; nothing was begun yet.")
            desk = posted(request.user, changed(QueryDict(kept), action=""), default).look()
        else:
            desk = begun(request.user, request.GET, default).look()
        return render(request, "training/studio.html", desk.context())
    desk = posted(request.user, request.POST, default).look()
    if desk.action == "start" and desk.is_right:
        try:
            return redirect(led_once(request, lambda: submitted(desk).get_absolute_url()))
        except Refusal as refusal:  # such as too few credits: what was typed is kept
            desk.refusal = str(refusal)
    template = "training/studio.html"
    if request.htmx:
        template += "#studio" if desk.action else "#live"
    return render(request, template, desk.context())


def unready(user: User, slug: str) -> Dataset | None:
    """The dataset that somebody wants to train on, where it was not read; its page says how far it
    is, or why not. Raises Http404 where there is none: never is another one taken for it.
    """
    if not slug:
        return None
    found = get_object_or_404(Dataset.objects.visible_to(user), slug=slug)
    return found if found.status != Work.Status.DONE else None


def submitted(desk: Desk) -> Job:
    said = desk.form.cleaned_data
    asked: dict[str, Any] = {
        "dataset": desk.dataset,
        "config": desk.reading.config,
        "tier": desk.tier,
        "seed": said["seed"],
        "name": said["name"],
    }
    return training.submit_job(owner=desk.user, parent=desk.parent, **asked)


def begun(user: User, asked: QueryDict, default: Dataset) -> Desk:
    """A fresh studio: for a dataset, or with the network of an earlier job or of a parent."""
    initial: dict[str, Any] = {"seed": 0}
    name = asked.get("parent", "")
    try:
        parent = parent_of(user, name)
    except Refusal as refusal:
        raise Http404 from refusal
    job = earlier_job(user, asked.get("from", "")) if "from" in asked else None
    job = job if parent is None else parent.job
    if job is not None:
        dataset, initial["seed"] = job.dataset, job.seed
        config, tier = job.config, Tier(job.tier)
    else:
        dataset = default
        config, tier = start_of(user, dataset, asked.get("start", ""))
    initial |= {"dataset": dataset.slug, "tier": tier}
    form = JobForm(user=user, initial=initial)
    reading = Reading(shown(config))
    return Desk(user, form, dataset, tier, reading, parent=parent, parent_name=name)


def posted(user: User, typed: QueryDict, default: Dataset) -> Desk:
    """The studio as it was sent, after what its button does."""
    action = typed.get("action", "")
    form = JobForm(typed, user=user)
    form.full_clean()
    dataset = form.cleaned_data.get("dataset", default)
    reading, focus = read(typed, action), ""
    if action == "load":
        config, tier = start_of(user, dataset, typed.get("start", ""))
        reading = Reading(shown(config))
        form = JobForm(changed(typed, tier=tier), user=user)
    elif "." in action and not (reading.error or reading.raw):
        kind = typed.get(f"kind.{action.partition('.')[2]}", "")  # of the select beside the button
        config, focus = edited(reading.config, action, kind, dataset.data_shape)
        reading = Reading(config)
    form.full_clean()
    tier = Tier(form.cleaned_data.get("tier", Tier.NANO))
    desk = Desk(user, form, dataset, tier, reading, action, focus)
    if action != ANEW:
        desk.begin_from(typed.get("parent", ""))
    return desk


def changed(typed: QueryDict, **values: str) -> QueryDict:
    copy = typed.copy()
    for name, value in values.items():
        copy[name] = value
    return copy


def start_of(user: User, dataset: Dataset, name: str) -> tuple[Config, Tier]:
    """The network and tier of a starting point, or of an earlier job `job-<id>`."""
    if name.startswith("job-"):
        job = earlier_job(user, name.removeprefix("job-"))
        return job.config, Tier(job.tier)
    starts = training.starting_points(dataset=dataset)
    start = next((start for start in starts if start.name == name), starts[0])
    return start.config, start.tier


def parent_of(user: User, name: str) -> Model | Checkpoint | None:
    """What the job begins from, where it is named: a model by its id, a checkpoint by its job's id
    and its step, with a dot between. Raises Refusal where it is not to be had.
    """
    if not name:
        return None
    source, _, step = name.partition(".")
    if not step:
        return training.find_beginning(owner=user, model_id=id_of(source))
    number = int(step) if step.isdecimal() and len(step) < STEP_DIGITS_MAX else 0
    return training.find_beginning(owner=user, job_id=id_of(source), step=number)


def earlier_job(user: User, text: str) -> Job:
    return get_object_or_404(Job.objects.of(user).select_related("dataset"), pk=id_of(text))


def id_of(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise Http404 from error


def shown(config: Config) -> Config:
    """A stored configuration as the studio's inputs say it."""
    try:
        return composed(config)
    except NotComposable as error:  # written before the vocabulary was what it is now
        raise Http404 from error
