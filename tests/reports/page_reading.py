"""Reading a page that we wrote: its tags and texts, and an offline visit in a real browser."""

from html.parser import HTMLParser


class Outline(HTMLParser):
    """Tags and texts of a page, without what stands in scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.attributes, self.quiet = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        self.quiet += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.quiet -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.quiet and data.strip():
            self.texts.append(data.strip())

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


class Visit:
    """An offline visit to a page that writes down all it should not do."""

    def __init__(self, chromium, path, **options):
        self.context = chromium.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: (self.complaints.append("dialog"), dialog.dismiss()))
        self.page.goto(path.as_uri())
        # the policy forbids polling by eval, and the figures are drawn before the page has loaded
        drawn = self.page.evaluate(
            "[...document.querySelectorAll('.plot')].every(p => p.querySelector('.main-svg'))"
        )
        assert drawn

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.context.close()
