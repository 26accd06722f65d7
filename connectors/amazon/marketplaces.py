"""Amazon's marketplaces: where they answer, what they are called, what money and clock they use.

Source: Amazon's published marketplace ids. `tax_included` is how prices are shown there: VAT and GST
countries show them with tax, the United States and Canada add tax at the checkout.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.base import Channel

API_URLS = {
    "NA": "https://sellingpartnerapi-na.amazon.com",
    "EU": "https://sellingpartnerapi-eu.amazon.com",
    "FE": "https://sellingpartnerapi-fe.amazon.com",
}
AUTH_URL = "https://api.amazon.com/auth/o2/token"  # one for all regions


@dataclass(frozen=True)
class Marketplace:
    """One Amazon store."""

    id: str
    region: str  # NA, EU, FE: the host that answers, and the one a refresh token is good for
    code: str  # what it is called in channel names: "us" in "amazon-us"
    country: str  # ISO 3166 alpha-2
    currency: str
    timezone: str
    domain: str
    tax_included: bool

    @property
    def channel(self) -> str:
        return f"amazon-{self.code}"


def _rows() -> Iterable[Marketplace]:
    table = """
        ATVPDKIKX0DER  NA us US USD America/Los_Angeles Amazon.com    0
        A2EUQ1WTGCTBG2 NA ca CA CAD America/Los_Angeles Amazon.ca     0
        A1AM78C64UM0Y8 NA mx MX MXN America/Los_Angeles Amazon.com.mx 1
        A2Q3Y263D00KWC NA br BR BRL America/Sao_Paulo   Amazon.com.br 1
        A1F83G8C2ARO7P EU uk GB GBP Europe/London       Amazon.co.uk  1
        A1PA6795UKMFR9 EU de DE EUR Europe/Berlin       Amazon.de     1
        A13V1IB3VIYZZH EU fr FR EUR Europe/Paris        Amazon.fr     1
        APJ6JRA9NG5V4  EU it IT EUR Europe/Rome         Amazon.it     1
        A1RKKUPIHCS9HS EU es ES EUR Europe/Madrid       Amazon.es     1
        A1805IZSGTT6HS EU nl NL EUR Europe/Amsterdam    Amazon.nl     1
        A2NODRKZP88ZB9 EU se SE SEK Europe/Stockholm    Amazon.se     1
        A1C3SOZRARQ6R3 EU pl PL PLN Europe/Warsaw       Amazon.pl     1
        AMEN7PMS3EDWL  EU be BE EUR Europe/Brussels     Amazon.com.be 1
        A28R8C7NBKEWEA EU ie IE EUR Europe/Dublin       Amazon.ie     1
        A33AVAJ2PDY3EV EU tr TR TRY Europe/Istanbul     Amazon.com.tr 1
        A2VIGQ35RCS4UG EU ae AE AED Asia/Dubai          Amazon.ae     1
        A17E79C6D8DWNP EU sa SA SAR Asia/Riyadh         Amazon.sa     1
        ARBP9OOSHTCHU  EU eg EG EGP Africa/Cairo        Amazon.eg     1
        A21TJRUUN4KGV  EU in IN INR Asia/Kolkata        Amazon.in     1
        AE08WJ6YKNBMC  EU za ZA ZAR Africa/Johannesburg Amazon.co.za  1
        A1VC38T7YXB528 FE jp JP JPY Asia/Tokyo          Amazon.co.jp  1
        A39IBJ37TRP1C6 FE au AU AUD Australia/Sydney    Amazon.com.au 1
        A19VAU5U5O7RUS FE sg SG SGD Asia/Singapore      Amazon.sg     1
    """
    for line in table.strip().splitlines():
        marketplace_id, region, code, country, currency, timezone, domain, included = line.split()
        yield Marketplace(marketplace_id, region, code, country, currency, timezone, domain, included == "1")


MARKETPLACES = {marketplace.id: marketplace for marketplace in _rows()}
BY_DOMAIN = {marketplace.domain.lower(): marketplace for marketplace in MARKETPLACES.values()}


def region_of(marketplace_ids: Iterable[str]) -> str:
    """The region that answers for these marketplaces.

    Raises ValueError when one is unknown or they lie in several regions: a refresh token is good for one.
    """
    ids = list(marketplace_ids)
    unknown = [known for known in ids if known not in MARKETPLACES]
    if unknown or not ids:
        raise ValueError(
            f"AMAZON_MARKETPLACE_IDS: unknown marketplace id {', '.join(unknown) or '(none given)'}"
        )
    regions = {MARKETPLACES[marketplace_id].region for marketplace_id in ids}
    if len(regions) > 1:
        raise ValueError(
            f"AMAZON_MARKETPLACE_IDS: {', '.join(ids)} lie in the regions {', '.join(sorted(regions))}; "
            "one account reads one region: make an account for each"
        )
    return regions.pop()


def channels_of(marketplace_ids: Iterable[str]) -> tuple[Channel, ...]:
    """One channel for each marketplace id, in the order given. Raises KeyError for an unknown id."""
    return tuple(
        Channel(m.channel, "amazon", m.id, m.currency, m.timezone)
        for m in (MARKETPLACES[marketplace_id] for marketplace_id in marketplace_ids)
    )
