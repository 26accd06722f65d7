"""Personal data stops here: frames leave the connectors with keyed pseudonyms and no names.

A pseudonym is an HMAC-SHA-256 of the source's customer reference under the merchant's own key, so it cannot
be guessed from a list of addresses (a bare hash can) and changes with the key.
"""

import hashlib
import hmac
import re
from typing import Any

import polars as pl

# Field names, folded to lower case without separators, that carry personal data in the three APIs and in
# merchants' files. What is below such a key is dropped from raw records; of an address only the parts in
# _ADDRESS_KEPT stay.
_PERSONAL = frozenset(
    """
    email buyeremail customeremailid contactemail notificationemail buyername buyerinfo buyer recipientname
    name1 firstname lastname fullname displayname phone phonenumber daytimephone buyerphonenumber
    addressline1 addressline2 addressline3 address1 address2 line1 line2 company street latitude longitude
    buyertaxinfo buyercounty giftmessagetext note customernote ipaddress clientip browserip useragent
    legalname taxregistrationnumber taxregistrationaddress giftmessage deliverypreference
    customername pickuppersons pickupby completename completenumber subscribernumber middlename
    customer buyerid customerid customeremail emailaddress mobile birthday dateofbirth
    """.split()
)
_ADDRESS = frozenset("shippingaddress billingaddress postaladdress deliveryaddress address".split())
_ADDRESS_KEPT = frozenset(
    "country countrycode countrycodev2 state stateorregion province provincecode".split()
)

_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_NUMBER = re.compile(r"(?<!\w)\+?\(?\d(?:[ ()./-]{0,2}\d){6,}(?!\w)")  # telephones; order ids look alike


def without_contacts(words: str) -> str:
    """What somebody wrote, without the e-mail addresses and long numbers in it."""
    return _NUMBER.sub("(number)", _EMAIL.sub("(address)", words))


def pseudonym(reference: str, key: bytes) -> str:
    """32 hex digits that stand for a customer; a reference that already is one ("key:…") is kept."""
    if reference.startswith("key:"):
        return reference[4:]
    return hmac.new(key, reference.strip().lower().encode(), hashlib.sha256).hexdigest()[:32]


def pseudonymize(frame: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """`frame` with `customer_ref` replaced by `customer_key`; frames without it come back unchanged."""
    if "customer_ref" not in frame.columns:
        return frame
    known = frame["customer_ref"].drop_nulls().unique()
    keys = pl.DataFrame(
        {"customer_ref": known, "customer_key": [pseudonym(ref, key) for ref in known]},
        schema={"customer_ref": pl.String, "customer_key": pl.String},
    )
    at = frame.columns.index("customer_ref")
    joined = frame.join(keys, on="customer_ref", how="left", maintain_order="left")
    columns = [*frame.columns[:at], "customer_key", *frame.columns[at + 1 :]]
    return joined.select(columns)


def is_personal(name: str, *, in_address: bool = False) -> bool:
    """Whether what stands under field `name` of a record is personal; of an address, all but country and state is."""
    folded = str(name).replace("_", "").replace("-", "").lower()
    return folded in _PERSONAL or (in_address and folded not in _ADDRESS_KEPT)


def scrub(record: Any, *, in_address: bool = False) -> Any:
    """A copy of a decoded JSON record without personal data, for quarantine and logs.

    Text in which an e-mail address stands, wherever it does, loses the address.
    """
    if isinstance(record, dict):
        kept = {}
        for name, value in record.items():
            folded = str(name).replace("_", "").replace("-", "").lower()
            nested = isinstance(value, dict | list)
            if folded in _PERSONAL or (not nested and is_personal(name, in_address=in_address)):
                continue
            kept[name] = scrub(value, in_address=in_address or folded in _ADDRESS)
        return kept
    if isinstance(record, list):
        return [scrub(item, in_address=in_address) for item in record]
    return _EMAIL.sub("(address)", record) if isinstance(record, str) else record
