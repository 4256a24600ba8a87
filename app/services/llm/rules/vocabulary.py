"""The words that mails about money use, by what they tell, in the languages such mail comes in.

All are regular expressions for folded text: lower case, no accents. A part that starts with a letter matches
at the start of a word only; its end is open, so that a stem finds all its endings.
"""

from __future__ import annotations

import re


def any_of(*parts: str) -> re.Pattern[str]:
    """A pattern for any of the alternatives that the parts list with "|"."""
    alternatives = [one for part in parts for one in _split(part)]
    return re.compile("|".join(rf"(?<![a-z]){one}" if one[0].isalpha() else one for one in alternatives))


def _split(part: str) -> list[str]:
    """Split at "|" outside of brackets."""
    pieces, depth = [""], 0
    for letter in part:
        depth += (letter in "([") - (letter in ")]")
        if letter == "|" and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    return [piece for piece in pieces if piece]


# --- what stands beside an amount -------------------------------------------------------------------------

BALANCE = any_of(
    r"balance|(avl|avail\w*|a/c|acct?)\.? ?(bal|credit|funds|amount|limit)|bal\b|available|saldo|disponible",
    r"zustatek|zustatk|zostat(ok|ku)|kontostand|solde|stan konta|dostepne srodki|egyenleg|tegoed|残高|余额|잔액",
)
LIMIT = any_of(
    r"limit|maxim|maximo|max\. ?amount|up to a|hasta|plafond|hochst|限度額|上限|한도",
    r"minimum (spend|order|deposit|opening)",
)
LIMIT_NOTICE = any_of(r"limits?\b|limites?\b|limitu|limity|plafond|monto maximo|限度額|额度|한도")
DUE = any_of(
    r"(total |minimum |min\.? |amount |payment |balance |net |now )*(amount )?due\b|outstanding|past due",
    r"(invoice|statement|bill) (amount|total|balance)|new balance|amount (payable|owed|to pay)|you owe|to be paid",
    r"you('ll| will| need to| must| have to)? (pay|owe)\b(?! (with|by))|pay (by|before|now)|payable",
    r"(pago|monto) minimo|a pagar|por pagar|pago para no generar|adeudo|vencid",
    r"zu zahlen|zahlbar|fallig|rechnungsbetrag|offener betrag|bitte uberweisen|a payer|a regler|montant du\b",
    r"da pagare|importo dovuto|a pagar|em aberto|vencimento|k uhrade|k zaplaceni|na uhradu|nedoplatek",
    r"do zaplaty|te betalen|openstaand|att betala|til betaling|ご請求|請求額|お支払い予定|应付|应还|청구",
)
OFFER_BEFORE = re.compile(
    r"(?<![a-z])(up to|as little as|as low as|low as|save|saved|savings of|earn|win|get|receive (a|an|up to)?|from"
    r"|from only|from just|only|just|starting at|starts at|worth|valued at|over|more than|less than|under|at least"
    r"|bonus of|reward of|free|was|reg\.?|rrp|msrp|list price|spend|spending|orders? (of|over|above)|ab|nur|statt"
    r"|bis zu|desde|ahorra|hasta|gana|a partir de|des|jusqu'a|seulement|solo|fino a|da soli|jen|od|uz od|tylko"
    r"|vanaf|slechts|additional|extra|each|per) (a |an |your )?$"
)
OFFER_AFTER = re.compile(
    r"^\s?(off\b|back\b|discount|a month|a day|a week|a year|an hour|per (hour|day|week|night|min|person)|/ ?(mo|hr"
    r"|day|bag|night)|or more|or less|and up|bonus|gift|credit (?:when|if|for|toward|on your next)|e-?gift|towards?|when you|if you|reward"
    r"|rabatt|de descuento|de reduction|di sconto|value\b|minimum|sleva|coupon|voucher|offert|gratis)"
)
PART = any_of(
    r"sub-?total|item(s|\(s\))? ?(sub-?total|price|total)?\b|unit price|price|zwischensumme|sous-total|sub-?totale?",
    r"tax(es)?\b|vat\b|gst\b|hst\b|iva\b|mwst|ust\b|tva\b|dph\b|moms|btw\b|impuesto|steuer|消費税|税",
    r"shipping|postage|delivery|handling|packing|versand|envio|livraison|spedizione|frete|doprava|verzend|送料",
    r"fee\b|fees\b|surcharge|commission|comision|gebuhr|frais|commissioni?|poplatek|poplatky|oplata|手数料|comissao",
    r"discount|promotion|promo|coupon|voucher|saving|saved|you save|rabatt|nachlass|descuento|remise|sconto|desconto",
    r"sleva|zlava|rabat|korting|割引|points?\b|miles\b|credits?$|gift ?card|store credit|reward|cashback|nectar",
    r"tip\b|gratuity|propina|trinkgeld|insurance|deposit held|rounding|base fare|fare\b|toll\b|membership",
    r"before (tax|vat)|excl|ohne|hors taxes?|ht\b|bez dph|netto|per (person|passenger|night|unit)|cancell?ation",
    r"exchange rate|kurz\b|wechselkurs|rate\b|cost (for|per)|loyalty|refundable|estimated|regular|original",
)
TOTAL = any_of(
    r"(grand|order|trip|invoice|receipt|purchase|booking|payment|new|your|sum|final|net)? ?total|amount total",
    r"summe|gesamt(betrag|summe|preis|kosten)?|endbetrag|totale|total general|montant total|celkem|celkova|spolu",
    r"razem|suma zamowienia|lacznie|totaal|totalt|i alt|sammenlagt|yhteensa|osszesen|toplam|итого|всего",
    r"合計|総額|总计|总额|合计|합계|valor total|importe total|monto total|prix total",
)
TOTAL_OF_PART = any_of(
    r"before|excl|esclus|parzial|imponibil|parcial|partiel|without|ohne|bez dph|netto|tax$|taxes$|vat$|savings?|saved|discount|points?|items?$|fees?$|tip$|weight|miles",
    r"total (tax|vat|fees|savings|discount|price per|items|qty|quantity)|sub-?total|per (person|passenger)|hors",
)
AMOUNT = any_of(
    r"amount|importe|monto|cantidad|betrag|umsatz|montant|importo|somma|valor|quantia|castka|suma|ciastka|obnos",
    r"kwota|bedrag|belopp|belob|summa|osszeg|suma platby|сумма|[^\s]{0,8}金額|額\s*[::]|金额|금액|amt\b|tutar",
    r"debit(ed)?( amount)?\s*:|credit(ed)?( amount)?\s*:|retiro cuenta|payment\s*:?$|value\s*:|sum\s*:?$",
)
PAID_LABEL = any_of(
    r"(total |amount |already |you( have|'ve)? ?)?(paid|charged|billed|debited|refunded|received|deposited|sent)\b",
    r"(charged|billed|paid) (to|by|with|via|on|from)\b|card payment|payments?\b(?! (due|date|plan|option))",
    r"amount of (transaction|payment|refund)|(transaction|payment|refund|donation|purchase|transfer) amount",
    r"refund(ed)?( total| amount| issued)?\b|bezahlt|gezahlt|abgebucht|erstattet|erstattung|pagado|pagaste|cobrado",
    r"total pagado|reembols|paye\b|payee\b|regle\b|debite|rembourse|pagato|addebitato|rimborso|pago\b(?! min)",
    r"zaplaceno|zaplatene|uhrazeno|uhradene|vraceno|zaplacono|oplacono|zwrot|betaald|terugbetaald|betalt|betalat",
    r"引落金額|引き落とし金額|支払金額|お支払い金額|返金額|入金額|決済金額|ご利用金額|支付金额|实付|결제금액|결제 금액",
)
MASKED_CARD = re.compile(r"(?:[*•●·x]{3,}|\.{2,}|[*•●]) ?\d{3,4}\)?$")
INSTRUMENT = re.compile(
    r"(?<![a-z])(visa|master ?card|maestro|amex|american express|discover|diners|jcb|rupay|paypal|apple pay|klarna"
    r"|google pay|gpay|venmo|cash app|revolut|wise|sepa|blik|twint|ideal|bancontact|swish|mobilepay|pix|upi|ec-?karte"
    r"|girocard|(credit|debit|bank|kredit|charge)[- ]?(card|karte)|carte( bancaire| bleue)?|tarjeta|carta di \w+"
    r"|cartao|kreditkarte|karta|karty|kartou|card|direct debit|lastschrift|prelevement|bank (account|transfer))\b"
    r"[^\n]{0,40}$"
)

