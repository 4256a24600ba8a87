"""The words that tell that money moved, which way, and on what account."""

from __future__ import annotations

from app.services.llm.rules.vocabulary.pattern import any_of

MOVED = any_of(
    r"swiped|(gift|contribution) of",
    r"charged|debited|deducted|spent|paid|donated|withdrawn|withdrew|withdrawal|transferred|refunded",
    r"credited|deposited|received|sent\b|reversed|(your|a) (\S+ ){0,2}transaction (with|at|alert)",
    r"(transaction|purchase|debit|credit|payment|spend) alert|payment (of|for)|purchase (of|for)",
    r"transaction (of|for)|(refund|reversal|credit|debit|transfer|deposit|donation) of|made a",
    r"used (for|at)|collected|was made|authori[sz]ed a payment|a transaction|processed",
    r"thank you for your payment|cost you|debit card purchase|cargo",
    r"se (hizo|realizo|ha realizado|ha cargado|ha abonado|registro)|retiro|retiraste|compra|compraste",
    r"abono|deposito|transferencia|transferiste|pagaste|has pagado|pago (de|por)|recibiste",
    r"has recibido|enviaste|reembolso|devolucion|cobramos|hemos cobrado|cobro de|disposicion|abgebucht",
    r"belastet|bezahlt|gezahlt|gutgeschrieben|gutschrift|lastschrift|uberwiesen|uberweisung|erstattet",
    r"erstattung|eingezogen|zahlung (von|uber|in hohe|an|erhalten)|kartenzahlung|abbuchung",
    r"haben sie \w+ gezahlt|debite|preleve|paye|paiement (de|d'un montant|par carte)|virement",
    r"rembourse|credite|achat|retrait|vous avez recu|addebitat|accreditat|pagato",
    r"pagamento (di|da|effettuato)|bonifico|rimbors|preliev|acquisto|hai (speso|ricevuto)|debitad",
    r"cobrad|pagou|pagamento (de|no valor|efetuado|aprovado)|transferiu|recebeu|creditad|estorn",
    r"compra aprovad|saque|pix (enviado|recebido|de)|foi (pago|paga|debitado)|zauctov|zniz(en|il)",
    r"zvys(en|il|i )|zaplati|zaplacen|prijat\w+ platb|prichozi|odchozi|dosla platba|odepsan|pripsan",
    r"odpisan|pripisan|pripis|prevod|uhrad(a|e|il)|vyber|strhl|vratili",
    r"platb[au] (kartou|vo vyske|ve vysi)|snizil|zvysil|obciaz|uznan|zaplac|platnosc|przelew|wyplat",
    r"zwrocil|otrzymal|zaksiegowan|wplyn|betaald|afgeschreven|bijgeschreven|betaling (van|aan)",
    r"overgemaakt|terugbetaald|afboek|betalat|betalt|dragit|trukket|overfort|insatt|aterbetal|refunder",
    r"kop\b|terhel|jovair|fizet|plata (de|efectuata)|odeme|harcama|yapildi|списан|оплат|покупк",
    r"зачислен|перевод|引き?落と?し|入金|振り?込み?|払い?込|返金|決済|お?支払い|ご利用|購入|出金|送金"
    r"|支付|扣款|消费|收款|退款|入账|转账|결제|출금|입금|승인",
    r"환불|이체|res=ok",
)
CREDITED = any_of(
    r"aterbetal|tilbakebetal|tilbagebetal",
    r"credited|refund(?!able)|reversal|reversed|you('ve| have)? received|received a payment",
    r"received (in|into|from|merchant)|deposited|(was|were|been) received|deposit (of|from|to)|sent you",
    r"cashback|you got paid|merchant credit|credit alert|paid (you|into)|upi credit|incoming|payout",
    r"abono|abonad|deposito|devolucion|reembols|recibiste|has recibido|recibido|gutschrift",
    r"gutgeschrieben|erstatt|eingang|eingegangen|erhalten|ruckzahlung|credite\b|credite sur|rembours",
    r"vous avez recu|virement recu|accredit|rimbors|ricevut|creditad|recebeu|recebid|estorn|zvysen",
    r"zvysil|prichozi|prijat|dosla platba|pripsan|pripisan|kredit\b|vracen|vratili|vratene|uznan|wplyn",
    r"otrzymal|zwrot|bijgeschreven|ontvangen|terugbetaal|mottag|modtag|insatt|入金|返金|收款|退款|入账"
    r"|입금|환불",
    r"jovair|зачислен|возврат",
)
CHARGED = any_of(
    r"you('ve| have)? paid|charged|debited|deducted|abgebucht|belastet|bezahlt|debite|preleve|addebitat",
    r"pagaste|cobrad|strhl|odepsan|obciaz",
)
OWN_PAYMENT = any_of(
    r"(your|ihre|deine|votre|tu|su|tuo|sua|seu|vasi|vase|twoja) (\w+ ){0,2}(payment|zahlung|paiement"
    r"|pago|pagamento|platb|platnosc)",
)
REPAID = any_of(
    r"refund(?!able)|revers|credited|erstatt|gutschr|rembours|reembols|devol|rimbors|estorn|vracen"
    r"|vratil|zwrot",
    r"返金|退款|환불",
)
SETTLED = any_of(
    r"(was|has been|is) (successfully )?paid|paid successfully|successfully paid",
    r"payment (was |is |has been )?(successful|received)|pago (exitoso|recibido|aplicado)",
    r"zahlung (eingegangen|erhalten)|paiement (recu|accepte)|pagamento (ricevuto|recebido)",
    r"platba (prijata|prosla|uspesna)|platnosc (przyjeta|otrzymana)|お支払いが完了|支付成功",
)
PAID_ALREADY = any_of(
    r"paid (by|with|via|using|in full)|bezahlt (mit|per|via)|zaplaceno|zaplatene|uhrazeno|pagado con",
    r"paye par|pagato con|pago com|zaplacono|betaald met|betald med|betalt med",
)
BARE_MOVEMENT = any_of(
    r"(has been|was|were) (credited to|debited from) your|you('ve| have)? received a payment"
    r"|入金がございました",
    r"引き落としいたしました|recibiste una transferencia|ihrem konto gutgeschrieben|prijata platba na vas",
)
ACCOUNT = any_of(
    r"(your|a/c|bank|savings|current|checking|from|to) (\w+ ){0,4}(account|a/c|card|wallet)|a/c\b|acct",
    r"(credit|debit) card|upi\b|neft|imps|(tu|su|la) cuenta|tarjeta|konto\b",
    r"ihr(em|es|er)? (konto|karte)|girokonto|compte|votre carte|conto\b|carta\b|sua conta|cartao",
    r"uct[ue]|ucet|karty|kartou|rachun|rekening|口座|デビット|カード|账户|银行卡|계좌|счет|карт[аы]",
)
CASH = any_of(
    r"atm\b|cash withdrawal|withdrawal|retiro|disposicion de efectivo|geldautomat|bargeld|retrait",
    r"preliev|saque|vyber|bankomat|출금",
)
