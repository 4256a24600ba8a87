"""The other party: named in the sentence of the movement, in a label, or the shop that sends the receipt."""

from __future__ import annotations

import re

from app.services.llm.rules import vocabulary as words
from app.services.llm.rules.roles import Role, Seen, end_of_sentence
from app.services.llm.rules.text import Prepared, fold

_MAX_NAME = 60
# Where a name in a sentence ends: before how, when or from which account it was paid.
_NAME_END = (
    r"(?= (?:on|using|via|with|from|for|through|has|have|was|were|is|and|by|if|ending|in your|to your"
    r"|at|dated|date|con|el"
    r"|desde|mit|am|vom|uber|le|par|avec|avant|il|em|no cartao|no dia|com|dne|z uctu|dnia|op|met"
    r"|successful|transferred)\b"
    r"| ?[(<\n\t|;!?]|, (?!(?:llc|inc|ltd|gmbh|co|s\.)\b)|\. |\.$|\.\n| - |$| \d{1,2}[-/.]| https?:)"
)
_NAME = rf"(?P<name>[^\s(<][^\n\t(<]{{0,{_MAX_NAME}}}?){_NAME_END}"
_AFTER_AMOUNT = re.compile(
    rf"(?<![a-z])(?:to|at|from|on(?= [a-z*]+ using)|towards|payee|merchant:|bei|an|von|chez|a favor de"
    rf"|aupres de|presso"
    rf"|para|em|en|de(?= [a-z]+ [a-z]+)|u obchodnika|v obchode|w|bij|hos|till)[ \n](?:merchant:? |the "
    rf"|vpa |payee )?{_NAME}"
)
_BEFORE_AMOUNT = re.compile(
    rf"(?<![a-z])(?:(?:purchase|payment|compra|pago|achat|paiement|acquisto|pagamento|zahlung|einkauf"
    rf"|platba|nakup"
    rf"|transaction|transfer|donation|deposit) (?:at|to|en|in|chez|presso|bei|an|em|a|u|v|from|for)"
    rf"|payee|you paid"
    rf"|de la part de|od|von) {_NAME}"
)
_SENT_YOU = re.compile(
    rf"(?m)(?:^|[.!,] )(?P<name>[^\n,.!<]{{2,{_MAX_NAME}}}?) (?:has |just )?(?:sent|paid|transferred) you\b"
)
_PURCHASE_AT = re.compile(
    rf"(?<![a-z])(?:compra en|purchase at|einkauf bei|zahlung an|achat chez|acquisto presso|compra em"
    rf"|nakup u|platba u|zakup w) {_NAME}"
)
_LABEL = re.compile(
    r"(?m)^[ \t]*(?:merchant( name)?|from merchant|seller|ebay seller|shop|store|vendor|payee( name)?"
    r"|paid to|payment to|sent to|sender|received from"
    r"|beneficiary( name)?|recipient|donations coordinator|biller|company|empresa|comercio"
    r"|establecimiento|(nombre del )?beneficiario"
    r"|nombre del remitente|nazev protistrany|nazov protiuctu|protistrana|obchodnik|prijemce|prijemca"
    r"|handler|handelaar|empfanger|zahlungsempfanger"
    r"|auftraggeber|verkaufer|beneficiaire|commercant|marchand|vendeur|beneficiario|esercente|negozio"
    r"|venditore|estabelecimento|favorecido"
    r"|odbiorca|sprzedawca|begunstigde|winkel|加盟店名?|払込先|受取人名?|ご利用先|利用先|振込先"
    r"|店舗名?|商户|收款方|가맹점)[ \t]*[::\t\n][ \t\n]*"
    rf"(?P<name>[^\n\t]{{2,{_MAX_NAME}}})"
)
_NO_NAME = re.compile(
    r"^(no capturad|(votre|vos|ditt|din|mitt|sua|seu|tua|tuo|su|tu|ihr\w*|dein\w*|uw|je|checking"
    r"|savings|reflect"
    r"|appear)\b|not (available|provided)|n/?a\b|-+$|\*+|x{3,}|your\b|you\b|tu cuenta|su cuenta|a/c"
    r"|account|the (seller|merchant)|credited|debited"
    r"|\d[\d\s*x-]*$|my account|deposit|card\b|us\b|this\b|note\b|a\b|an\b|la cuenta|vas\b|ihr)|you haven't"
)
_ROLE_WORDS = re.compile(
    r"[\s,|:-]*\b(e?-?receipts?|support|team|reservations?|reservation cent(er|re)|notifications?"
    r"|no-?reply|customer (service|care)|orders?"
    r"|billing|service|info|news|payments?|alerts?|confirmations?|bookings?|mailer|noreply|donotreply"
    r"|via .*|shop team|kundenservice)\b\.?$",
    re.IGNORECASE,
)
_SELLERS = re.compile(
    r"(?<![a-z])(?:seller|sold by|vendor|verkaufer|vendeur|venditore|vendedor|prodejce|sprzedawca)"
)
_FEEDBACK = re.compile(r" \(\d+\)$")
_LEGAL_FORM = re.compile(r"(?<![a-z])(?:[a-z]\.){1,3}$|(?<![a-z])(?:inc|ltd|co|corp|llc|plc)\.$")
_FORWARDED_FROM = re.compile(
    r"(?m)^[ \t]*(?:from|de|von|da|od|van|fra)[ \t]*: *\"?(?P<name>[^\n\"<@]{2,60}?)\"? *[<\[(]"
)
_SECOND_LEVEL = frozenset({"co", "com", "org", "net", "gov", "ac", "or", "ne"})