OTHER_THAN_MONEY = any_of(r"gift|points?|miles|reward|credits|voucher|promo|store credit|geschenk|gutschein")

# --- that money moved: past tense, near the amount --------------------------------------------------------

MOVED = any_of(
    r"charged|debited|deducted|spent|paid|donated|withdrawn|withdrew|withdrawal|transferred|refunded|credited",
    r"deposited|received|you sent|sent (you )?a payment|payment (of|for)|purchase (of|for)|transaction (of|for)",
    r"(refund|reversal|credit|debit|transfer|deposit|donation) of|made a|used (for|at)|collected|was made",
    r"authori[sz]ed a payment|a transaction|processed|thank you for your payment|cost you|debit card purchase",
    r"cargo|se (hizo|realizo|ha realizado|ha cargado|ha abonado|registro)|retiro|retiraste|compra|compraste|abono",
    r"deposito|transferencia|transferiste|pagaste|has pagado|pago (de|por)|recibiste|has recibido|enviaste|reembolso",
    r"devolucion|cobramos|hemos cobrado|cobro de|disposicion",
    r"abgebucht|belastet|bezahlt|gezahlt|gutgeschrieben|gutschrift|lastschrift|uberwiesen|uberweisung|erstattet",
    r"erstattung|eingezogen|zahlung (von|uber|in hohe|an|erhalten)|kartenzahlung|abbuchung|haben sie \w+ gezahlt",
    r"debite|preleve|paye|paiement (de|d'un montant|par carte)|virement|rembourse|credite|achat|retrait|vous avez recu",
    r"addebitat|accreditat|pagato|pagamento (di|da|effettuato)|bonifico|rimbors|preliev|acquisto|hai (speso|ricevuto)",
    r"debitad|cobrad|pagou|pagamento (de|no valor|efetuado|aprovado)|transferiu|recebeu|creditad|estorn|compra aprovad",
    r"saque|pix (enviado|recebido|de)|foi (pago|paga|debitado)",
    r"zauctov|zniz(en|il)|zvys(en|il|i )|zaplati|zaplacen|prijat\w+ platb|prichozi|odchozi|dosla platba|odepsan|pripsan",
    r"odpisan|pripisan|pripis|prevod|uhrad(a|e|il)|vyber|strhl|vratili|platb[au] (kartou|vo vyske|ve vysi)|snizil|zvysil",
    r"obciaz|uznan|zaplac|platnosc|przelew|wyplat|zwrocil|otrzymal|zaksiegowan|wplyn",
    r"betaald|afgeschreven|bijgeschreven|betaling (van|aan)|overgemaakt|terugbetaald|afboek",
    r"betalat|betalt|dragit|trukket|overfort|insatt|aterbetal|refunder|kop\b",
    r"terhel|jovair|fizet|plata (de|efectuata)|odeme|harcama|yapildi|списан|оплат|покупк|зачислен|перевод",
    r"引き?落と?し|入金|振り?込み|払い?込|返金|決済|お?支払い|ご利用|購入|出金|送金|支付|扣款|消费|收款|退款|入账|转账",
    r"결제|출금|입금|승인|환불|이체|res=ok",
)
CREDITED = any_of(
    r"credited|refund|reversal|reversed|you('ve| have)? received|received a payment|received (from|merchant)|deposited",
    r"(was|were|been) received|deposit (of|from|to)|sent you|cashback|you got paid|merchant credit|credit alert",
    r"paid (you|into)|upi credit|incoming|payout|abono|abonad|deposito|devolucion|reembols|recibiste|has recibido|recibido",
    r"gutschrift|gutgeschrieben|erstatt|eingang|eingegangen|erhalten|ruckzahlung",
    r"credite\b|credite sur|rembours|vous avez recu|virement recu|accredit|rimbors|ricevut",
    r"creditad|recebeu|recebid|estorn|reembols|zvysen|zvysil|prichozi|prijat|dosla platba|pripsan|pripisan|kredit\b",
    r"vracen|vratili|vratene|uznan|wplyn|otrzymal|zwrot|bijgeschreven|ontvangen|terugbetaal|mottag|modtag|insatt",
    r"入金|返金|收款|退款|入账|입금|환불|jovair|зачислен|возврат",
)

