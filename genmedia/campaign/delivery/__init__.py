"""Delivery: stored files are copied to any place under names that people chose, labelled, with a manifest and a page.

`wish` is what a person asks for, `naming` makes the names, `manifest` tells what is at the place, `page` and `package` are what goes with the
files, `delivering` carries it out, and `stored` finds the files of a campaign in a store.
"""

from genmedia.campaign.delivery.delivering import Report, check_outside, deliver
from genmedia.campaign.delivery.manifest import read_manifest
from genmedia.campaign.delivery.wish import Form, Item, Wish

__all__ = ["Form", "Item", "Report", "Wish", "check_outside", "deliver", "read_manifest"]
