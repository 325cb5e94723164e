"""Pages by name, to tell who has answered."""

from twisted.web.resource import Resource

__all__ = ["Named"]


class Named(Resource):
    """Answers on every path below its own."""

    isLeaf = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
