"""Which currency a sign, a code or a word means, and what the sender's country says about a shared sign."""

from __future__ import annotations

_ISO_CODES = """
AED AMD ARS AUD AZN BAM BDT BGN BHD BOB BRL BYN CAD CHF CLP CNY COP CRC CZK DKK DOP DZD EGP EUR GBP GEL
GHS GTQ HKD HNL HRK HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KHR KRW KWD KZT LAK LBP LKR LYD MAD MDL
MGA MKD MMK MNT MOP MUR MVR MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
RSD RUB RWF SAR SDG SEK SGD SYP THB TND TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND XAF XOF YER ZAR ZMW
"""
ISO_CODES = frozenset(_ISO_CODES.split())

_NUMERIC = {"978": "EUR", "840": "USD", "826": "GBP", "756": "CHF", "203": "CZK", "985": "PLN", "348": "HUF"}

# Signs and words that mean one currency wherever they stand, folded to lower case.
_SIGNS = {
    "us$": "USD", "usd$": "USD", "u.s.$": "USD", "a$": "AUD", "au$": "AUD", "c$": "CAD", "ca$": "CAD",
    "can$": "CAD", "nz$": "NZD", "hk$": "HKD", "s$": "SGD", "sg$": "SGD", "mx$": "MXN", "nt$": "TWD",
    "r$": "BRL", "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "₪": "ILS",
    "₫": "VND", "₴": "UAH", "฿": "THB", "₱": "PHP", "₦": "NGN", "zl": "PLN", "kc": "CZK", "ft": "HUF",
    "円": "JPY",
    "元": "CNY", "원": "KRW", "руб": "RUB", "fr.": "CHF", "sfr.": "CHF", "mn": "MXN",
    "m.n.": "MXN",
    "mxp": "MXN",
    "euro": "EUR", "euros": "EUR", "yen": "JPY", "rupees": "INR", "dollars": "USD",
    "rm": "MYR", "lei": "RON",
}  # fmt: skip

# Signs that are common words or units elsewhere ("30 ft", "RM 12", Italian "lei") count only at home.
_ONLY_IN = {"ft": ("hu",), "rm": ("my",), "lei": ("ro", "md"), "fr": ("ch", "li"), "sfr": ("ch", "li")}

# Codes that are English words: money only where the message writes them in capitals.
WORDLIKE_CODES = frozenset(
    {"try", "mad", "pen", "lak", "gel", "bam", "ron", "mop", "sos", "all", "cup", "top"}
)

_BY_COUNTRY = {
    "$": {
        "ca": "CAD", "au": "AUD", "nz": "NZD", "mx": "MXN", "sg": "SGD", "hk": "HKD", "tw": "TWD",
        "ar": "ARS", "cl": "CLP", "co": "COP", "uy": "UYU",
    },
    "¥": {"cn": "CNY"},
    "kr": {"dk": "DKK", "no": "NOK", "is": "ISK"},
    "rs": {"pk": "PKR", "lk": "LKR", "np": "NPR", "mu": "MUR"},
}  # fmt: skip
_SHARED = {"$": "USD", "¥": "JPY", "kr": "SEK", "rs": "INR"}

WITHOUT_CENTS = frozenset({"JPY", "KRW", "VND", "CLP", "PYG", "ISK", "HUF", "IDR"})


def sign_words() -> list[str]:
    """Every sign, code and word that can stand beside an amount, folded, the longest first."""
    words = {*_SIGNS, *_SHARED, *(code.lower() for code in ISO_CODES), "kr.", "rs.", "руб."}
    return sorted(words, key=lambda word: (-len(word), word))


def is_shared(sign: str) -> bool:
    """Whether several countries write their currency so ("$", "kr")."""
    return sign.rstrip(".") in _SHARED


def currency_of(sign: str, country: str = "") -> str | None:
    """The ISO 4217 code that a folded sign means to a sender of this country ("" if unknown)."""
    if sign in _NUMERIC:
        return _NUMERIC[sign]
    if sign.upper() in ISO_CODES:
        return sign.upper()
    bare = sign.rstrip(".")
    if bare in _ONLY_IN and country not in _ONLY_IN[bare]:
        return None
    if bare in _SHARED:
        return _BY_COUNTRY[bare].get(country, _SHARED[bare])
    return _SIGNS.get(sign) or _SIGNS.get(bare)


def country_of(sender: str) -> str:
    """The country of an address by its top-level domain, "" for .com and the like."""
    top = sender.rpartition(".")[2].lower()
    return top if len(top) == 2 and "@" in sender else ""
