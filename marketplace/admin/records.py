"""What was bought and what is deployed, to look at."""

from django.contrib import admin

from billing import services as billing
from governance.admin import DeskAdmin
from marketplace.models import Deployment, Purchase


@admin.register(Purchase)
class PurchaseAdmin(DeskAdmin):
    list_display = ["template", "buyer", "price", "author_share", "at"]
    list_select_related = ["template", "buyer"]

    @admin.display(description="price")
    def price(self, purchase: Purchase) -> str:
        return billing.credits(purchase.price_microcredits)

    @admin.display(description="to the author")
    def author_share(self, purchase: Purchase) -> str:
        return billing.credits(purchase.author_microcredits)


@admin.register(Deployment)
class DeploymentAdmin(DeskAdmin):
    list_display = ["name", "owner", "template", "status", "created_at", "stopped_at"]
    list_select_related = ["owner", "template"]
