"""Resumable uploads by tus 1.0.0 (https://tus.io/protocols/resumable-upload).

    heads.py      what the header fields say; pure
    bell.py       the lock of one upload, and how a second request asks for it
    shelf.py      uploads on disk: made, opened, and removed when they are past their time
    upload.py     one of them: what is known of it, what has come; with folder.py for its files
    stretch.py    the body of one request, appended to an upload
    asked.py      which requests are tus's; pure
    desk.py       what each request comes to; with creating.py for new uploads, and holding.py for what all have in common
    concat.py     several uploads become one

Nothing is kept in memory between requests, so each request of an upload may come to another replica of the same folder.
"""
