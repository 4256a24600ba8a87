"""The words that take it back: failed, planned, possible, unwanted."""

from __future__ import annotations

import re

from app.services.llm.rules.vocabulary.pattern import any_of

UNREAL = re.compile(
    r"(?<![a-z])(will( not)?|would|could|can|may (?:be|not|have|also|take|vary|apply|result|see"
    r"|receive|earn|get)|might|should|won't|if(?! (?:not|you (?:did|do|have)|this))|unless|until"
    r"|in case|when(ever)? (you|the|your|it)|once|to be"
    r"|required?|requires|eligible|qualif\w+|please (?:pay|transfer|send)|want|apply|upcoming"
    r"|next (payment|charge|bill)|scheduled|estimated|average|for example|e\.g"
    r"|wird|werden|wurde[n]? gern|falls|wenn|konnen|konnte|bitte|puede[s]?|podra|podria|si (desea|quieres)"
    r"|peut|pourr\w+|serez|sera|si vous|puo|potra|verra|saranno|se (vuoi|desideri)|pode|podera|sera|caso"
    r"|muze(te)?|bude|budou|pokud|prosim|ak |moze(te)?|bedzie|jesli|prosimy|zal|kan|kunnen|予定|予約"
    r"|場合)(?![a-z])"
)
NO_RECEIPT = any_of(
    r"not an? (\w+ )?(payment )?(receipt|invoice or receipt|proof of payment)|not a charge",
    r"no payment (has been|was) (taken|made)|you have not been charged|has not been charged",
    r"haven't been charged|no se (ha realizado|realizo) ningun cargo|no es un (recibo|comprobante)",
    r"kein(e)? (quittung|beleg|zahlungsbestatigung)|ne constitue pas (un recu|une facture)",
    r"non (e|costituisce) (una )?ricevuta|nao e um recibo|neni (uctenkou|danovym)|領収書ではありません",
)
FAILED = any_of(
    r"(was|were|been|is|got) (\w+ )?(declined|rejected|unsuccessful|refused|denied)",
    r"(payment|transaction|charge|card|purchase|transfer|order|debit|transaccion"
    r"|pago) (\w+ ){0,4}(failed|declined|unsuccessful|rejected|rechazad|denegad)",
    r"(failed|declined|unsuccessful|rejected) (payment|transaction|charge|transfer|purchase)",
    r"(unable|not able|failed) to (process|charge|complete|collect|take)",
    r"(could ?n[o']t|cannot|can't|did not|didn't) (be )?(process|charge|complete|collect|go through"
    r"|take|authori)",
    r"insufficient (funds|balance)|(problem|issue|trouble) with (your|the) (\w+ )?payment",
    r"not (been )?(approved|successful)|no (se )?(pudo|ha podido|pudimos|hemos podido)",
    r"fue (rechazad|declinad)|rechazo de|fondos insuficientes|abgelehnt|fehlgeschlagen",
    r"nicht (ausgefuhrt|durchgefuhrt|abgebucht|erfolgreich)|konnte nicht|konnten .{0,60} nicht",
    r"rucklastschrift|refuse[e]?\b|echou|n'a pas (pu|ete)|n'avons pas pu|non riuscit|rifiutat",
    r"negat[ao]|non (e|abbiamo) potut|non andat|recusad|negad[ao]|falhou",
    r"nao (foi )?(aprovad|autorizad|possivel)|zamitnut|zamietnut|neuspes|neproved|odmitnut|nepodaril",
    r"odrzucon|nieudan|nie powiodl|mislukt|geweigerd|niet gelukt|misslyck|nekad|afvist|mislykk|失敗",
    r"承認されません|できません(でした)?|エラー|残高不足|利用停止|거절|실패|失败|res=fail|отклонен"
    r"|reddedildi",
)
PLANNED = any_of(
    r"will be (automatically )?(charged|debited|deducted|processed|paid|collected|billed|taken"
    r"|withdrawn|transferred|renewed)",
    r"(payment|transfer|charge|debit) (is|has been|was) scheduled",
    r"scheduled (a )?(payment|transfer|charge|debit)|upcoming (payment|charge|renewal|debit|bill)",
    r"(we('ll| will)|going to|will (automatically )?) ?(charge|debit|bill|collect|take)",
    r"due (to be|on|date)|payment (is )?due|(payment|billing|renewal) reminder|programad",
    r"sera (cargado|debitado|cobrado)|se cargara|proximo (pago|cargo)",
    r"wird .{0,60}(abgebucht|belastet|eingezogen)|geplant|vorgemerkt|zahlungserinnerung|mahnung",
    r"sera (preleve|debite)|prochain prelevement|verra addebitat|programmat|agendad",
    r"bude (strzen|odepsan|zaplacen|provedena)|naplanovan|zaplanowan|zostanie (pobran|obciaz)|gepland",
    r"wordt .{0,40}(afgeschreven|geincasseerd)|予約|予定|事前|指定日",
)
POINTS_PAID = any_of(
    r"(points|miles) (redeemed|used)|paid (entirely |fully )?with (points|miles)"
    r"|redeemed [\d,.]+ (points|miles)",
    r"puntos canjeados|mit punkten bezahlt|paye avec (vos |des )?points",
)
STATEMENT = any_of(
    r"(e-?|account |billing |card |monthly |bank )statement( for| is| of| available| ready|:|$)",
    r"statement (is|for|ready|available)",
    r"your (\w+ ){0,3}(bill|invoice) (is (ready|available|attached|now|due|here|enclosed|below)|for|from)",
    r"(bill|invoice) (is )?(ready|available|attached|enclosed)|minimum (amount|payment)|payment is due",
    r"total amount due|estado de cuenta|kontoauszug|rechnung (im anhang|anbei)|ihre rechnung",
    r"releve de compte|votre facture|estratto conto|extrato|fatura|vypis z|vypis k|faktura (za|c|nr)",
    r"wyciag|rekeningoverzicht|ご請求|請求書|明細書|对账单|账单|명세서",
)
QUOTE = any_of(
    r"quot(e|ation)\b|estimate\b|pro-?forma|your (cart|basket|bag)\b|left (something )?in your",
    r"complete your (purchase|order)|presupuesto|cotizacion|angebot\b|kostenvoranschlag|warenkorb",
    r"devis\b|panier|preventivo|carrello|orcamento|nabidka|kosik|oferta cenowa|koszyk|winkelwagen",
    r"offerte\b|見積|报价|견적|price list|price match|price drop|wish ?list|watchlist",
)
SHIPPED = any_of(
    r"(has|have|was|been|is|are) (\w+ )?(shipped|dispatched|delivered|despatched)|out for delivery",
    r"(on (its|the|their)) way|^(shipped|delivered|dispatched|arriving|out for)",
    r"track(ing)? (your|number|no|package|parcel)|dispatch confirmation",
    r"we('ve| have) (shipped|dispatched)|package (has|was|is|arriv|sched)|parcel",
    r"your (delivery|package)|shipment|waybill|ready (for|to) (pick ?up|collect)|pick ?up at",
    r"zugestellt|versandt|verschickt|sendungs|unterwegs|paket|enviado|ha sido entregado|en camino",
    r"paquete|seguimiento|expedie|livre\b|colis|spedit|consegn|in arrivo|pacco|enviada|entregue",
    r"a caminho|rastreamento|odeslan|doruc|zasilk|zasielk|balik|przesylk|paczk|kurier|dostaw|bezorg",
    r"verzonden|pakket|発送|配達|お届け|已发货|배송",
)
LIMIT_NOTICE = any_of(
    r"limits?\b|limites?\b|limitu|limity|plafond|monto maximo|限度額|额度|한도",
)
CODE = any_of(
    r"(otp|code|passcode|password|pin) (is|for|to (confirm|authori|complete|verify))",
    r"is (your|the) (otp|\w+ ?code|one[- ]time)|verification code",
    r"one[- ]time (password|passcode|code|pin)\b(?! with)|codigo (de verificacion|de seguridad|unico)",
    r"clave dinamica|einmalpasswort|bestatigungscode|mtan",
    r"code (de verification|de confirmation|a usage unique)|codice (di verifica|otp)|overovaci kod",
    r"kod (pro|k) potvrzen|kod autoryzac|認証コード|確認コード|ワンタイムパスワード|验证码|인증번호",
)
ADVERT = any_of(
    r"unsubscribe|% off|\d+ ?% (off|discount|rabatt|de descuento)|sale\b|deals?\b|special offer",
    r"limited time|shop now|buy now|newsletter|best price|lowest price|free shipping on|gift ideas",
    r"coupon|promo code|hurry|don't miss|exclusive offer|save (up to|big|now|\d)|angebote",
    r"jetzt (kaufen|sichern)|rabatt|ofertas?\b|compra ahora|aprovecha|promocion|soldes|profitez",
    r"offerta|sconti|approfitta|akce\b|sleva|promocja|wyprzedaz|aanbieding|abmelden|darse de baja",
    r"se desabonner|cancella(ti)? (l'iscrizione|iscriz)|odhlasit|お得|キャンペーン",
)
FRAUD = any_of(
    r"million|beneficiary of|next of kin|inheritance|lottery|you('ve| have) won|winner|claim your",
    r"prize|viagra|cialis|refinanc|mortgage|western union|money ?gram|united states dollars",
    r"atm (master ?|visa )?card|reconfirm your|diplomat|consignment|fund(s)? release",
    r"concluded arrangements|dear (friend|beneficiary|winner)|barrister",
    r"late (mr|husband|client|director)|strictly confidential|make money|earn money",
    r"work (at|from) home|get rich|financial freedom|income|investors?\b|guaranteed|risk[- ]free",
    r"no obligation|wire transfer of the|compensation (fund|of)|bitcoin|crypto|casino|debt",
    r"approved for a loan|low(est)? (interest )?rates?|toner|bulk e?-?mail|opt(-| )?out",
    r"removed? from (our|this|the) (mailing )?list|this is not spam|bill 1618|mlm|multi-?level",
    r"your (account|mailbox) (has been|will be|is) (suspended|limited|blocked)",
    r"verify your (account|identity|information)|verdienen|reich werden|geld verdienen|gewonnen",
    r"kostenlos|ganar dinero|gagnez|vous avez gagne|hai vinto|您.{0,6}中奖",
)
