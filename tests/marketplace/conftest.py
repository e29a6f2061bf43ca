"""What bob has of alice's template."""

import pytest

from marketplace import services as marketplace
from marketplace.models import Deployment
from tests.marketplace.versions import another_version, sibling


@pytest.fixture
def bought(bob, template):
    marketplace.buy_template(buyer=bob, template=template)
    return template


@pytest.fixture
def deployment(bob, bought) -> Deployment:
    return marketplace.deploy_template(owner=bob, template=bought)


@pytest.fixture
def second(alice, template, digits):
    """Another model of the same signature, as version 2."""
    return another_version(template, model=sibling(template))
