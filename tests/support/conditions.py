"""Requests with conditions and ranges; where our answer differs from what nginx gives, the row says why."""

import time
from email.utils import formatdate
from typing import NamedTuple

MODIFIED = 1_700_000_000
SAME, EARLIER, LATER = (formatdate(MODIFIED + shift, usegmt=True) for shift in (0, -10, 10))
OLD_FORM = time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(MODIFIED))


class Row(NamedTuple):
    """A request; `{etag}` in a header is the tag that the server itself gives the file."""

    headers: dict[str, str]
    path: str = "ten.txt"
    method: str = "GET"
    why: str = ""
    """Why the answers differ; empty: they do not."""


SEMANTICS = "RFC 9110 section 14.2: a Range that cannot be understood is ignored; nginx answers 416"
PRECEDENCE = "RFC 9110 section 13.2.2: If-Modified-Since is not looked at beside If-None-Match; nginx wants both to hold"
DATE = "RFC 9110 section 13.1.3: not modified since a later date, either; nginx wants the very date unless told otherwise"
ONLY_GET = "RFC 9110 section 14.2: Range is defined for GET alone; nginx answers HEAD with 206"
MATCHED = "RFC 9110 section 13.2.2: If-Unmodified-Since is not looked at beside If-Match; nginx wants both to hold"
FORMS = "a precompressed form is a file of its own with a strong tag, so it has ranges; nginx gives none"
EMPTY = "RFC 9110 section 14.1.2: no byte of an empty file can be had, so 416; nginx answers 200"
ALLOWED = "RFC 9110 section 15.5.6: 405 must carry Allow, and OPTIONS says what may be done; nginx does neither"
TABLE = [
    Row({}),
    Row({}, method="HEAD"),
    Row({}, "empty.txt"),
    Row({}, "absent.txt"),
    Row({}, "absent.txt", "HEAD"),
    Row({}, ""),
    Row({}, "sub"),
    Row({}, "sub/"),
    Row({}, "sub?x=1"),
    Row({}, "ten.txt/"),
    Row({}, "ten.txt?x=1"),
    Row({}, "./sub/../ten.txt"),
    Row({}, "t%65n.txt"),
    Row({}, method="POST", why=ALLOWED),
    Row({}, method="DELETE", why=ALLOWED),
    Row({}, method="OPTIONS", why=ALLOWED),
    # ranges
    Row({"Range": "bytes=0-3"}),
    Row({"Range": "bytes=3-3"}),
    Row({"Range": "bytes=3-"}),
    Row({"Range": "bytes=-3"}),
    Row({"Range": "bytes=-99"}),
    Row({"Range": "bytes=0-99"}),
    Row({"Range": "bytes=9-"}),
    Row({"Range": "bytes=10-"}),
    Row({"Range": "bytes=99-100"}),
    Row({"Range": "bytes=-0"}),
    Row({"Range": "bytes=0-0,-1"}),
    Row({"Range": "bytes=0-1,3-4,6-"}),
    Row({"Range": "bytes=0-1, 3-4"}),
    Row({"Range": "bytes=0-1,99-"}),
    Row({"Range": "bytes=98-,99-"}),
    Row({"Range": "bytes=0-8,1-9"}),
    Row({"Range": "bytes=0-9,0-9,0-9"}),
    Row({"Range": "bytes=0-50000,60000-99999"}, "big.bin"),
    Row({"Range": "bytes=5-4"}, why=SEMANTICS),
    Row({"Range": "bytes=x-y"}, why=SEMANTICS),
    Row({"Range": "bytes="}),
    Row({"Range": "bytes=1"}, why=SEMANTICS),
    Row({"Range": "lines=0-1"}),
    Row({"Range": "bytes=0-3"}, "empty.txt", why=EMPTY),
    Row({"Range": "bytes=-3"}, "empty.txt"),
    Row({"Range": "bytes=0-3"}, method="HEAD", why=ONLY_GET),
    Row({"Range": "bytes=99999999999999999999-"}),
    # If-Range
    Row({"Range": "bytes=0-3", "If-Range": "{etag}"}),
    Row({"Range": "bytes=0-3", "If-Range": '"other"'}),
    Row({"Range": "bytes=0-3", "If-Range": "W/{etag}"}),
    Row({"Range": "bytes=0-3", "If-Range": SAME}),
    Row({"Range": "bytes=0-3", "If-Range": LATER}),
    Row({"Range": "bytes=0-3", "If-Range": EARLIER}),
    Row({"Range": "bytes=99-", "If-Range": '"other"'}),
    # If-None-Match, If-Modified-Since
    Row({"If-None-Match": "{etag}"}),
    Row({"If-None-Match": "W/{etag}"}),
    Row({"If-None-Match": '"a", {etag} ,"b"'}),
    Row({"If-None-Match": "*"}),
    Row({"If-None-Match": '"other"'}),
    Row({"If-None-Match": "{etag}"}, method="HEAD"),
    Row({"If-None-Match": "{etag}", "Range": "bytes=0-3"}),
    Row({"If-Modified-Since": SAME}),
    Row({"If-Modified-Since": EARLIER}),
    Row({"If-Modified-Since": LATER}, why=DATE),
    Row({"If-Modified-Since": "yesterday"}),
    Row({"If-Modified-Since": OLD_FORM}),
    Row({"If-None-Match": '"other"', "If-Modified-Since": SAME}),
    Row({"If-None-Match": "{etag}", "If-Modified-Since": EARLIER}, why=PRECEDENCE),
    # If-Match, If-Unmodified-Since
    Row({"If-Match": "{etag}"}),
    Row({"If-Match": '"other"'}),
    Row({"If-Match": "*"}),
    Row({"If-Match": "W/{etag}"}),
    Row({"If-Unmodified-Since": EARLIER}),
    Row({"If-Unmodified-Since": LATER}),
    Row({"If-Match": "{etag}", "If-Unmodified-Since": EARLIER}, why=MATCHED),
    Row({"If-Match": '"other"', "If-None-Match": "{etag}"}),
    # forms
    Row({"Accept-Encoding": "gzip"}, "app.js", why=FORMS),
    Row({"Accept-Encoding": "gzip;q=0"}, "app.js"),
    Row({"Accept-Encoding": "gzip", "Range": "bytes=0-3"}, "app.js", why=FORMS),
    Row({"Accept-Encoding": "gzip", "If-None-Match": "{etag}"}, "app.js"),
    Row({}, "app.js.gz"),
]
