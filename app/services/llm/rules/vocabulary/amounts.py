"""The words that stand beside an amount and tell what it is."""

from __future__ import annotations

import re

from app.services.llm.rules.vocabulary.pattern import any_of

BALANCE = any_of(
    r"balance|(avl|avail\w*|a/c|acct?)\.? ?(bal|credit|funds|amount|limit)|bal\b|available|saldo",
    r"disponible|zustatek|zustatk|zostat(ok|ku)|kontostand|solde|stan konta|dostepne srodki|egyenleg",
    r"tegoed|残高|余额|잔액",
)
LIMIT = any_of(
    r"limit|maxim|maximo|max\. ?amount|up to a|hasta|plafond|hochst|限度額|上限|한도",
    r"minimum (spend|order|deposit|opening)",
)
DUE = any_of(
    r"(total |minimum |min\.? |amount |payment |balance |net |now )*(amount )?due\b|outstanding",
    r"past due|(invoice|statement|bill) (amount|total|balance)|new balance",
    r"amount (payable|owed|to pay)|you owe|to be paid",
    r"you('ll| will| need to| must| have to)? (pay|owe)\b(?! (with|by))|pay (by|before|now)|payable",
    r"(pago|monto) minimo|a pagar|por pagar|pago para no generar|adeudo|vencid|zu zahlen|zahlbar",
    r"fallig|rechnungsbetrag|offener betrag|bitte uberweisen|a payer|a regler|montant du\b|da pagare",
    r"importo dovuto|em aberto|vencimento|k uhrade|k zaplaceni|na uhradu|nedoplatek|do zaplaty",
    r"te betalen|openstaand|att betala|til betaling|ご請求|請求額|お支払い予定|应付|应还|청구",
)
OFFER_BEFORE = re.compile(
    r"(?<![a-z])(up to|as little as|as low as|low as|save|saved|savings of|earn|win|get|receive (a|an"
    r"|up to)?|from"
    r"|from only|from just|only|just|starting at|starts at|worth|valued at|over|more than|less than"
    r"|under|at least"
    r"|bonus of|reward of|free|was|reg\.?|rrp|msrp|list price|spend|spending|orders? (of|over|above)"
    r"|ab|nur|statt"
    r"|bis zu|desde|ahorra|hasta|gana|a partir de|des|jusqu'a|seulement|solo|fino a|da soli|jen|od"
    r"|uz od|tylko"
    r"|vanaf|slechts|additional|extra|each|per) (a |an |your )?$"
)
OFFER_AFTER = re.compile(
    r"^\s?(off\b|back\b|discount|a month|a day|a week|a year|an hour|per (hour|day|week|night|min"
    r"|person)|/ ?(mo|hr"
    r"|day|bag|night)|or more|or less|and up|bonus|gift|credit (?:when|if|for|toward|on your next)"
    r"|e-?gift|towards?|when you|if you|reward"
    r"|rabatt|de descuento|de reduction|di sconto|value\b|minimum|sleva|coupon|voucher|offert|gratis)"
)
PART = any_of(
    r"sub-?total|item(s|\(s\))? ?(sub-?total|price|total)?\b|unit price|price|zwischensumme|sous-total",
    r"sub-?totale?|tax(es)?\b|vat\b|gst\b|hst\b|iva\b|mwst|ust\b|tva\b|dph\b|moms|btw\b|impuesto",
    r"steuer|消費税|税|shipping|postage|delivery|handling|packing|versand|envio|livraison|spedizione|frete",
    r"doprava|verzend|送料|fee\b|fees\b|surcharge|commission|comision|gebuhr|frais|commissioni?|poplatek",
    r"poplatky|oplata|手数料|comissao|discount|promotion|promo|coupon|voucher|saving|saved|you save",
    r"rabatt|nachlass|descuento|remise|sconto|desconto|sleva|zlava|rabat|korting|割引|points?\b|miles\b",
    r"credits?$|gift ?card|store credit|reward|cashback|nectar|tip\b|gratuity|propina|trinkgeld",
    r"insurance|deposit held|rounding|base fare|fare\b|toll\b|membership|before (tax|vat)|excl|ohne",
    r"hors taxes?|ht\b|bez dph|netto|per (person|passenger|night|unit)|cancell?ation|exchange rate",
    r"kurz\b|wechselkurs|rate\b|cost (for|per)|loyalty|refundable|estimated|regular|original",
)
TOTAL = any_of(
    r"(grand|order|trip|invoice|receipt|purchase|booking|payment|new|your|sum|final|net)? ?total",
    r"amount total|summe|gesamt(betrag|summe|preis|kosten)?|endbetrag|totale|total general",
    r"montant total|celkem|celkova|spolu|razem|suma zamowienia|lacznie|totaal|totalt|i alt|sammenlagt",
    r"yhteensa|osszesen|toplam|итого|всего|合計|総額|总计|总额|合计|합계|valor total|importe total"
    r"|monto total",
    r"prix total",
)
TOTAL_OF_PART = any_of(
    r"before|excl|esclus|parzial|imponibil|parcial|partiel|without|ohne|bez dph|netto|tax$|taxes$|vat$",
    r"savings?|saved|discount|points?|items?$|fees?$|tip$|weight|miles",
    r"total (tax|vat|fees|savings|discount|price per|items|qty|quantity)|sub-?total",
    r"per (person|passenger)|hors",
)
AMOUNT = any_of(
    r"amount|importe|monto|cantidad|betrag|umsatz|montant|importo|somma|valor|quantia|castka|suma",
    r"ciastka|obnos|kwota|bedrag|belopp|belob|summa|osszeg|suma platby|сумма|[^\s]{0,8}金額|額\s*[::]|金额",
    r"금액|amt\b|tutar|debit(ed)?( amount)?\s*:|credit(ed)?( amount)?\s*:|retiro cuenta|payment\s*:?$",
    r"value\s*:|sum\s*:?$",
)
PAID_LABEL = any_of(
    r"(total |amount |already |you( have|'ve)? ?)?(paid|charged|billed|debited|refunded|received"
    r"|deposited|sent)\b",
    r"(charged|billed|paid) (to|by|with|via|on|from)\b|card payment",
    r"payments?\b(?! (due|date|plan|option))|amount of (transaction|payment|refund)",
    r"(transaction|payment|refund|donation|purchase|transfer) amount",
    r"refund(ed)?( total| amount| issued)?\b|bezahlt|gezahlt|abgebucht|erstattet|erstattung|pagado",
    r"pagaste|cobrado|total pagado|reembols|paye\b|payee\b|regle\b|debite|rembourse|pagato|addebitato",
    r"rimborso|pago\b(?! min)|zaplaceno|zaplatene|uhrazeno|uhradene|vraceno|zaplacono|oplacono|zwrot",
    r"betaald|terugbetaald|betalt|betalat|引落金額|引き落とし金額|支払金額|お支払い金額|返金額|入金額"
    r"|決済金額|ご利用金額|支付金额",
    r"(支付|付款|扣款|消费|支払い?|결제|승인)$|实付|결제금액|결제 금액",
)
MASKED_CARD = re.compile(r"(?:[*•●·x]{3,}|\.{2,}|[*•●]) ?\d{3,4}\)?$")
INSTRUMENT = re.compile(
    r"(?<![a-z])(visa|master ?card|maestro|amex|american express|discover|diners|jcb|rupay|paypal"
    r"|apple pay|klarna"
    r"|google pay|gpay|venmo|cash app|revolut|wise|sepa|blik|twint|ideal|bancontact|swish|mobilepay"
    r"|pix|upi|ec-?karte"
    r"|girocard|(credit|debit|bank|kredit|charge)[- ]?(card|karte)|carte( bancaire| bleue)?|tarjeta"
    r"|carta di \w+"
    r"|cartao|kreditkarte|karta|karty|kartou|card|direct debit|lastschrift|prelevement|bank (account"
    r"|transfer))\b"
    r"[^\n]{0,40}$"
)
OTHER_THAN_MONEY = any_of(
    r"gift|points?|miles|reward|credits|voucher|promo|store credit|geschenk|gutschein",
)
