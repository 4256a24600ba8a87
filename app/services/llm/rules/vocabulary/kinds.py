"""The words that tell what kind of mail it is."""

from __future__ import annotations

from app.services.llm.rules.vocabulary.pattern import any_of

RECEIPT = any_of(
    r"receipt|order confirm|confirmation of (your )?(order|booking|purchase|payment)",
    r"(order|booking|reservation|purchase|payment|donation) (is |has been |was )?(confirmed"
    r"|confirmation|complete|received|placed|successful)",
    r"ordered\b",
    r"thank(s| you) for (your |placing |shopping|making |the |riding|choosing |subscribing|buying"
    r"|paying|using )?(an? |another |recent )?(order|purchase|payment|donation|booking|business"
    r"|subscription|with|transaction|ride|us)?",
    r"your (\w+\.?\w* ){0,3}(order|purchase|trip|ride|booking|reservation|subscription|itinerary)",
    r"e-?ticket|tax invoice|paid invoice|invoice (paid|receipt)",
    r"payment (summary|details|information|method|confirmation)|order (details|summary|number|total|#)",
    r"recibo|comprobante|confirmacion de (tu |su )?(pedido|compra|pago|reserva)",
    r"gracias por (tu|su) (compra|pedido|pago)|tu pedido|quittung|bestellbestatigung",
    r"auftragsbestatigung|buchungsbestatigung|zahlungsbestatigung|kaufbeleg|kassenbon|ihre bestellung",
    r"(danke|dank) fur (ihre|deine|ihren|deinen) (bestellung|einkauf|zahlung|buchung)|deine bestellung",
    r"bestellung (ist )?eingegangen|recu\b|confirmation de (votre )?(commande|paiement|reservation)",
    r"merci (pour|de) votre (commande|achat)|votre commande|ticket de caisse|ricevuta",
    r"conferma (d'|dell'|di |del )?(ordine|acquisto|pagamento|prenotazione)",
    r"grazie per (il tuo|l'|aver)|il tuo ordine|scontrino",
    r"confirmacao d[eo] (pedido|pagamento|compra|reserva)",
    r"obrigad[oa] (pela|por) (sua )?(compra|encomenda|pagamento)|seu pedido|encomenda|uctenka",
    r"potvrzeni (o )?(objednavky|platby|prijeti|uhrade|rezervace)",
    r"dekujeme za (vas|vasi|nakup|objednavku|platbu)|objednavka|potvrdenie (objednavky|platby)",
    r"dakujeme za (vas|objednavku|nakup|platbu)|paragon|potwierdzenie (zamowienia|platnosci|zakupu)",
    r"dziekujemy za (zakup|zamowienie|platnosc)|bon\b|kassabon|bevestiging van je|orderbevestiging",
    r"bedankt voor (je|uw) (bestelling|aankoop)|kvitto|orderbekraftelse|kvittering|ordrebekreftelse",
    r"tak for din (ordre|bestilling)|takk for|kuitti|nyugta|rendeles|領収書|ご注文|注文確認|お買い上げ"
    r"|ご購入|购买|订单|收据",
    r"영수증|주문|siparis|заказ|чек\b",
)
RECEIPT_SUBJECT = any_of(
    r"receipt|paid|payment (received|confirm)|recibo|comprobante|quittung|recu\b|ricevuta|uctenka",
    r"paragon|領収書",
)
ORDERED = any_of(
    r"order confirm|ordered\b",
    r"thank(s| you) for (your |placing |another |making )?(an? |recent )?(order|purchase|payment"
    r"|subscription)",
    r"order (is |has been |was )?(received|placed|confirmed|complete)",
    r"(booking|purchase|payment|reservation) (is |has been )?confirm|receipt|recibo|confirmacion de",
    r"gracias por (tu|su) (compra|pedido|pago|orden)|bestellbestatigung|auftragsbestatigung",
    r"fur (ihre|deine) bestellung|quittung|confirmation de (votre )?(commande|paiement)|recu\b",
    r"merci pour votre|conferma (d'|dell'|di |del )?ordine|ricevuta|grazie per il tuo|potvrzeni",
    r"potvrdenie|dekujeme za|dakujeme za|potwierdzenie (zam|plat)|dziekujemy za|orderbevestiging",
    r"bedankt voor|kvitto|kvittering|orderbekraftelse|ご注文(の確認|ありがとう|を承り|確認)|注文確認"
    r"|領収書|订单确认|주문 확인",
)
BILLED = any_of(
    r"billed to|charged to|payment method|method of payment|order (id|number|no)|zahlungsart",
    r"moyen de paiement|metodo de pago",
)
ADDRESSED = any_of(
    r"you|your|we\b|our\b|dear|customer|tu\b|tus\b|te\b|su\b|usted|estimad|le\b|ihr|ihnen|dir\b|dein",
    r"sie\b|kunde|vous|votre|cher|client|tuo|tua|ti\b|hai\b|suo|sua|gentile|voce|seu\b|prezad|vas\b",
    r"vasi|vasem|vam\b|vazen|jste|twoj|tobie|ciebie|klien|je\b|jouw|uw\b|din\b|ditt|お客|様|ご|您|你"
    r"|고객|님",
    r"вы\b|ваш",
)
