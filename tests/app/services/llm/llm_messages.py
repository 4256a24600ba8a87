"""Messages of many kinds and languages, each with what it says about money. All are made up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from app.services.mail import ParsedMessage

SENT = datetime(2026, 3, 10, 9, tzinfo=UTC)


class Case(NamedTuple):
    """A message; for a transaction also its money, the other party ("" if none is told) and the direction."""

    name: str
    subject: str
    text: str
    sender_name: str = "Shop"
    sender: str = "mail@shop.example"
    money: str = ""
    merchant: str = ""
    direction: str = "debit"

    @property
    def message(self) -> ParsedMessage:
        return ParsedMessage(
            subject=self.subject,
            sender=self.sender,
            sender_name=self.sender_name,
            date=SENT,
            text=self.text,
        )


TRANSACTIONS = [
    Case(
        name="en card",
        subject="Transaction alert",
        text=(
            "Dear customer, your credit card ending 1234 was charged $45.20 at Blue Cafe on "
            "03/09/2026. Available credit: $2,000.00"
        ),
        sender_name="Bank",
        money="45.20 USD",
        merchant="Blue Cafe",
    ),
    Case(
        name="en sms if",
        subject="Alert",
        text=("Rs.500.00 debited from A/c XX12 on 09-03-26 to VPA joe@upi if not done by you call 1800 1234"),
        sender_name="Bank",
        money="500.00 INR",
        merchant="joe@upi",
    ),
    Case(
        name="de order",
        subject="Ihre Bestellbestätigung",
        text=(
            "Vielen Dank für Ihre Bestellung!\n"
            "Artikel\tPreis\n"
            "Tasse\t12,90 €\n"
            "Versand\t4,90 €\n"
            "Gesamtsumme\t17,80 €\n"
            "enthaltene MwSt.\t2,84 €"
        ),
        sender_name="Tassenladen",
        sender="info@tassen.example",
        money="17.80 EUR",
        merchant="Tassenladen",
    ),
    Case(
        name="de lastschrift",
        subject="Umsatzmeldung",
        text=(
            "Guten Tag, von Ihrem Konto wurden 49,99 EUR per Lastschrift von Stadtwerke Muster "
            "abgebucht. Ihr Kontostand beträgt 1.203,44 EUR."
        ),
        sender_name="Bank",
        money="49.99 EUR",
    ),
    Case(
        name="de gutschrift",
        subject="Geldeingang",
        text=(
            "Auf Ihrem Konto wurden 1.250,00 EUR gutgeschrieben.\n"
            "Auftraggeber: Muster GmbH\n"
            "Verwendungszweck: Gehalt"
        ),
        sender_name="Bank",
        money="1250.00 EUR",
        merchant="Muster GmbH",
        direction="credit",
    ),
    Case(
        name="fr order",
        subject="Confirmation de votre commande",
        text=(
            "Merci pour votre commande n° 1234.\n"
            "Sous-total : 30,00 €\n"
            "Livraison : 4,50 €\n"
            "Total TTC : 34,50 €"
        ),
        sender_name="Librairie Claire",
        money="34.50 EUR",
        merchant="Librairie Claire",
    ),
    Case(
        name="fr virement",
        subject="Virement reçu",
        text="Vous avez reçu un virement de 320,00 € de Paul Martin le 9 mars 2026.",
        sender_name="Banque",
        money="320.00 EUR",
        merchant="Paul Martin",
        direction="credit",
    ),
    Case(
        name="it pagamento",
        subject="Avviso di pagamento",
        text=(
            "Hai effettuato un pagamento di 23,40 EUR con la tua carta presso Trattoria Da Bruno "
            "il 09/03/2026 alle 20:31."
        ),
        sender_name="Banca",
        money="23.40 EUR",
        merchant="Trattoria Da Bruno",
    ),
    Case(
        name="it ordine",
        subject="Conferma d'ordine",
        text=("Grazie per il tuo acquisto!\nSubtotale: 40,00 €\nSpedizione: 5,00 €\nTotale: 45,00 €"),
        sender_name="Negozio",
        money="45.00 EUR",
    ),
    Case(
        name="es compra",
        subject="Aviso de compra",
        text=(
            "Se realizó una compra de $350.00 MN con tu tarjeta terminación 1234 en TIENDA AZUL "
            "el 09/03/2026."
        ),
        sender_name="Banco",
        money="350.00 MXN",
        merchant="TIENDA AZUL",
    ),
    Case(
        name="es pedido",
        subject="Confirmación de tu pedido",
        text=("Gracias por tu compra.\nSubtotal: 20,00 €\nEnvío: 3,99 €\nTotal: 23,99 €"),
        sender_name="Tienda",
        money="23.99 EUR",
    ),
    Case(
        name="pt pix",
        subject="Pix recebido",
        text="Você recebeu um Pix de R$ 150,00 de Maria Souza.",
        sender_name="Banco",
        money="150.00 BRL",
        merchant="Maria Souza",
        direction="credit",
    ),
    Case(
        name="pt compra",
        subject="Compra aprovada",
        text="Compra aprovada no valor de R$ 89,90 em LOJA AZUL no cartão final 1234.",
        sender_name="Banco",
        money="89.90 BRL",
        merchant="LOJA AZUL",
    ),
    Case(
        name="cs",
        subject="Platba kartou",
        text=(
            "Dobrý den, dne 9.3.2026 jste zaplatili kartou 459,00 Kč u obchodníka Knihy Modrá. "
            "Zůstatek na účtu: 12 345,67 Kč."
        ),
        sender_name="Banka",
        money="459.00 CZK",
    ),
    Case(
        name="cs order",
        subject="Potvrzení objednávky 123",
        text=(
            "Děkujeme za vaši objednávku.\n"
            "Cena zboží\t1 190 Kč\n"
            "Doprava\t99 Kč\n"
            "Celkem k úhradě\t1 289 Kč\n"
            "Zaplaceno kartou online"
        ),
        sender_name="Obchod",
        money="1289 CZK",
    ),
    Case(
        name="sk",
        subject="Pohyb na ucte",
        text="Na Vasom ucte bola pripisana suma 55,20 EUR. Zostatok: 120,00 EUR",
        sender_name="Banka",
        money="55.20 EUR",
        direction="credit",
    ),
    Case(
        name="pl",
        subject="Potwierdzenie płatności",
        text=("Dziękujemy za zakup! Zapłacono: 129,99 zł\nSprzedawca: Sklep Niebieski"),
        sender_name="Pay",
        money="129.99 PLN",
        merchant="Sklep Niebieski",
    ),
    Case(
        name="nl",
        subject="Bevestiging van je bestelling",
        text=("Bedankt voor je bestelling!\nSubtotaal € 20,00\nVerzendkosten € 3,95\nTotaal € 23,95"),
        sender_name="Winkel",
        money="23.95 EUR",
    ),
    Case(
        name="sv",
        subject="Kvitto",
        text=("Tack för ditt köp!\nSumma: 249,00 kr\nBetalt med kort"),
        sender_name="Butik",
        sender="info@butik.se",
        money="249.00 SEK",
    ),
    Case(
        name="ja order",
        subject="ご注文の確認",
        text=("ご注文ありがとうございます。\n小計：3,000円\n送料：500円\n合計：3,500円"),
        sender_name="青い店",
        sender="info@aoi.jp",
        money="3500 JPY",
    ),
    Case(
        name="ja card",
        subject="カードご利用のお知らせ",
        text=("ご利用日：2026/03/09\nご利用先：青い書店\nご利用金額：1,980円"),
        sender_name="カード会社",
        money="1980 JPY",
        merchant="青い書店",
    ),
    Case(
        name="ch",
        subject="Kaufbeleg",
        text=("Vielen Dank für Ihren Einkauf.\nTotal CHF 42.-\nBezahlt mit TWINT"),
        sender_name="Bäckerei",
        money="42 CHF",
    ),
    Case(
        name="en refund",
        subject="Your refund",
        text=("We've issued a refund of £12.50 to your Visa ending 4321. It may take 3-5 days to appear."),
        sender_name="Blue Shop",
        money="12.50 GBP",
        direction="credit",
    ),
    Case(
        name="en sub",
        subject="Payment received",
        text=(
            "Thanks! We received your payment.\n"
            "\n"
            "Plan: Pro\n"
            "Amount paid: $19.00\n"
            "Paid on: March 9, 2026\n"
            "Next billing date: April 9, 2026"
        ),
        sender_name="Cloudy",
        money="19.00 USD",
        merchant="Cloudy",
    ),
    Case(
        name="en stripe",
        subject="Your receipt from Cloudy Inc #1234",
        text=(
            "Receipt from Cloudy Inc\n"
            "Amount paid\n"
            "$20.00\n"
            "Date paid\n"
            "Mar 9, 2026\n"
            "Payment method\n"
            "Visa - 4242\n"
            "Summary\n"
            "Pro plan\t$18.00\n"
            "VAT\t$2.00\n"
            "Amount charged\t$20.00"
        ),
        sender_name="Cloudy Inc",
        money="20.00 USD",
        merchant="Cloudy Inc",
    ),
    Case(
        name="en eur",
        subject="Booking confirmation",
        text=(
            "Your booking is confirmed.\n"
            "Room (2 nights): €180.00\n"
            "City tax: €6.00\n"
            "Total price: €186.00\n"
            "Paid: €186.00"
        ),
        sender_name="Hotel Blue",
        money="186.00 EUR",
        merchant="Hotel Blue",
    ),
    Case(
        name="en atm",
        subject="ATM withdrawal",
        text="You made an ATM withdrawal of $200.00 from your checking account ending 9876.",
        sender_name="Bank",
        money="200.00 USD",
    ),
    Case(
        name="en transfer",
        subject="You sent money",
        text=("You sent $75.00 to Ana Lopez.\nFee: $0.00\nTotal: $75.00"),
        sender_name="Wallet",
        money="75.00 USD",
        merchant="Ana Lopez",
    ),
    Case(
        name="en salary",
        subject="Direct deposit",
        text=("A direct deposit of $2,310.55 from ACME CORP was credited to your account ending 1111."),
        sender_name="Bank",
        money="2310.55 USD",
        merchant="ACME CORP",
        direction="credit",
    ),
    Case(
        name="bare",
        subject="Receipt",
        text=(
            "Thank you for your purchase.\nAll amounts in CAD.\nSubtotal   10.00\nTax   1.30\nTotal   11.30"
        ),
        sender_name="Kiosk",
        money="11.30 CAD",
    ),
    Case(
        name="discount",
        subject="Order confirmation #55",
        text=(
            "Thanks for your order\n"
            "Items\t$50.00\n"
            "Discount\t-$10.00\n"
            "Shipping\t$5.00\n"
            "Order total\t$45.00\n"
            "You saved $10.00! Get 20% off your next order over $100."
        ),
        money="45.00 USD",
    ),
    Case(
        name="gift",
        subject="Order receipt",
        text=("Thank you for your order.\nTotal\t$60.00\nGift card\t-$20.00\nVisa ending in 1234\t$40.00"),
        money="40.00 USD",
    ),
    Case(
        name="hu",
        subject="Rendelés visszaigazolás",
        text=("Köszönjük a rendelést!\nÖsszesen: 12 990 Ft"),
        sender_name="Bolt",
        sender="info@bolt.hu",
        money="12990 HUF",
    ),
    Case(
        name="autopay",
        subject="Your payment was successful",
        text=(
            "Your automatic payment of $64.30 to Blue Energy was successful on March 9, 2026. "
            "Your new balance is $0.00."
        ),
        sender_name="Blue Energy",
        money="64.30 USD",
    ),
    Case(
        name="uber eats",
        subject="Your Tuesday evening order with Rasoi Eats",
        text=(
            "Total ₹412.50\n"
            "March 10, 2026\n"
            "Thanks for ordering, Asha\n"
            "Here's your receipt from Green Wok.\n"
            "Subtotal\t₹360.00\n"
            "Delivery fee\t₹40.00\n"
            "Taxes\t₹12.50\n"
            "Payments\n"
            "Visa ••••1234\t₹412.50"
        ),
        sender_name="Rasoi Receipts",
        money="412.50 INR",
    ),
    Case(
        name="amz de",
        subject="Ihre Buchladen.de Bestellung #304",
        text=(
            "Guten Tag,\n"
            "vielen Dank für Ihre Bestellung. Wir werden Sie benachrichtigen, sobald Ihr Artikel "
            "versandt wurde.\n"
            "Bestellübersicht\n"
            "Zwischensumme:\tEUR 15,00\n"
            "Verpackung & Versand:\tEUR 2,99\n"
            "Endbetrag inkl. USt.:\tEUR 17,99\n"
            "Zahlungsart: Visa"
        ),
        sender_name="Buchladen.de",
        money="17.99 EUR",
        merchant="Buchladen.de",
    ),
    Case(
        name="amz es",
        subject="Tu pedido de Tienda.es",
        text=(
            "Hola, gracias por tu pedido.\n"
            "Total de productos: EUR 30,00\n"
            "Envío: EUR 2,50\n"
            "Importe total del pedido: EUR 32,50"
        ),
        sender_name="Tienda.es",
        money="32.50 EUR",
        merchant="Tienda.es",
    ),
    Case(
        name="icici",
        subject="Transaction alert",
        text=(
            "Dear Customer, Your Lotus Bank Credit Card XX1234 has been used for a transaction of "
            "INR 1,499.00 on Mar 09, 2026 at 08:15:33. Info: BLUE TELECOM. The Available Credit "
            "Limit on your card is INR 1,00,000.00."
        ),
        sender_name="Lotus Bank",
        money="1499.00 INR",
    ),
    Case(
        name="paytm",
        subject="Money received",
        text=(
            "Rs 300 received from Sunita Devi in your Mango Wallet on 09 Mar 2026. Updated "
            "balance: Rs 1,250.10"
        ),
        sender_name="Wallet",
        money="300 INR",
        merchant="Sunita Devi",
        direction="credit",
    ),
    Case(
        name="monzo",
        subject="You paid £8.40",
        text="You paid £8.40 to Blue Bakery on 9 March 2026 with your card ending 1111.",
        sender_name="Bank",
        money="8.40 GBP",
        merchant="Blue Bakery",
    ),
    Case(
        name="revolut",
        subject="Card payment",
        text=("Hi Ana,\nYou made a card payment.\nMerchant\tMercado Azul\nAmount\t€14.20\nDate\t9 Mar 2026"),
        sender_name="Bank",
        money="14.20 EUR",
        merchant="Mercado Azul",
    ),
    Case(
        name="chase",
        subject="Your $52.13 transaction with BLUE MARKET",
        text=(
            "Transaction alert\n"
            "Account\tBluecard (...1234)\n"
            "Date\tMar 9, 2026 at 7:12 PM ET\n"
            "Merchant\tBLUE MARKET\n"
            "Amount\t$52.13\n"
            "You are receiving this alert because your credit card transaction was more than the "
            "$50.00 limit you set."
        ),
        sender_name="Harbor Bank",
        money="52.13 USD",
        merchant="BLUE MARKET",
    ),
    Case(
        name="capone",
        subject="A new transaction was charged to your account",
        text=(
            "On March 9, 2026, at BLUE CAFE, a pending authorization or purchase in the amount of "
            "$9.75 was placed or charged on your Card."
        ),
        sender_name="Harbor Card",
        money="9.75 USD",
    ),
    Case(
        name="boa zelle",
        subject="You received money",
        text=("Maria Lopez sent you $40.00. The money has been deposited into your account ending in 1234."),
        sender_name="Bank",
        money="40.00 USD",
        merchant="Maria Lopez",
        direction="credit",
    ),
    Case(
        name="kb kr",
        subject="결제 알림",
        text=("카드 결제가 승인되었습니다.\n결제금액: 15,800원\n가맹점: 블루카페\n일시: 2026/03/09 12:10"),
        sender_name="카드",
        sender="a@card.kr",
        money="15800 KRW",
        merchant="블루카페",
    ),
    Case(
        name="cn",
        subject="支付成功",
        text="您已成功支付 ¥128.00 给 蓝天书店。交易时间：2026-03-09 10:20:11",
        sender_name="支付",
        sender="a@pay.cn",
        money="128.00 CNY",
    ),
    Case(
        name="banamex",
        subject="Notificación de transferencia SPEI",
        text=(
            "Estimado cliente: Se realizó una transferencia SPEI desde tu cuenta.\n"
            "Monto: $1,500.00\n"
            "Beneficiario: Juan Pérez\n"
            "Banco destino: Banco Azul\n"
            "Fecha: 09/03/2026"
        ),
        sender_name="Banco",
        sender="avisos@banco.com.mx",
        money="1500.00 MXN",
        merchant="Juan Pérez",
    ),
    Case(
        name="oxxo abono",
        subject="Depósito recibido",
        text="Recibiste un depósito por $500.00 MXN en tu cuenta terminación 1234 el 09/03/2026.",
        sender_name="Banco",
        money="500.00 MXN",
        direction="credit",
    ),
    Case(
        name="csob out",
        subject="CEB Info",
        text=(
            "9.3.2026 jsme na účtu 123 zaúčtovali odchozí úhradu.\n"
            "Částka: -2 345,00 CZK\n"
            "Název protistrany: Dodavatel s.r.o.\n"
            "\n"
            "Zůstatek po zaúčtování: +19 999,99 CZK."
        ),
        sender_name="Banka Buk",
        money="2345.00 CZK",
        merchant="Dodavatel s.r.o.",
    ),
    Case(
        name="sk kredit",
        subject="Kredit na ucte",
        text=(
            "Vazeny klient,\n"
            "\n"
            "9.3.2026 12:51 sa zostatok uctu SK98 zvysil o 120,00 EUR.\n"
            "novy zostatok:   142,11 EUR\n"
            ""
        ),
        sender_name="Banka",
        money="120.00 EUR",
        direction="credit",
    ),
    Case(
        name="sk platba",
        subject="Platba kartou",
        text=(
            "Vážený klient, oznamujeme Vám platbu kartou v obchode MODRA KNIHA vo výške 15,30 EUR "
            "dňa 9.3.2026. Disponibilný zostatok: 300,00 EUR"
        ),
        sender_name="Banka",
        money="15.30 EUR",
    ),
    Case(
        name="delta",
        subject="Your Flight Receipt",
        text=(
            "Passenger info\n"
            "Method of payment\n"
            "VI************1234\t$310.40 USD\n"
            "Ticket amount\t$310.40 USD\n"
            "Base fare\t$270.00 USD"
        ),
        sender_name="Air Blue",
        money="310.40 USD",
        merchant="Air Blue",
    ),
    Case(
        name="southwest",
        subject="Your trip is booked",
        text=(
            "Thanks for flying with us.\n"
            "Payment information\n"
            "Total cost\n"
            "Air - ABC123\n"
            "Base Fare\t$120.00\n"
            "Taxes\t$28.00\n"
            "Total\t$148.00\n"
            "Visa ending in 1234\n"
            "Date: March 9, 2026"
        ),
        sender_name="Air Blue",
        money="148.00 USD",
        merchant="Air Blue",
    ),
    Case(
        name="github",
        subject="[CodeBarn] Payment receipt",
        text=(
            "We received payment for your subscription. Thanks for your business!\n"
            "\n"
            "Date: 2026-03-09 10:00PM PST\n"
            "Account billed: joe\n"
            "Pro subscription: $4.00 USD\n"
            "Total: $4.00 USD\n"
            "Charged to: MasterCard (5*** **** **** 1234)"
        ),
        sender_name="CodeBarn",
        money="4.00 USD",
        merchant="CodeBarn",
    ),
    Case(
        name="lyft",
        subject="Your ride with Jo on March 9",
        text=(
            "Thanks for riding with Jo!\n"
            "Fare (2.2mi)\t$12.00\n"
            "Service fee\t$3.00\n"
            "Tip\t$2.00\n"
            "Apple Pay (Visa)\t$17.00"
        ),
        sender_name="Swift Rides",
        money="17.00 USD",
        merchant="Swift Rides",
    ),
    Case(
        name="wise",
        subject="Your transfer is complete",
        text=(
            "Your money has arrived. We've sent 250.00 EUR to Paul Meyer. You paid 272.10 USD in "
            "total, including our fee of 2.10 USD."
        ),
        sender_name="Transfero",
        money="272.10 USD",
    ),
    Case(
        name="etsy",
        subject="Your Craft purchase from BlueStudio (123)",
        text=(
            "Your order was successful! Thank you for your purchase.\n"
            "Item total:\t$20.00\n"
            "Delivery:\t$4.00\n"
            "Order total:\t$24.00"
        ),
        sender_name="Craft",
        money="24.00 USD",
        merchant="Craft",
    ),
    Case(
        name="steam",
        subject="Thank you for your Kettle purchase!",
        text=(
            "Thanks for your purchase!\n"
            "Blue Game\n"
            "Subtotal (excl. VAT)\t8,39€\n"
            "VAT at 19%\t1,60€\n"
            "Total\t9,99€\n"
            "Payment method: Visa\n"
            "Date: 9 Mar, 2026 @ 10:00am CET"
        ),
        sender_name="Kettle Support",
        money="9.99 EUR",
        merchant="Kettle",
    ),
    Case(
        name="reversal",
        subject="Alert",
        text="INR 1,200.00 has been reversed to your card ending 1234 on 09-03-2026 by BLUE SHOP.",
        sender_name="Bank",
        money="1200.00 INR",
        direction="credit",
    ),
    Case(
        name="interest",
        subject="Interest credited",
        text="Interest of Rs. 120.50 has been credited to your savings account XX1234 on 09/03/26.",
        sender_name="Bank",
        money="120.50 INR",
        direction="credit",
    ),
    Case(
        name="emi",
        subject="Loan EMI",
        text=("Your EMI of Rs. 12,300 for loan account XX99 was debited from your account on 09/03/2026."),
        sender_name="Bank",
        money="12300 INR",
    ),
    Case(
        name="jp furikomi",
        subject="振込入金のお知らせ",
        text=(
            "下記の振込入金がありました。\n入金日時：2026/03/09 10:00\n振込人名：カ）アオイ\n入金額：55,000円"
        ),
        sender_name="銀行",
        sender="a@bank.jp",
        money="55000 JPY",
        direction="credit",
    ),
    Case(
        name="no",
        subject="Kvittering fra Blå Butikk",
        text=("Takk for kjøpet!\nVare: 199,00\nTotalt: kr 199,00\nBetalt med Vipps"),
        sender_name="Blå Butikk",
        sender="x@butikk.no",
        money="199.00 NOK",
    ),
    Case(
        name="hdfc upi",
        subject="You have done a UPI txn",
        text=(
            "Dear Customer, Rs.180.00 has been debited from account 1234 to VPA blueshop@okbank "
            "BLUE SHOP on 09-03-26. Your UPI transaction reference number is 606812345678. If you "
            "did not authorize this transaction, please report it immediately."
        ),
        sender_name="Lotus Bank",
        money="180.00 INR",
    ),
    Case(
        name="axis",
        subject="Debit transaction alert",
        text=(
            "09-03-2026\n"
            "Dear Customer,\n"
            "Here's the summary of your transaction:\n"
            "Amount Debited:\n"
            "INR 2,340.00\n"
            "Account Number:\n"
            "XX1234\n"
            "Date & Time:\n"
            "09-03-26, 11:20:33 IST\n"
            "Transaction Info:\n"
            "UPI/P2M/1234/BLUE MART"
        ),
        sender_name="Banyan Bank",
        money="2340.00 INR",
    ),
    Case(
        name="kotak recv",
        subject="Account notice",
        text=(
            "Dear Customer, Rs. 1,500.00 is received in your Peepal Bank account XX1234 from SITA "
            "DEVI on 09/03/26. UPI ref 123."
        ),
        sender_name="Peepal Bank",
        money="1500.00 INR",
        merchant="SITA DEVI",
        direction="credit",
    ),
    Case(
        name="slice",
        subject="notification",
        text=("Hi, your payment of ₹899.00 to Blue Cinema was successful. Paid using your Mango card xx12."),
        sender_name="Mango",
        money="899.00 INR",
        merchant="Blue Cinema",
    ),
    Case(
        name="onecard",
        subject="Transaction",
        text=(
            "Your Lotus card ending 1234 was swiped for Rs. 650.00 at BLUE DINER on 9 Mar 2026. "
            "Unbilled total: Rs. 5,000.00"
        ),
        sender_name="Lotus Card",
        money="650.00 INR",
        merchant="BLUE DINER",
    ),
    Case(
        name="banorte serv",
        subject="Notificación",
        text=(
            "Estimado(a): USUARIO\n"
            "Registramos esta operación en tu banca móvil.\n"
            "Operación:\tPago de Servicios\n"
            "Fecha de Operación:\t09/Mar/2026\n"
            "Servicio:\tCFE\n"
            "Importe:\t$432.00 MN\n"
            "Comisión:\t$5.00 MN\n"
            "IVA Comisión:\t$0.80 MN"
        ),
        sender_name="Banco",
        money="432.00 MXN",
    ),
    Case(
        name="banorte dep",
        subject="Notificación",
        text=(
            "Te avisamos de un depósito en tu cuenta ****1234\n"
            "Operacion:\tDEPOSITO EN EFECTIVO\n"
            "Fecha:\t09/Mar/2026\n"
            "Importe:\t$ 900.00 MN"
        ),
        sender_name="Banco",
        money="900.00 MXN",
        direction="credit",
    ),
    Case(
        name="jnb atm",
        subject="お引き出しのお知らせ",
        text=("次のお引き出しがありました。\nお引出日時：2026/03/09 10:20:00\nお引出金額：30,000円"),
        sender_name="銀行",
        sender="a@bank.jp",
        money="30000 JPY",
    ),
    Case(
        name="jnb furi",
        subject="振込受付のご確認",
        text=(
            "次のお振込を受け付けました。\n"
            "振込受付日時:2026/03/09 10:40\n"
            "受取人名:アオイ（カ\n"
            "振込金額:47,000円\n"
            "振込手数料:275円"
        ),
        sender_name="銀行",
        sender="a@bank.jp",
        money="47000 JPY",
        merchant="アオイ（カ",
    ),
    Case(
        name="airbank out",
        subject="Snížení zůstatku na účtu",
        text=(
            "Dobrý den,\n"
            "\n"
            "zůstatek Vašeho účtu 1/3030 se snížil o 350,00 CZK. Dostupný "
            "zůstatek k 9.3.2026 je 1 000,00 CZK.\n"
            "\n"
            "Platba kartou BLUE SHOP PRAHA"
        ),
        sender_name="Banka Buk",
        money="350.00 CZK",
    ),
    Case(
        name="paypal refund",
        subject="You have received a refund",
        text=(
            "Hello Alex,\n"
            "Blue Shop Ltd has sent you a refund of £9.99 GBP.\n"
            "Transaction ID: 123\n"
            "Refund amount\t£9.99 GBP\n"
            "Original payment\t£9.99 GBP"
        ),
        sender_name="PayBlue",
        money="9.99 GBP",
        merchant="Blue Shop Ltd",
        direction="credit",
    ),
    Case(
        name="paypal subs",
        subject="Receipt for your automatic payment",
        text=(
            "You paid £4.99 GBP to Blue Music Ltd.\n"
            "Total\t£4.99 GBP\n"
            "You have an automatic payment set up with Blue Music Ltd. Your next payment will be "
            "on 9 Apr 2026."
        ),
        sender_name="PayBlue",
        money="4.99 GBP",
        merchant="Blue Music Ltd",
    ),
    Case(
        name="ebay",
        subject="Order confirmed",
        text=(
            "Your order is confirmed, thank you.\n"
            "Total: £8.89\n"
            "Order total:\n"
            "Price\t£7.41\n"
            "Postage\tFree\n"
            "VAT\t£1.48\n"
            "Total charged to PayBlue\t£8.89"
        ),
        sender_name="Bazaar",
        money="8.89 GBP",
        merchant="Bazaar",
    ),
    Case(
        name="amz multi",
        subject='Your Store.co.uk order of "Blue lamp" and 2 more items.',
        text=(
            "Thanks for your order. We will write again once your parcel is dispatched.\n"
            "Item Subtotal:\t£30.00\n"
            "Postage & Packing:\t£2.99\n"
            "Promotion applied:\t-£2.99\n"
            "Total before VAT:\t£25.00\n"
            "VAT:\t£5.00\n"
            "Gift card balance:\t-£10.00\n"
            "Order Total:\t£20.00\n"
            "Selected Payment Method:\tVisa"
        ),
        sender_name="Store.co.uk",
        money="20.00 GBP",
        merchant="Store.co.uk",
    ),
    Case(
        name="delta2",
        subject="Your flight receipt",
        text=(
            "You're all set.\n"
            "Billing details\n"
            "Form of payment\tVisa ending 1234\n"
            "Base fare\t$200.00\n"
            "Taxes, fees and charges\t$43.20\n"
            "Total\t$243.20\n"
            "Non-refundable"
        ),
        sender_name="Air Blue",
        money="243.20 USD",
        merchant="Air Blue",
    ),
    Case(
        name="hotel paid",
        subject="Payment confirmation",
        text=("We have received your payment.\nHotel Blue, 2 nights\nTotal paid\tEUR 240.00\nVAT included"),
        sender_name="Bookings",
        money="240.00 EUR",
    ),
    Case(
        name="twitch",
        subject="Thanks for Subscribing",
        text=(
            "Thank you for subscribing! What you bought:\n"
            "\n"
            "Description: Tier 1 Subscription\n"
            "Total:       $5.99 per month\n"
            "\n"
            "Subtotal:  $5.99\n"
            "Paid:      $6.45\n"
            "Total Due: $0.00"
        ),
        sender_name="",
        sender="purchase@streamer.example",
        money="6.45 USD",
    ),
    Case(
        name="doordash",
        subject="Order Confirmation for Jo from Blue Pizza",
        text=(
            "Thanks for your order, Jo\n"
            "The estimated delivery time for your order is 7:15 PM - 7:35 PM.\n"
            "Subtotal\t$18.00\n"
            "Fees & Estimated Tax\t$4.10\n"
            "Courier tip\t$3.00\n"
            "Total Charged\t$25.10"
        ),
        sender_name="Courier",
        money="25.10 USD",
    ),
    Case(
        name="invoice paid",
        subject="Invoice INV-77 paid",
        text="Hi, invoice INV-77 for €350.00 has been paid in full. Thank you!",
        sender_name="Blue GmbH",
        money="350.00 EUR",
    ),
    Case(
        name="gas",
        subject="Fuel receipt",
        text=(
            "Pump 4\n"
            "Unleaded 35.20 L @ 1.799\n"
            "Total EUR 63.32\n"
            "Paid by card ****1234\n"
            "Thank you for your visit"
        ),
        sender_name="Petrol Blue",
        money="63.32 EUR",
        merchant="Petrol Blue",
    ),
    Case(
        name="parking",
        subject="Parking session receipt",
        text=(
            "Your parking session has ended.\n"
            "Zone: 1234\n"
            "Start: 09 Mar 2026 10:00\n"
            "End: 09 Mar 2026 12:00\n"
            "Parking fee: £4.00\n"
            "Service fee: £0.20\n"
            "Total: £4.20"
        ),
        sender_name="ParkBlue",
        money="4.20 GBP",
        merchant="ParkBlue",
    ),
    Case(
        name="donation",
        subject="Thank you for your donation",
        text=(
            "Dear Alex, thank you for your gift of $25.00 to Blue Rivers. Your contribution is "
            "tax-deductible. Date: 03/09/2026"
        ),
        sender_name="Blue Rivers",
        money="25.00 USD",
    ),
    Case(
        name="tax refund fi",
        subject="Återbetalning",
        text="Vi har återbetalat 120,00 kr till ditt konto.",
        sender_name="Butik",
        sender="a@butik.se",
        money="120.00 SEK",
        direction="credit",
    ),
    Case(
        name="tuition de",
        subject="Zahlungseingang bestätigt",
        text="Wir haben Ihre Zahlung über 80,00 EUR erhalten. Vielen Dank!",
        sender_name="Kursverein",
        money="80.00 EUR",
    ),
]

NO_TRANSACTIONS = [
    Case(
        name="declined",
        subject="Your payment was declined",
        text=(
            "We were unable to charge your card ending 1234 for $45.20. Please update your payment method."
        ),
    ),
    Case(
        name="failed2",
        subject="Payment failed",
        text="Your recent payment of $19.00 failed. We will retry in 3 days.",
    ),
    Case(
        name="de failed",
        subject="Zahlung fehlgeschlagen",
        text="Die Zahlung über 19,00 € konnte nicht durchgeführt werden.",
    ),
    Case(
        name="fr failed",
        subject="Échec du paiement",
        text="Votre paiement de 19,00 € a été refusé par votre banque.",
    ),
    Case(
        name="es failed",
        subject="Pago rechazado",
        text="Tu pago de $350.00 MN fue rechazado.",
    ),
    Case(
        name="statement",
        subject="Your March statement is ready",
        text=(
            "Your credit card statement is ready.\n"
            "New balance: $1,234.56\n"
            "Minimum payment due: $35.00\n"
            "Payment due date: 04/01/2026"
        ),
    ),
    Case(
        name="bill",
        subject="Your bill is ready",
        text=(
            "Your electricity bill for February is now available.\n"
            "Amount due: $64.30\n"
            "Due date: March 25, 2026"
        ),
    ),
    Case(
        name="de rechnung",
        subject="Ihre Rechnung",
        text=(
            "Ihre Rechnung ist da. Rechnungsbetrag: 49,99 EUR. Bitte überweisen Sie den Betrag "
            "bis 20.03.2026."
        ),
    ),
    Case(
        name="scheduled",
        subject="Upcoming payment",
        text="Your payment of $64.30 is scheduled for March 20, 2026.",
    ),
    Case(
        name="trial",
        subject="Your trial ends soon",
        text="Your free trial ends on March 15. After that you will be charged $9.99 per month.",
    ),
    Case(
        name="renew",
        subject="Your subscription will renew",
        text="Your plan renews on April 1, 2026. You will be charged $99.00 unless you cancel.",
    ),
    Case(
        name="news",
        subject="Spring sale: up to 50% off",
        text=("Jackets from $49.99\nShoes $29.99\nHats $9.99\nFree shipping on orders over $50\nUnsubscribe"),
    ),
    Case(
        name="price list",
        subject="Price list 2026",
        text=("Item A $10.00\nItem B $20.00\nItem C $35.00"),
    ),
    Case(
        name="cart",
        subject="You left something in your cart",
        text=("Blue mug $12.90\nTotal: $12.90\nComplete your purchase"),
    ),
    Case(
        name="quote",
        subject="Your quote Q-123",
        text=(
            "Thank you for your interest.\n"
            "Subtotal: $900.00\n"
            "Total: $1,080.00\n"
            "This quotation is valid for 30 days."
        ),
    ),
    Case(
        name="shipped",
        subject="Your order has shipped",
        text=("Good news! Your order #123 is on its way.\nTracking number: 1Z999\nOrder total: $45.00"),
    ),
    Case(
        name="delivered",
        subject="Delivered: your package",
        text="Your package was delivered today at 14:02.",
    ),
    Case(
        name="de versand",
        subject="Ihr Paket ist unterwegs",
        text="Ihr Paket wird voraussichtlich morgen zugestellt. Sendungsnummer 00340",
    ),
    Case(
        name="limit",
        subject="Card limit changed",
        text="Your daily card limit has been changed to $2,500.00.",
    ),
    Case(
        name="balance",
        subject="Low balance alert",
        text="The balance of your account ending 1234 is $23.10, below your alert of $50.00.",
    ),
    Case(
        name="otp",
        subject="Your one-time password",
        text="Your OTP for the transaction of Rs 5,000.00 at Blue Shop is 123456. Do not share it.",
    ),
    Case(
        name="lottery",
        subject="CONGRATULATIONS WINNER",
        text="You have won $1,000,000.00 in the lottery. To claim your prize send your details.",
    ),
    Case(
        name="419",
        subject="Dear friend",
        text=(
            "I am the next of kin of a late director who deposited $12,500,000.00. The "
            "beneficiary of the fund will receive the transfer."
        ),
    ),
    Case(
        name="invest",
        subject="Turn $250 into $5,000",
        text="Our members have earned $5,000.00 in a week, guaranteed. Work from home. Sign up now.",
    ),
    Case(
        name="cashback",
        subject="Earn $200 bonus",
        text="Spend $500 in the first 3 months and get $200 back. Terms apply.",
    ),
    Case(
        name="request",
        subject="Payment request",
        text="Ana Lopez requests $75.00 from you. Pay now or decline.",
    ),
    Case(
        name="survey",
        subject="Tell us about your purchase",
        text="How was your recent purchase? Take our survey to win a $100 gift card.",
    ),
    Case(
        name="noreceipt",
        subject="Your trip summary",
        text=(
            "Total $12.00\n"
            "This is not a payment receipt. You will receive a receipt when the payment is "
            "processed."
        ),
    ),
    Case(
        name="policy",
        subject="Changes to our fees",
        text="From 1 May 2026 the monthly fee for your account changes from $5.00 to $6.00.",
    ),
    Case(
        name="hotel later",
        subject="Reservation reminder",
        text="Your stay is coming up. You'll pay $180.00 at the property.",
    ),
    Case(
        name="crowd",
        subject="Help us reach our goal",
        text="We have raised $12,000 of $20,000. Please donate $25 today.",
    ),
    Case(
        name="ja limit",
        subject="ご利用限度額変更のお知らせ",
        text="新しいご利用限度額：500,000円",
    ),
    Case(
        name="ja bill",
        subject="ご請求額確定のお知らせ",
        text=("今月のご請求額：45,678円\nお引き落とし日：2026/03/27"),
    ),
    Case(
        name="cs upominka",
        subject="Upomínka",
        text="Vážený kliente, evidujeme nedoplatek 1 250,00 Kč. Prosíme o úhradu do 20.3.2026.",
    ),
    Case(
        name="tickets",
        subject="Tickets on sale",
        text="Concert tickets from £35.00. Buy now!",
    ),
    Case(
        name="job",
        subject="New job offers",
        text="Developer, $80,000 per year, remote. Designer, $70,000 per year.",
    ),
    Case(
        name="invoice",
        subject="Invoice 2026-031 from Blue Ltd",
        text="Please find attached invoice 2026-031 for $1,200.00, due on April 9, 2026.",
    ),
    Case(
        name="pending auth",
        subject="Action needed",
        text="We could not complete your transfer of $500.00 because of insufficient funds.",
    ),
    Case(
        name="cashback terms",
        subject="Your rewards",
        text="You have 1,200 points worth $12.00. Redeem now.",
    ),
    Case(
        name="price drop",
        subject="Price drop on an item in your wish list",
        text="Blue lamp was $40.00, now $29.99",
    ),
    Case(
        name="tax",
        subject="Your tax documents are ready",
        text="Your 1099 for 2025 is available. Interest income: $12.34",
    ),
    Case(
        name="shipped de",
        subject="Versandbestätigung",
        text="Ihre Bestellung wurde verschickt und ist unterwegs. Sendungsnummer 123",
    ),
    Case(
        name="amazon ship",
        subject="Your order has been dispatched",
        text=("Your items were dispatched this morning.\nShipment total: £12.00\nTrack your package"),
    ),
    Case(
        name="ebay bid",
        subject="You're the highest bidder!",
        text=("Current bid: £12.50\nPostage: £3.00\nTime left: 2 days"),
    ),
    Case(
        name="ebay win",
        subject="Payment reminder: pay for your item",
        text="You won the item. Total: £15.50. Please pay now.",
    ),
    Case(
        name="cc stmt",
        subject="Statement for your Lotus Credit Card",
        text=(
            "Dear Customer, your statement for Feb 2026 is attached.\n"
            "Total Amount Due: Rs. 12,345.00\n"
            "Minimum Amount Due: Rs. 617.00\n"
            "Due date: 25/03/2026"
        ),
    ),
    Case(
        name="autopay soon",
        subject="AutoPay reminder",
        text="Your AutoPay of $64.30 will be withdrawn from your checking account on March 20.",
    ),
    Case(
        name="mandate",
        subject="UPI Mandate",
        text=("Your UPI mandate of Rs 199.00 towards Blue Music is scheduled to be debited on 12/03/26."),
    ),
    Case(
        name="loan offer",
        subject="Pre-approved loan",
        text="You are pre-approved for a personal loan of Rs. 5,00,000 at 10.5%. Apply now.",
    ),
    Case(
        name="security",
        subject="New sign-in to your account",
        text="A new sign-in from Chrome on Windows. If this was you, ignore this email.",
    ),
    Case(
        name="payee",
        subject="Beneficiary added",
        text="You have added Ram Kumar as a payee. You can transfer up to Rs 50,000 in 24 hours.",
    ),
    Case(
        name="newsletter",
        subject="Weekly digest",
        text=(
            "Oil rose to $82.10 a barrel. Shares of Blue Corp closed at $145.20, after the "
            "company paid $3 billion for Green Inc."
        ),
    ),
    Case(
        name="donate",
        subject="We need your help",
        text="Just $10 a month can feed a child. Give today.",
    ),
    Case(
        name="booking itinerary",
        subject="Your itinerary",
        text="Flight BA123 London to Paris, 10 April 2026, seat 12A. Baggage: extra bag £40.",
    ),
    Case(
        name="event",
        subject="Registration open",
        text="Early bird tickets: $199 until April 1. Regular price $299.",
    ),
    Case(
        name="declined es",
        subject="Aviso",
        text="Le informamos que su compra por $1,200.00 MN en TIENDA AZUL fue declinada.",
    ),
    Case(
        name="it fail",
        subject="Pagamento non riuscito",
        text="Il pagamento di 12,99 € non è andato a buon fine. Aggiorna il metodo di pagamento.",
    ),
    Case(
        name="pt boleto",
        subject="Sua fatura chegou",
        text=("Sua fatura de março fechou.\nValor total: R$ 1.234,56\nVencimento: 20/03/2026"),
    ),
    Case(
        name="pl fakt",
        subject="Faktura za marzec",
        text=("Kwota do zapłaty: 59,99 zł\nTermin płatności: 20.03.2026"),
    ),
    Case(
        name="cz limit",
        subject="Změna limitu karty",
        text="Limit Vaší karty byl změněn na 50 000 Kč.",
    ),
    Case(
        name="jp yoyaku",
        subject="振込予約の受付",
        text=("振込予約を受け付けました。\n振込指定日：2026/03/20\n振込金額：30,000円"),
    ),
    Case(
        name="po",
        subject="Purchase order 4471",
        text="Please supply 12 boxes of gloves at $3.20 per box. Total: $38.40.",
    ),
    Case(
        name="auto reply",
        subject="Out of office",
        text="I'm away until Monday. For invoices contact billing.",
    ),
    Case(
        name="spam meds",
        subject="Cheap meds online",
        text="Viagra $1.99 per pill, Cialis $2.50. Order now, discreet shipping!",
    ),
    Case(
        name="phish",
        subject="Your wallet account is limited",
        text=(
            "You sent a payment of $499.99 USD to Bitcoin Exchange. If you did not authorize "
            "this, call 1-800-123-4567. Verify your account."
        ),
    ),
    Case(
        name="refund scam",
        subject="You are eligible for a tax refund",
        text=(
            "After the last calculation you are eligible to receive a refund of £265.84. Click to "
            "claim your refund."
        ),
    ),
    Case(
        name="points",
        subject="You earned 500 points",
        text="You earned 500 points worth $5.00 on your last purchase.",
    ),
    Case(
        name="price up",
        subject="Your plan price is changing",
        text="Starting April 1, your monthly price will increase from $9.99 to $11.99.",
    ),
    Case(
        name="rate",
        subject="Exchange rate alert",
        text="1 EUR = 1.0842 USD. Your target rate was reached.",
    ),
    Case(
        name="est bill",
        subject="Estimated delivery and total",
        text="Your quote request: estimated total $1,250.00",
    ),
    Case(
        name="pickup",
        subject="Ready for pickup",
        text=("Your order is ready for pickup at our store. Bring your ID. Amount to pay at store: $23.00"),
    ),
    Case(
        name="voucher",
        subject="A gift for you",
        text="Here is a $10 voucher for your next purchase over $50.",
    ),
    Case(
        name="tracking pl",
        subject="Twoja paczka jest w drodze",
        text="Kurier dostarczy paczkę jutro. Kwota pobrania: 89,00 zł",
    ),
    Case(
        name="bank fee notice",
        subject="Update to your account terms",
        text="Overdraft fees of $35.00 will no longer be charged from May 1.",
    ),
    Case(
        name="jnb login",
        subject="ログインのお知らせ",
        text="ログインがありました。日時：2026/03/09 10:00",
    ),
    Case(
        name="banorte nip",
        subject="Notificación",
        text=("Se ha registrado exitosamente el nuevo NIP para su Tarjeta.\nFecha: 09/Mar/2026"),
    ),
    Case(
        name="rbl stmt",
        subject="Credit card e-statement",
        text=(
            "Your e-statement is ready. Total Amount Due ₹5,432.10. Minimum Amount Due ₹271.61. "
            "Due Date 25-Mar-2026."
        ),
    ),
    Case(
        name="bill desk",
        subject="Your bill of Rs 799 is due",
        text=(
            "Your postpaid bill of Rs 799.00 for 9876 is due on 20-Mar-2026. Pay now to avoid "
            "late fee of Rs 100."
        ),
    ),
    Case(
        name="amazon return",
        subject="Your return request",
        text=(
            "We've received your return request. Your refund of $24.99 will be issued once we "
            "receive the item."
        ),
    ),
    Case(
        name="itinerary",
        subject="Your trip is coming up",
        text="Your flight to Rome departs in 3 days. Add a bag from $35 or upgrade from $79.",
    ),
    Case(
        name="uber promo",
        subject="50% off your next 3 rides",
        text="Up to $10 off each. Use code BLUE by March 31.",
    ),
    Case(
        name="deal",
        subject="Your weekly deals",
        text=("Blue TV $499.99 (was $699.99)\nHeadphones $59.00\nAdd to cart"),
    ),
    Case(
        name="mortgage",
        subject="Lower your rate today",
        text="Refinance and save $300 a month. $250,000 loan for $998/month. No obligation quote.",
    ),
    Case(
        name="nigeria",
        subject="URGENT REPLY",
        text=(
            "My late husband deposited US$8.5 Million. I want to transfer $8,500,000.00 to your "
            "account. Strictly confidential."
        ),
    ),
    Case(
        name="card expiring",
        subject="Your card is about to expire",
        text=("Your card ending 1234 on file expires 03/26. Update it to keep your $9.99 plan active."),
    ),
    Case(
        name="price alert",
        subject="Price alert: Rome from €49",
        text="Fares from Vienna to Rome dropped to €49 one way.",
    ),
    Case(
        name="backorder",
        subject="Your order is delayed",
        text="We are sorry: item Blue lamp (€39.00) is delayed until April 2.",
    ),
    Case(
        name="cancel",
        subject="Your order has been cancelled",
        text="Your order #12 has been cancelled. You have not been charged. Order total: $45.00",
    ),
    Case(
        name="preauth hold",
        subject="Verify your bank account",
        text="We'll make two small deposits under $1.00 within 3 days.",
    ),
    Case(
        name="gls",
        subject="Paczka w drodze",
        text="Kurier doręczy przesyłkę jutro. Opłata za pobraniem: 120,00 zł.",
    ),
    Case(
        name="usps",
        subject="Expected delivery",
        text="Your item is out for delivery. Postage due: $0.00",
    ),
    Case(
        name="mailer daemon",
        subject="Undelivered Mail Returned to Sender",
        text=("The mail system <x@y.example>: host said 550 5.1.1 user unknown. Subject: Invoice $45.00"),
    ),
    Case(
        name="survey",
        subject="How did we do?",
        text="Rate your purchase of March 9. Complete the survey for a chance to win $500.",
    ),
    Case(
        name="insurance offer",
        subject="Your renewal quote",
        text=("Your car insurance renews on 1 April. Your renewal price: £412.30. Pay in full or monthly."),
    ),
    Case(
        name="wallet low",
        subject="Low wallet balance",
        text=(
            "Your toll wallet balance is $4.10. It will be topped up automatically with $25.00 "
            "from your card."
        ),
    ),
    Case(
        name="points",
        subject="Your trip is booked",
        text=("Thanks for booking.\nPayment summary\nTrip total\t$310.60\nPoints redeemed\t31,060 pts"),
        sender_name="Trips",
        sender="mail@trips.example",
    ),
]
