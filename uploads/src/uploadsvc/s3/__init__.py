"""Files in an object store that speaks S3, for replicas on several hosts.

    address.py    the URL of a store; pure
    calls.py      how the store is called, and what its errors mean
    bucket.py     what is done to it
    spool.py      bytes that are to be one part, on local disk
    part.py       the body of a PUT or a form's file
    store.py      the files: looked up, listed, published, removed
    fetching.py   the answer to a GET
    record.py     what is known of a resumable upload, and how one request after the other may change it
    upload.py     one resumable upload
    stretch.py    the body of one request, appended to an upload
    shelf.py      all of them: made, opened, swept
    listening.py  how a request hears that another one wants its upload

Everything of a resumable upload is in the store, so each request may come to another host. There is no lock of a kernel's
there. What stands in its place is the store's own promise: an object is written only where it is still as it was read
(If-Match), or where there is none (If-None-Match).
"""
