"""Commands that walk the path, where they may."""

import pytest
from django.core.management import CommandError, call_command

from config import demo
from governance.models import Role, User


def test_quickstart_keeps_out_where_there_is_no_demonstration(db, settings):
    settings.DEMO = False
    with pytest.raises(CommandError, match="DEMO is off"):
        call_command("quickstart", "--json")
    assert not User.objects.exists()


def test_the_demonstration_takes_nobodys_account(db):
    stranger = User.objects.create_user("judy", "judy@elsewhere.example")
    with pytest.raises(demo.StepFailed, match="somebody else has this name"):
        demo.people()
    assert not stranger.has_role(Role.MODERATOR)


def test_a_role_is_given_by_name_and_written_down(bob, capsys):
    call_command("grant_role", "bob", "finance")
    assert bob.has_role(Role.FINANCE)
    with pytest.raises(CommandError, match="nobody here has this name"):
        call_command("grant_role", "nobody", "finance")
