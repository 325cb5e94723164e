"""openat2(2): the kernel itself goes from a folder to a file, and refuses whatever leads out of it.

One call resolves the whole path and follows no link (`RESOLVE_BENEATH`, `RESOLVE_NO_SYMLINKS`, `RESOLVE_NO_MAGICLINKS`), so
nothing can be moved about between two steps. Linux has it since 5.6. Where the kernel, or a filter of system calls, does not
let it through, `AVAILABLE` is false and `walk` goes component by component.
"""

import ctypes
import errno
import os

__all__ = ["AVAILABLE", "open_beneath"]

_NUMBER = 437  # the same on all architectures that Python and Docker meet
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_ATTEMPTS = 16


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t]
_syscall.restype = ctypes.c_long
_size = ctypes.sizeof(_How)
_hows: dict[int, tuple[_How, int]] = {}
"""By flags: the structure, which must live on, and its address."""


def open_beneath(folder: int, path: bytes, flags: int) -> int:
    """Open `path`, relative to the open `folder`, and return the descriptor.

    Raises:
        OSError: as open(2), and ELOOP for a link, EXDEV for a path that leads out.
    """
    known = _hows.get(flags)
    if known is None:
        how = _How(flags, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
        known = _hows[flags] = (how, ctypes.addressof(how))
    for _ in range(_ATTEMPTS):
        found: int = _syscall(_NUMBER, folder, path, known[1], _size)
        if found >= 0:
            return found
        failed = ctypes.get_errno()
        if failed not in (errno.EAGAIN, errno.EINTR):  # EAGAIN: something was renamed meanwhile, anywhere
            break
    raise OSError(failed, os.strerror(failed))


def _try() -> bool:
    folder = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(open_beneath(folder, b".", os.O_PATH | os.O_CLOEXEC))
    except OSError:
        return False
    finally:
        os.close(folder)
    return True


AVAILABLE = _try()