def find_merchant(text: Prepared, sender_name: str, sender: str, seen: Seen | None) -> str | None:
    """The other party as the message names it; None when a bank's notice names none."""
    if seen is not None and not seen.is_tabular:
        named = _in_sentence(text, seen)
        if named:
            return named
    is_account_notice = _is_account_notice(text.folded, seen)
    return (
        _matched(_LABEL, text)
        or _matched(_PURCHASE_AT, text)
        or _matched(_SENT_YOU, text)
        or (
            None
            if is_account_notice and not words.CASH.search(text.folded[:600])
            else _sender(text, sender_name, sender)
        )
    )


def _in_sentence(text: Prepared, seen: Seen) -> str | None:
    """The name after the amount ("$5 at X"), else before it ("payment to X of $5")."""
    behind = seen.money.end, min(seen.money.end + 200, end_of_sentence(text.folded, seen.money.end))
    before = max(0, seen.money.start - len(seen.label) - 3), seen.money.start
    return _first_name(_AFTER_AMOUNT, text, *behind) or _first_name(_BEFORE_AMOUNT, text, *before)


def _first_name(pattern: re.Pattern[str], text: Prepared, start: int, end: int) -> str | None:
    """The first match that is a name: "from A/c XX12 to Joe" names Joe."""
    while match := pattern.search(text.folded, start, end):
        name = _clean(text.shown[match.start("name") : match.end("name")])
        if name:
            return name
        start = match.start("name")
    return None


def _matched(pattern: re.Pattern[str], text: Prepared) -> str | None:
    """The name after the pattern; None when several differ, as for an order from many sellers."""
    found = (
        _clean(text.shown[match.start("name") : match.end("name")])
        for match in pattern.finditer(text.folded[:6000])
    )
    names = list(dict.fromkeys(name for name in found if name))
    return names[0] if names and (len(names) == 1 or not _SELLERS.search(text.folded[:6000])) else None


def _is_account_notice(folded: str, seen: Seen | None) -> bool:
    """A bank writes about an account; a shop's receipt names a card at most."""
    if seen is not None and seen.role in (Role.PAID, Role.TOTAL):
        return False
    about = folded[:700] if seen is None or seen.is_tabular else seen.sentence
    return words.ACCOUNT.search(about) is not None and not words.ORDERED.search(folded[:700])


def _sender(text: Prepared, sender_name: str, sender: str) -> str | None:
    forwarded = _FORWARDED_FROM.search(text.folded[:3000])
    name = text.shown[forwarded.start("name") : forwarded.end("name")] if forwarded else sender_name
    while (shorter := _ROLE_WORDS.sub("", name)) != name and shorter.strip():
        name = shorter
    return name.strip(" \"'-|,") or _domain_name(sender)


def _domain_name(sender: str) -> str | None:
    labels = sender.rpartition("@")[2].split(".")
    if len(labels) < 2:
        return None
    return labels[-3] if len(labels) > 2 and labels[-2] in _SECOND_LEVEL else labels[-2]


def _clean(name: str) -> str | None:
    name = _FEEDBACK.sub("", " ".join(name.split())).strip(" ,:;*\"'-–")
    name = name if _LEGAL_FORM.search(fold(name)) else name.strip(" .")
    if len(name) < 2 or _NO_NAME.search(fold(name)) or not any(map(str.isalpha, name)):
        return None
    return name