# --- what takes it back -----------------------------------------------------------------------------------

UNREAL = re.compile(
    r"(?<![a-z])(will( not)?|would|could|can|may (?:be|not|have|also|take|vary|apply|result|see|receive|earn|get)|might|should|won't|if(?! (?:not|you (?:did|do|have)|this))|unless|until|in case|when(ever)? (you|the|your|it)|once|to be"
    r"|required?|requires|eligible|qualif\w+|please (?:pay|transfer|send)|want|apply|upcoming|next (payment|charge|bill)|scheduled|estimated|average|for example|e\.g"
    r"|wird|werden|wurde[n]? gern|falls|wenn|konnen|konnte|bitte|puede[s]?|podra|podria|si (desea|quieres)"
    r"|peut|pourr\w+|serez|sera|si vous|puo|potra|verra|saranno|se (vuoi|desideri)|pode|podera|sera|caso"
    r"|muze(te)?|bude|budou|pokud|prosim|ak |moze(te)?|bedzie|jesli|prosimy|zal|kan|kunnen|予定|予約|場合)(?![a-z])"
)
NO_RECEIPT = any_of(
    r"not an? (\w+ )?(payment )?(receipt|invoice or receipt|proof of payment)|not a charge|no payment (has been|was) (taken|made)",
    r"you have not been charged|has not been charged|haven't been charged|no se (ha realizado|realizo) ningun cargo",
    r"no es un (recibo|comprobante)|kein(e)? (quittung|beleg|zahlungsbestatigung)|ne constitue pas (un recu|une facture)",
    r"non (e|costituisce) (una )?ricevuta|nao e um recibo|neni (uctenkou|danovym)|領収書ではありません",
)
FAILED = any_of(
    r"(was|were|been|is|got) (\w+ )?(declined|rejected|unsuccessful|refused|denied)|(payment|transaction|charge|card|"
    r"purchase|transfer|order|debit|transaccion|pago) (\w+ ){0,4}(failed|declined|unsuccessful|rejected|rechazad|denegad)",
    r"(failed|declined|unsuccessful|rejected) (payment|transaction|charge|transfer|purchase)",
    r"(unable|not able|failed) to (process|charge|complete|collect|take)|(could ?n[o']t|cannot|can't|did not|didn't) (be )?"
    r"(process|charge|complete|collect|go through|take|authori)",
    r"insufficient (funds|balance)|(problem|issue|trouble) with (your|the) (\w+ )?payment|not (been )?(approved|successful)",
    r"no (se )?(pudo|ha podido|pudimos|hemos podido)|fue (rechazad|declinad)|rechazo de|fondos insuficientes",
    r"abgelehnt|fehlgeschlagen|nicht (ausgefuhrt|durchgefuhrt|abgebucht|erfolgreich)|konnte nicht|konnten .{0,60} nicht|rucklastschrift",
    r"refuse[e]?\b|echou|n'a pas (pu|ete)|n'avons pas pu|non riuscit|rifiutat|negat[ao]|non (e|abbiamo) potut|non andat",
    r"recusad|negad[ao]|falhou|nao (foi )?(aprovad|autorizad|possivel)|zamitnut|zamietnut|neuspes|neproved|odmitnut",
    r"nepodaril|odrzucon|nieudan|nie powiodl|mislukt|geweigerd|niet gelukt|misslyck|nekad|afvist|mislykk",
    r"失敗|承認されません|できません(でした)?|エラー|残高不足|利用停止|거절|실패|失败|res=fail|отклонен|reddedildi",
)
PLANNED = any_of(
    r"will be (automatically )?(charged|debited|deducted|processed|paid|collected|billed|taken|withdrawn|transferred|renewed)",
    r"(payment|transfer|charge|debit) (is|has been|was) scheduled|scheduled (a )?(payment|transfer|charge|debit)|upcoming (payment|charge|renewal|debit|bill)",
    r"(we('ll| will)|going to|will (automatically )?) ?(charge|debit|bill|collect|take)|due (to be|on|date)",
    r"payment (is )?due|(payment|billing|renewal) reminder|programad|sera (cargado|debitado|cobrado)|se cargara|proximo (pago|cargo)",
    r"wird .{0,60}(abgebucht|belastet|eingezogen)|geplant|vorgemerkt|zahlungserinnerung|mahnung|sera (preleve|debite)",
    r"prochain prelevement|verra addebitat|programmat|agendad|bude (strzen|odepsan|zaplacen|provedena)|naplanovan",
    r"zaplanowan|zostanie (pobran|obciaz)|gepland|wordt .{0,40}(afgeschreven|geincasseerd)|予約|予定|事前|指定日",
)
STATEMENT = any_of(
    r"(e-?|account |billing |card |monthly |bank )statement( for| is| of| available| ready|:|$)|statement (is|for|ready|available)",
    r"your (\w+ ){0,3}(bill|invoice) (is (ready|available|attached|now|due|here|enclosed|below)|for|from)|(bill|invoice) (is )?(ready|available|attached|enclosed)|minimum (amount|payment)",
    r"payment is due|total amount due|estado de cuenta|kontoauszug|rechnung (im anhang|anbei)|ihre rechnung|releve de compte",
    r"votre facture|estratto conto|extrato|fatura|vypis z|vypis k|faktura (za|c|nr)|wyciag|rekeningoverzicht|ご請求",
    r"請求書|明細書|对账单|账单|명세서",
)
QUOTE = any_of(
    r"quot(e|ation)\b|estimate\b|pro-?forma|your (cart|basket|bag)\b|left (something )?in your|complete your (purchase|order)",
    r"presupuesto|cotizacion|angebot\b|kostenvoranschlag|warenkorb|devis\b|panier|preventivo|carrello|orcamento|nabidka",
    r"kosik|oferta cenowa|koszyk|winkelwagen|offerte\b|見積|报价|견적|price list|price match|price drop|wish ?list|watchlist",
)
SHIPPED = any_of(
    r"(has|have|was|been|is|are) (\w+ )?(shipped|dispatched|delivered|despatched)|out for delivery|(on (its|the|their)) way",
    r"^(shipped|delivered|dispatched|arriving|out for)|track(ing)? (your|number|no|package|parcel)|dispatch confirmation",
    r"we('ve| have) (shipped|dispatched)|package (has|was|is|arriv|sched)|parcel|your (delivery|package)|shipment|waybill",
    r"ready (for|to) (pick ?up|collect)|pick ?up at|zugestellt|versandt|verschickt|sendungs|unterwegs|paket",
    r"enviado|ha sido entregado|en camino|paquete|seguimiento|expedie|livre\b|colis|spedit|consegn|in arrivo|pacco",
    r"enviada|entregue|a caminho|rastreamento|odeslan|doruc|zasilk|zasielk|balik|przesylk|paczk|kurier|dostaw",
    r"bezorg|verzonden|pakket|発送|配達|お届け|已发货|배송",
)

