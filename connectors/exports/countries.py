"""Country names as shops and people write them → ISO 3166 alpha-2."""

_NAMES = {
    "australia": "AU", "austria": "AT", "bahrain": "BH", "belgium": "BE", "bermuda": "BM", "brazil": "BR",
    "bulgaria": "BG", "canada": "CA", "channel islands": "JE", "chile": "CL", "china": "CN", "colombia": "CO",
    "croatia": "HR", "cyprus": "CY", "czech republic": "CZ", "czechia": "CZ", "denmark": "DK",
    "deutschland": "DE", "eire": "IE", "england": "GB", "espana": "ES", "españa": "ES", "estonia": "EE",
    "finland": "FI", "france": "FR", "germany": "DE", "great britain": "GB", "greece": "GR", "guernsey": "GG",
    "hong kong": "HK", "hungary": "HU", "iceland": "IS", "india": "IN", "indonesia": "ID", "ireland": "IE",
    "israel": "IL", "italia": "IT", "italy": "IT", "japan": "JP", "jersey": "JE", "korea": "KR",
    "korea, republic of": "KR", "latvia": "LV", "lebanon": "LB", "lithuania": "LT", "luxembourg": "LU",
    "malaysia": "MY", "malta": "MT", "mexico": "MX", "netherlands": "NL", "new zealand": "NZ", "nigeria": "NG",
    "northern ireland": "GB", "norway": "NO", "philippines": "PH", "poland": "PL", "portugal": "PT",
    "romania": "RO", "rsa": "ZA", "russia": "RU", "saudi arabia": "SA", "scotland": "GB", "singapore": "SG",
    "slovakia": "SK", "slovenia": "SI", "south africa": "ZA", "south korea": "KR", "spain": "ES",
    "sweden": "SE", "switzerland": "CH", "taiwan": "TW", "thailand": "TH", "the netherlands": "NL",
    "turkey": "TR", "türkiye": "TR", "uk": "GB", "ukraine": "UA", "united arab emirates": "AE",
    "united kingdom": "GB", "united states": "US", "united states of america": "US", "usa": "US",
    "vietnam": "VN", "wales": "GB", "österreich": "AT",
}  # fmt: skip
_ALPHA_3 = {"USA": "US", "CAN": "CA", "MEX": "MX", "GBR": "GB", "DEU": "DE", "FRA": "FR"}


def country_code(name: str | None) -> str | None:
    """Alpha-2 code of a country's name or code; None when it is not a country we know ("Unspecified")."""
    if name is None:
        return None
    text = name.strip()
    if len(text) == 2 and text.isalpha():
        return "GB" if text.upper() == "UK" else text.upper()
    return _ALPHA_3.get(text.upper()) or _NAMES.get(text.lower())
