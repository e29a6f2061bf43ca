"""Whose file is read when many have brought some."""

import pytest

from tests.training.uploads import brought
from training import tasks
from training.models import Dataset, Work
from training.runner import leases, readings

ROWS = b"a,kind\n" + b"1,x\n2,y\n" * 20


@pytest.fixture
def bring(in_this_process):
    """Files of a person, one after the other."""
    return lambda owner, count=1: [brought(owner, ROWS, "csv") for _ in range(count)]


def test_a_heap_of_files_of_one_person_does_not_delay_anothers_first(bring, alice, bob):
    heap = bring(bob, 4)
    hers = bring(alice, 2)
    assert leases.claim(Dataset, str(heap[0].pk)) is not None  # a worker reads it
    want = [*hers, *heap[1:]]
    assert readings.line() == [each.pk for each in want]


def test_a_hint_reads_the_file_whose_turn_it_is(bring, alice, bob):
    heap, [hers] = bring(bob, 3), bring(alice)
    for each in heap[:2]:
        tasks.prepare_dataset(str(each.pk))
    done = Dataset.objects.filter(status=Work.Status.DONE)
    assert {each.pk for each in done} == {heap[0].pk, hers.pk}