ORDERED = any_of(
    r"order confirm|ordered\b|thank(s| you) for (your |placing |another |making )?(an? |recent )?(order|purchase|payment|subscription)",
    r"order (is |has been |was )?(received|placed|confirmed|complete)|(booking|purchase|payment|reservation) (is |has been )?confirm",
    r"receipt|recibo|confirmacion de|gracias por (tu|su) (compra|pedido|pago|orden)|bestellbestatigung|auftragsbestatigung|fur (ihre|deine) bestellung|quittung",
    r"confirmation de (votre )?(commande|paiement)|recu\b|merci pour votre|conferma (d'|dell'|di |del )?ordine|ricevuta|grazie per il tuo",
    r"potvrzeni|potvrdenie|dekujeme za|dakujeme za|potwierdzenie (zam|plat)|dziekujemy za|orderbevestiging|bedankt voor|kvitto|kvittering",
    r"orderbekraftelse|ご注文(の確認|ありがとう|を承り|確認)|注文確認|領収書|订单确认|주문 확인",
)

# --- what kind of mail it is ------------------------------------------------------------------------------

RECEIPT = any_of(
    r"receipt|order confirm|confirmation of (your )?(order|booking|purchase|payment)|(order|booking|reservation|purchase|"
    r"payment|donation) (is |has been |was )?(confirmed|confirmation|complete|received|placed|successful)|ordered\b",
    r"thank(s| you) for (your |placing |shopping|making |the |riding|choosing |subscribing|buying|paying|using )?"
    r"(an? |another |recent )?(order|purchase|payment|donation|booking|business|subscription|with|transaction|ride|us)?",
    r"your (\w+\.?\w* ){0,3}(order|purchase|trip|ride|booking|reservation|subscription|itinerary)|e-?ticket|tax invoice|paid invoice",
    r"invoice (paid|receipt)|payment (summary|details|information|method|confirmation)|order (details|summary|number|total|#)",
    r"recibo|comprobante|confirmacion de (tu |su )?(pedido|compra|pago|reserva)|gracias por (tu|su) (compra|pedido|pago)|tu pedido",
    r"quittung|bestellbestatigung|auftragsbestatigung|buchungsbestatigung|zahlungsbestatigung|kaufbeleg|kassenbon|ihre bestellung",
    r"(danke|dank) fur (ihre|deine|ihren|deinen) (bestellung|einkauf|zahlung|buchung)|deine bestellung|bestellung (ist )?eingegangen",
    r"recu\b|confirmation de (votre )?(commande|paiement|reservation)|merci (pour|de) votre (commande|achat)|votre commande|ticket de caisse",
    r"ricevuta|conferma (d'|dell'|di |del )?(ordine|acquisto|pagamento|prenotazione)|grazie per (il tuo|l'|aver)|il tuo ordine|scontrino",
    r"confirmacao d[eo] (pedido|pagamento|compra|reserva)|obrigad[oa] (pela|por) (sua )?(compra|encomenda|pagamento)|seu pedido|encomenda",
    r"uctenka|potvrzeni (o )?(objednavky|platby|prijeti|uhrade|rezervace)|dekujeme za (vas|vasi|nakup|objednavku|platbu)|objednavka",
    r"potvrdenie (objednavky|platby)|dakujeme za (vas|objednavku|nakup|platbu)|paragon|potwierdzenie (zamowienia|platnosci|zakupu)",
    r"dziekujemy za (zakup|zamowienie|platnosc)|bon\b|kassabon|bevestiging van je|orderbevestiging|bedankt voor (je|uw) (bestelling|aankoop)",
    r"kvitto|orderbekraftelse|kvittering|ordrebekreftelse|tak for din (ordre|bestilling)|takk for|kuitti|nyugta|rendeles",
    r"領収書|ご注文|注文確認|お買い上げ|ご購入|购买|订单|收据|영수증|주문|siparis|заказ|чек\b",
)
ADVERT = any_of(
    r"unsubscribe|% off|\d+ ?% (off|discount|rabatt|de descuento)|sale\b|deals?\b|special offer|limited time|shop now|buy now|newsletter",
    r"best price|lowest price|free shipping on|gift ideas|coupon|promo code|hurry|don't miss|exclusive offer|save (up to|big|now|\d)",
    r"angebote|jetzt (kaufen|sichern)|rabatt|ofertas?\b|compra ahora|aprovecha|promocion|soldes|profitez|offerta|sconti|approfitta|akce\b",
    r"sleva|promocja|wyprzedaz|aanbieding|abmelden|darse de baja|se desabonner|cancella(ti)? (l'iscrizione|iscriz)|odhlasit|お得|キャンペーン",
)
FRAUD = any_of(
    r"million|beneficiary of|next of kin|inheritance|lottery|you('ve| have) won|winner|claim your|prize|viagra|cialis|refinanc|mortgage",
    r"western union|money ?gram|united states dollars|atm (master ?|visa )?card|reconfirm your|diplomat|consignment|fund(s)? release",
    r"concluded arrangements|dear (friend|beneficiary|winner)|barrister|late (mr|husband|client|director)|strictly confidential",
    r"make money|earn money|work (at|from) home|get rich|financial freedom|income|investors?\b|guaranteed|risk[- ]free|no obligation",
    r"wire transfer of the|compensation (fund|of)|bitcoin|crypto|casino|debt|approved for a loan|low(est)? (interest )?rates?|toner",
    r"bulk e?-?mail|opt(-| )?out|removed? from (our|this|the) (mailing )?list|this is not spam|bill 1618|mlm|multi-?level",
    r"your (account|mailbox) (has been|will be|is) (suspended|limited|blocked)|verify your (account|identity|information)",
    r"verdienen|reich werden|geld verdienen|gewonnen|kostenlos|ganar dinero|gagnez|vous avez gagne|hai vinto|您.{0,6}中奖",
)
ACCOUNT = any_of(
    r"(your|a/c|bank|savings|current|checking|from|to) (\w+ ){0,4}(account|a/c|card|wallet)|a/c\b|acct|(credit|debit) card|upi\b|neft|imps",
    r"(tu|su|la) cuenta|tarjeta|konto\b|ihr(em|es|er)? (konto|karte)|girokonto|compte|votre carte|conto\b|carta\b|sua conta|cartao",
    r"uct[ue]|ucet|karty|kartou|rachun|rekening|口座|デビット|カード|账户|银行卡|계좌|счет|карт[аы]",
)
CASH = any_of(
    r"atm\b|cash withdrawal|withdrawal|retiro|disposicion de efectivo|geldautomat|bargeld|retrait|preliev|saque|vyber|bankomat|출금"
)

