"""Rows that a table holds more than once: what a network remembers is not sold as what it can."""

import pytest

from tests.training.test_finetuning import FLOWERS, begun, brought
from tests.training.uploads import bring
from training import services as training
from training.runner import validations

HEAD, *LINES = FLOWERS.splitlines(keepends=True)


def validated(model):
    validation = model.validations.get()
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    assert validation.status == "done", validation.error_message
    return validation


@pytest.mark.usefixtures("in_this_process")
def test_a_model_that_was_tested_on_what_trained_it_earns_and_sells_nothing(client, alice):
    dataset = brought(alice, content=HEAD + b"".join(LINES * 3))
    assert {"bad"} == {
        found["level"] for found in dataset.report["health"] if found["code"] == "leakage"
    }
    model = begun(alice, dataset)
    validation = validated(model)
    copies = validation.report["copies"]
    assert 0.5 < copies["share"] == copies["seen"] / dataset.test_rows
    assert (validation.certificate, validation.score) == ("", None)
    assert validation.receipt["copies"] == copies
    said = f"{copies['seen']} of the {copies['rows']} rows it was tested on also stand among those"
    [fault] = [each for each in training.publication_faults(model=model) if said in each.what]
    assert "split them by a group" in fault.remedy
    assert not any("30 days" in str(each) for each in training.publication_faults(model=model))
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert "There is no score and no certificate, and it cannot be published" in page
    assert "rows, some of which trained" in page
    assert f"<dd>{copies['seen']} of {copies['rows']}</dd>" in page
    card = client.get(f"{model.get_absolute_url()}card.md").content.decode()
    assert f"Of its {copies['rows']} test rows {copies['seen']} have the same numbers" in card
    assert "which no training read" not in card


@pytest.mark.usefixtures("in_this_process")
def test_rows_of_few_forms_are_alike_by_nature_and_are_certified(alice):
    rows = [(first, second, third) for first in "ab" for second in "xyz" for third in "mf"]
    lines = [f"{one},{two},{three},{'yes' if one == 'a' else 'no'}" for one, two, three in rows]
    content = "\n".join(["group,place,sex,target", *(lines * 12)]).encode()
    model = begun(alice, bring(alice, content, "csv"))
    validation = validated(model)
    assert validation.report["copies"]["share"] > 0.9
    assert validation.report["copies"]["share_by_chance"] > 0.9
    assert (validation.report["leaks"], validation.certificate != "") == ([], True)


@pytest.mark.usefixtures("in_this_process")
def test_one_row_that_happens_to_be_alike_costs_nothing(client, alice):
    """As in the irises of R. A. Fisher, two of which are the same."""
    model = begun(alice, brought(alice, content=HEAD + b"".join([*LINES, *LINES[:1]]), seed=3))
    validation = validated(model)
    assert validation.report["copies"]["seen"] <= 1
    assert (validation.report["leaks"], validation.certificate != "") == ([], True)
