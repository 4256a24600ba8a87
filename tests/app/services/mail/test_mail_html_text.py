"""HTML as the text that a reader sees."""

from __future__ import annotations

import pytest

from app.services.mail.html_text import html_to_text


def test_rows_of_a_table_are_lines_and_cells_stand_apart() -> None:
    """A label and its amount stay together on a line."""
    html = (
        "<table><tr><td>Subtotal</td><td>$5.00</td></tr>"
        "<tr><td><b>Total</b></td><td> $6.00\n</td></tr></table>"
    )

    assert html_to_text(html) == "Subtotal\t$5.00\nTotal\t$6.00"


def test_nested_layout_tables_keep_the_inner_rows() -> None:
    """Mails are tables in tables; the inner row is the line that a reader sees."""
    html = "<table><tr><td><p>Hi</p><table><tr><td>Total</td><td>$6</td></tr></table></td></tr></table>"

    assert html_to_text(html) == "Hi\nTotal\t$6"


@pytest.mark.parametrize(
    "hidden",
    [
        '<div style="display:none">$99</div>',
        '<span style="color:red; DISPLAY : none !important">$99</span>',
        '<p style="max-height:0;overflow:hidden">$99</p>',
        '<p style="opacity:0">$99</p>',
        "<p hidden>$99</p>",
        "<style>p{width:$99}</style>",
        "<script>var a='$99'</script>",
        "<!-- $99 -->",
        "<!--[if mso]><p>$99</p><![endif]-->",
        "<title>$99</title>",
    ],
)
def test_what_is_not_shown_is_dropped(hidden: str) -> None:
    """Preheaders, comments, scripts and styles are not what the reader was told."""
    assert html_to_text(f"<html><body><p>Total {hidden}$5</p></body></html>").replace("\n", " ") == "Total $5"


@pytest.mark.parametrize("style", ["opacity:0.9", "max-height:0.5em", "display:block", "font-size:0"])
def test_what_is_shown_is_kept(style: str) -> None:
    """A style that only looks like a hiding one hides nothing."""
    assert html_to_text(f'<p style="{style}">$5</p>') == "$5"


def test_raised_cents_become_decimals() -> None:
    """Shops print "24" large and "99" small beside it; a reader sees 24.99."""
    assert html_to_text("<p><sup>$</sup>24<sup>99</sup></p>") == "$24.99"
    assert html_to_text("<p>points<sup>12</sup> 24<sup>1</sup></p>") == "points12 241"


def test_blocks_breaks_and_entities() -> None:
    """Lines break where a browser breaks them; spaces run together; a no-break space stays."""
    html = "<h1>Thanks,\n  Jo</h1>one<br>two<div>1&nbsp;500,50&nbsp;K&#269;</div><ul><li>a<li>b</ul>"

    assert html_to_text(html) == "Thanks, Jo\none\ntwo\n1\u00a0500,50\u00a0Kč\na\nb"


@pytest.mark.parametrize(
    "html",
    ["", "<", "<html>", "\x00", "<?xml version='1.0' encoding='utf-16'?><p>a</p>", "<td>a</tr></table>"],
)
def test_broken_html_raises_nothing(html: str) -> None:
    """Whatever stands in a part marked as HTML, a text comes out."""
    assert isinstance(html_to_text(html), str)
