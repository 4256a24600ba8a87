"""The category of a transaction by the words of the message."""

from __future__ import annotations

from app.services.llm.base import Direction
from app.services.llm.rules.vocabulary.pattern import any_of

OTHER = "other"
_REFUND = any_of(
    r"refund|reversal|reembols|devolucion|erstatt|gutschrift|rembours|rimbors|estorn|返金|退款|vraceni",
    r"zwrot",
)
_CATEGORIES = (
    ("travel", any_of(
    r"flight|airline|airfare|hotel|booking|itinerary|check-?in|boarding|vuelo|vol\b|volo\b|flug|letenk",
    r"hostel|airbnb|宿泊|航空",
)),
    ("transport", any_of(
    r"ride\b|riding|trip fare|taxi|uber|lyft|bolt|train|railway|bahn|metro|parking|fuel|petrol|benzin",
    r"gasolin|toll\b|乗車",
)),
    ("groceries", any_of(
    r"grocer|supermarket|supermercado|supermarche|supermarkt|lebensmittel|potraviny|スーパー",
)),
    ("food", any_of(
    r"restaurant|cafe|coffee|pizza|burger|food delivery|meal|doordash|deliveroo|bistro|restauran|レストラン",
)),
    ("entertainment", any_of(
    r"steam|game|movie|cinema|music|concert|streaming|twitch|netflix|spotify|subscrib.{0,20}channel",
    r"kino\b|映画",
)),
    ("subscription", any_of(
    r"subscription|renews|monthly plan|icloud|membership|abonnement|suscripcion|abbonamento|assinatura",
    r"predplatne|in-app|app store",
)),
    ("utilities", any_of(
    r"electricity|water bill|internet bill|mobile (bill|recharge)|phone bill|tiempo aire|telefon",
    r"strom\b|電気|電話|pay-easy|gas bill",
)),
    ("donation", any_of(
    r"donat|charity|spende|donacion|donazione|darek|寄付",
)),
    ("cash", any_of(
    r"atm\b|cash withdrawal|cajero|retiro de efectivo|geldautomat|bankomat|vyber hotovosti|出金",
)),
    ("fees", any_of(
    r"service fee|account fee|maintenance fee|za vedeni uctu|comision por|gebuhren|frais de tenue",
    r"canone|手数料",
)),
    ("health", any_of(
    r"pharmacy|doctor|dental|clinic|hospital|apotheke|farmacia|lekarna|pharmacie|病院|薬",
)),
    ("shopping", any_of(
    r"order|item|shop|store|purchase|seller|compra|bestellung|commande|ordine|objednavk|注文|購入|加盟店",
)),
    ("transfer", any_of(
    r"transfer|neft|upi\b|imps|spei|sepa|transferencia|uberweisung|virement|bonifico|prevod|uhrada",
    r"prichozi|pix|振込|振り込|付款",
)),
)  # fmt: skip
_TRANSFER_IN = "income"


def categorise(subject: str, folded: str, merchant: str, direction: Direction) -> str:
    """The first category whose words stand in the subject, the merchant's name or the first lines."""
    if direction == "credit" and _REFUND.search(f"{subject}\n{folded[:600]}"):
        return "refund"
    head = f"{subject}\n{merchant}\n{folded[:1200]}"
    found = next((name for name, pattern in _CATEGORIES if pattern.search(head)), OTHER)
    if direction == "credit" and found in (OTHER, "transfer", "shopping"):
        return _TRANSFER_IN
    return found
