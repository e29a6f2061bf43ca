"""Every code that an error bears has a page with its meaning and the way out."""

import json

from django.conf import settings

from config import problems
from governance.api.schema import PROBLEMS


def test_every_code_has_a_page(client, db):
    for code in problems.problems():
        page = client.get(f"/problems/{code}/")
        assert (page.status_code, code in page.content.decode()) == (200, True)


def test_every_status_of_a_problem_is_told_in_the_schema():
    statuses = {problem.status for problem in problems.problems().values()}
    assert statuses - {200, 405} <= set(PROBLEMS)


def test_what_stands_in_the_table_is_not_a_refusal_too():
    assert not problems.DECLINED.keys() & problems.refusals().keys()
    assert problems.ORIGINAL.keys() <= problems.problems().keys()


def test_a_code_of_flow_nexus_leads_to_what_says_the_same_here(client, db):
    for code in ("INSUFFICIENT_CREDITS", "INVALID_ARCHITECTURE", "TRAINING_FAILED"):
        page = client.get(f"/problems/{code}/", follow=True)
        assert code in page.content.decode()
        assert code in client.get("/docs/troubleshooting/").content.decode()


def test_a_program_written_for_flow_nexus_finds_its_codes(client, alice, digits):
    client.force_login(alice)

    def told(method, address, body=None):
        answer = client.generic(
            method, f"/api/v1/{address}", json.dumps(body), content_type="application/json"
        ).json()
        assert answer["type"].startswith(f"{settings.SITE_URL}/problems/")
        return answer["code"], answer["original_code"]

    nothing = "00000000-0000-0000-0000-000000000000"
    config = {"architecture": {"type": "feedforward", "layers": [{"type": "nothing"}]}}
    assert told("POST", "training-jobs", {"config": config}) == (
        "invalid_config",
        "INVALID_ARCHITECTURE",
    )
    assert told("GET", f"models/{nothing}") == ("not_found", "MODEL_NOT_FOUND")
    assert told("POST", f"models/{nothing}/predict", {"input": [1]})[1] == "MODEL_NOT_FOUND"
    assert told("POST", f"templates/{nothing}/purchases") == (
        "not_found",
        "TEMPLATE_NOT_AVAILABLE",
    )