SETTLED = any_of(
    r"(was|has been|is) (successfully )?paid|paid successfully|successfully paid|payment (was |is |has been )?(successful|received)",
    r"pago (exitoso|recibido|aplicado)|zahlung (eingegangen|erhalten)|paiement (recu|accepte)|pagamento (ricevuto|recebido)",
    r"platba (prijata|prosla|uspesna)|platnosc (przyjeta|otrzymana)|お支払いが完了|支付成功",
)
PAID_ALREADY = any_of(
    r"paid (by|with|via|using|in full)|bezahlt (mit|per|via)|zaplaceno|zaplatene|uhrazeno|pagado con|paye par|pagato con|pago com",
    r"zaplacono|betaald met|betald med|betalt med",
)
CODE = any_of(
    r"(otp|code|passcode|password|pin) (is|for|to (confirm|authori|complete|verify))|is (your|the) (otp|\w+ ?code|one[- ]time)",
    r"verification code|one[- ]time (password|passcode|code|pin)\b(?! with)|codigo (de verificacion|de seguridad|unico)|clave dinamica",
    r"einmalpasswort|bestatigungscode|mtan|code (de verification|de confirmation|a usage unique)|codice (di verifica|otp)",
    r"overovaci kod|kod (pro|k) potvrzen|kod autoryzac|認証コード|確認コード|ワンタイムパスワード|验证码|인증번호",
)
RECEIPT_SUBJECT = any_of(
    r"receipt|paid|payment (received|confirm)|recibo|comprobante|quittung|recu\b|ricevuta|uctenka|paragon|領収書"
)

BARE_MOVEMENT = any_of(
    r"(has been|was|were) (credited to|debited from) your|you('ve| have)? received a payment|入金がございました|引き落としいたしました",
    r"recibiste una transferencia|ihrem konto gutgeschrieben|prijata platba na vas",
)
