"""The block of HTML with both lists: escaped, aligned, and silent about which is which."""

import doctest
import importlib
import re
from html.parser import HTMLParser

import pytest
from annotation_studies import HOSTILE, item, lists

from annotate_app.lists import image_allowed, lists_html, pooled_html

pytest.importorskip("streamlit")


class Outline(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize(
    "module", ["activity", "ballot_words", "figures", "lists", "prose", "showing"]
)
def test_examples_in_the_docstrings_hold(module):
    found = doctest.testmod(
        importlib.import_module(f"annotate_app.{module}"), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert found.failed == 0


def test_every_rank_is_a_row_on_both_sides():
    left, right = lists(0)
    text = lists_html("lamp", left, right, task="1-1")
    assert Outline(text).tags.count("li") - text.count("<ul>") * 2 == 20
    assert 'data-task="1-1"' in text
    assert "--rows:10" in text


def test_a_shared_product_says_where_it_stands_on_the_other_side():
    left, right = lists(0)
    text = lists_html("lamp", left, right, task="1-1")
    assert text.count("ek-chip ek-both") == 6
    assert "right #3" in text  # second on the left
    assert "left #2" in text
    assert text.count("only left") == text.count("only right") == 7


def test_only_differences_leaves_out_equal_ranks_and_says_which():
    left, right = lists(0)
    text = lists_html("lamp", left, right, task="1-1", differences=True)
    assert "The same on both sides: rank 1" in text
    assert "--rows:9" in text
    assert "right #1" not in text


@pytest.mark.parametrize(
    ("price", "shown"), [(480.0, "480.00"), (41.5, "41.50"), (7, "7"), ("€ 9,90", "€ 9,90")]
)
def test_a_price_shows_its_cents(price, shown):
    one = item(1, 1, price=price)
    text = lists_html("lamp", [one], [one], task="1-1")
    assert text.count(f'<span class="ek-price">{shown}</span>') == 2


def test_hostile_texts_stay_texts():
    texts = dict.fromkeys(("title", "brand", "price", "description", "image"), HOSTILE)
    bad = item(1, 1, product_id=HOSTILE, attributes={HOSTILE: HOSTILE}, **texts)
    outline = Outline(lists_html(HOSTILE, [bad], [bad], task=HOSTILE))
    assert "script" not in outline.tags
    assert "img" not in outline.tags
    assert not [name for name, _ in outline.attributes if name.startswith("on")]
    assert HOSTILE in "".join(outline.texts)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "//shop.example/a.png",
        "ftp://shop.example/a.png",
        "file:///etc/passwd",
        "https://user:word@shop.example/a.png",
        "https://",
        "http://[",
        "",
        None,
        7,
    ],
)
def test_only_web_addresses_are_images(address):
    assert not image_allowed(address, None)
    assert not image_allowed(address, ["shop.example"])


def test_a_list_of_hosts_is_kept_to():
    assert image_allowed("https://shop.example/a.png", ["shop.example"])
    assert image_allowed("https://img.shop.example/a.png", ["shop.example"])
    assert image_allowed("HTTPS://IMG.SHOP.EXAMPLE./a.png", ["shop.example"])
    assert not image_allowed("https://notshop.example/a.png", ["shop.example"])
    assert not image_allowed("https://shop.example.evil.example/a.png", ["shop.example"])
    assert not image_allowed("https://shop.example/a.png", [])


def test_images_are_lazy_in_a_fixed_box_and_silent():
    left, right = lists(0)
    text = lists_html("lamp", left, right, task="1-1", hosts=["images.shop.example"])
    images = re.findall(r"<img[^>]*>", text)
    assert images
    assert all('loading="lazy"' in image and 'alt=""' in image for image in images)
    assert "<img" not in lists_html("lamp", left, right, task="1-1", hosts=["other.example"])


def test_without_any_picture_there_is_no_room_for_one():
    bare = [item(number, number, image=None) for number in (1, 2)]
    assert "ek-image" not in lists_html("lamp", bare, bare, task="1-1")


def test_words_of_the_query_are_marked():
    one = [item(1, 1, title="Desk LAMP and lamps")]
    text = lists_html("lamp desk", one, one, task="1-1")
    assert "<mark>Desk</mark> <mark>LAMP</mark> and lamps" in text


def test_an_empty_list_says_so():
    assert "No results" in lists_html("lamp", [item(1, 1)], [], task="1-1")


def test_no_address_and_no_id_of_a_product_is_sent_to_annotators():
    left, right = lists(0)
    left = [item(1, 1, url="https://shop.example/p?engine=new")]
    text = lists_html("lamp", left, right, task="1-1")
    assert "engine=new" not in text
    assert "p001" not in text


def test_graded_products_say_their_grade_and_one_is_the_current():
    left, _ = lists(0)
    text = pooled_html("lamp", left, task="1-1", grades={"p000": "Good"}, current=1)
    assert text.count("not graded") == 9
    assert text.count('aria-current="true"') == 1
