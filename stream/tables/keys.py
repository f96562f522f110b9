"""Every Redis key there is. Nothing else in the package makes one.

A key is `<namespace>:v2:{tNNN}:<family>...`: all keys of one tag share a cluster slot, so a script over one
tag is atomic. Ids appear only as digests in hexadecimal. `v2` is the layout version; the layout itself stands under
a key without it, which every version reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

LAYOUT_VERSION = 2
"""Goes up when what a key holds changes its meaning: tables of two versions cannot be read by one program."""


@cache
def _prefix(namespace: str, version: int, tag: int) -> bytes:
    return f"{namespace}:v{version}:{{t{tag:03d}}}:".encode()


def never_written(beside: bytes) -> bytes:
    """A key of the same tag, and so of the same slot, that nobody ever writes."""
    return beside[: beside.index(b"}") + 1] + b":never"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one namespace."""

    namespace: str

    def layout(self) -> bytes:
        """Hash: layout version, number of tags, pane length. Written at the first start, checked afterwards."""
        return f"{self.namespace}:{{layout}}".encode()

    @property
    def version(self) -> int:
        """The layout version of these keys."""
        return LAYOUT_VERSION

    def made(self) -> bytes:
        """Hash: `id` -> a random name given when the tables were made, which other tables do not have; `deleting`."""
        return f"{self.namespace}:v{LAYOUT_VERSION}:{{layout}}:made".encode()

    def prefix(self, tag: int) -> bytes:
        """What every key of a tag begins with."""
        return _prefix(self.namespace, LAYOUT_VERSION, tag)

    def fences(self, tag: int) -> bytes:
        """Hash: `<topic>/<partition>` -> `offset:watermark pane`; `.../e` -> epoch; the others: pane_marks.py."""
        return self.prefix(tag) + b"fences"

    def skus(self, tag: int) -> bytes:
        """Hash: SKU id (8 bytes) -> SKU."""
        return self.prefix(tag) + b"skus"

    def order_counts(self, tag: int) -> bytes:
        """Hash: SKU id -> orders in the window that hold it."""
        return self.prefix(tag) + b"orders"

    def partners(self, tag: int, sku_id: bytes) -> bytes:
        """Sorted set: partner's SKU id -> orders in the window that hold both."""
        return self.prefix(tag) + b"co:" + sku_id.hex().encode()

    def packed(self, tag: int, sku_id: bytes) -> bytes:
        """String: the best partners, packed for reading; deleted by every write to `partners`."""
        return self.prefix(tag) + b"top:" + sku_id.hex().encode()

    def fits(self, tag: int) -> bytes:
        """Hash: SKU id -> its fitted row, see `stream.tables.fitted_row`."""
        return self.prefix(tag) + b"fits"

    def stale(self, tag: int) -> bytes:
        """Sorted set: SKU id -> when it was first seen to need a fit, milliseconds since 1970."""
        return self.prefix(tag) + b"stale"

    def fitter(self, tag: int) -> bytes:
        """Hash: `owner`, `epoch` and `until` of the worker that fits this tag, and the tag's `heads`."""
        return self.prefix(tag) + b"fitter"

    def sample(self) -> bytes:
        """String: what a sample of recent orders says, see `stream.tables.sampling`."""
        return self.prefix(0) + b"sample"

    def scorers(self) -> bytes:
        """Hash: worker -> its tally of the scorers, see `stream.tables.scorers`."""
        return self.prefix(0) + b"scorers"

    def claims(self, tag: int) -> bytes:
        """Hash: order id (16 bytes) -> partition (4), offset (8), pane (4) of the record that placed it."""
        return self.prefix(tag) + b"claims"

    def panes(self, tag: int) -> bytes:
        """Set of `<partition>:<pane>` that hold orders of this tag."""
        return self.prefix(tag) + b"panes"

    def closed(self, tag: int) -> bytes:
        """Set of `<partition>:<pane>` that are being expired: a return comes too late for them."""
        return self.prefix(tag) + b"closed"

    def pane(self, tag: int, partition: int, pane: int) -> bytes:
        """Hash, the order log: offset (8 bytes) -> packed order."""
        return self.prefix(tag) + f"pane:{partition}:{pane}".encode()

    def undone(self, tag: int, partition: int, pane: int) -> bytes:
        """Hash: `<partition>:<offset>` of an order of the pane -> the tag's last undo of it, `:`, returns before it."""
        return self.prefix(tag) + f"undone:{partition}:{pane}".encode()

    def unguarded(self, tag: int) -> bytes:
        """Set of `<partition>:<offset>:<pane>:<customer id>`: orders undone while read again, see `unguarded.py`."""
        return self.prefix(tag) + b"unguarded"

    def parked(self, tag: int) -> bytes:
        """Hash: order id (16 bytes) -> packed returns that came before their order."""
        return self.prefix(tag) + b"parked"

    def waiting(self, tag: int) -> bytes:
        """Sorted set: order id of `parked` -> pane of its newest return, for giving up."""
        return self.prefix(tag) + b"waiting"

    def erased(self, tag: int) -> bytes:
        """Hash: customer id (16 bytes) -> `erased at (ms):last pane wiped:partition:offset` of the erasure."""
        return self.prefix(tag) + b"erased"

    def proofs(self, tag: int) -> bytes:
        """Hash: proof id (16 bytes) -> erasure-proven event, which does not say who the customer was."""
        return self.prefix(tag) + b"proofs"

    def customer(self, tag: int, customer_id: bytes) -> bytes:
        """Hash: `id`, `orders`, `t:<currency>` -> spend, both in the customer window."""
        return self.prefix(tag) + b"customer:" + customer_id.hex().encode()

    def spend(self, tag: int, customer_id: bytes) -> bytes:
        """Hash: `<pane>:o` -> orders, `<pane>:<currency>` -> spend of that pane."""
        return self.prefix(tag) + b"spend:" + customer_id.hex().encode()

    def diary(self, tag: int, customer_id: bytes) -> bytes:
        """String: what the customer bought and when, see `stream.tables.diary`."""
        return self.prefix(tag) + b"diary:" + customer_id.hex().encode()

    def tiers(self, tag: int) -> bytes:
        """Hash: customer id (16 bytes) -> position of the tier."""
        return self.prefix(tag) + b"tiers"

    def due(self, tag: int) -> bytes:
        """Sorted set: customer id -> earliest pane of its spend, for the sweep."""
        return self.prefix(tag) + b"due"

    def profiles(self, tag: int) -> bytes:
        """Hash: customer id -> source position (12 bytes), then the last customer-updated event."""
        return self.prefix(tag) + b"profiles"

    def products(self, tag: int) -> bytes:
        """Hash: SKU id -> source position (12 bytes), then the last product-updated event, empty if delisted."""
        return self.prefix(tag) + b"products"

    def catalogue_version(self, tag: int) -> bytes:
        """String: how often the products of this tag changed; readers look here before they read again."""
        return self.prefix(tag) + b"version:products"

    def ladder(self, tag: int, range_id: bytes) -> bytes:
        """Set of the SKU ids that were ever put in this range; the product itself says whether it still is."""
        return self.prefix(tag) + b"range:" + range_id.hex().encode()

    def acceptance(self, pane: int | None = None) -> bytes:
        """Hash of a pane: what became of an offer and its token -> how often. Without a pane: pane -> its changes."""
        return self.prefix(0) + b"acceptance" + (b"" if pane is None else b":%d" % pane)

    def heard(self, partition: int) -> bytes:
        """Sorted set: event id (8 bytes) of a partition of feedback -> offset of its last record, the newest alone."""
        return self.prefix(0) + b"heard:%d" % partition

    def moves(self, pane: int | None = None) -> bytes:
        """As `acceptance`, of what shoppers did unprompted."""
        return self.prefix(0) + b"moves" + (b"" if pane is None else b":%d" % pane)

    def movers(self) -> bytes:
        """Hash: worker -> `number:time (ms)` of the last moves it told, so that none are added twice."""
        return self.prefix(0) + b"movers"

    def dismissing(self) -> bytes:
        """Set of the tags that ever held a dismissal: the others need not be asked."""
        return self.prefix(0) + b"dismissing"

    def dismissed(self, tag: int) -> bytes:
        """Hash: basket or customer (16 bytes) -> SKUs they dismissed and when, packed."""
        return self.prefix(tag) + b"dismissed"

    def dismissals(self, tag: int) -> bytes:
        """Sorted set: basket or customer of `dismissed` -> time of the newest dismissal (ms), for letting go."""
        return self.prefix(tag) + b"dismissals"

    def outbox(self, tag: int) -> bytes:
        """Hash: message id -> message; deleted after the broker acknowledged it."""
        return self.prefix(tag) + b"outbox"

    def everything(self) -> bytes:
        """Pattern that matches every key of the namespace and no other, of other layout versions too."""
        return f"{self.namespace}:*".encode()

    def parse(self, key: bytes) -> tuple[int, str, str]:
        """(tag, family, rest) of a key; tag -1 for the layout."""
        _, _, rest = key.decode().partition("}")
        slot = key[key.index(b"{") + 1 : key.index(b"}")].decode()
        family, _, ident = rest.removeprefix(":").partition(":")
        return (int(slot[1:]) if slot[1:].isdigit() else -1), family, ident
